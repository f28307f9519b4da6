"""What an agent made up: tools that it was not given, arguments that a tool does not have, ids that it had not seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agents.bench.evidence import Evidence, Made
from agents.bench.visible import how_said, shown_before
from synthtools.answer import is_identifier
from synthtools.fault import ChangedSchema
from synthtools.goal import Changes

_LONGEST = 60
"""A longer text is no id."""


def invented_tools(evidence: Evidence) -> int:
    """Calls of tools that were not on offer."""
    return sum(made.result.error == "unknown_tool" for made in evidence.calls)


def invented_arguments(evidence: Evidence) -> int:
    """Arguments that their tool does not have, and ids that stand neither in the request nor in any result before their call."""
    return sum(1 for made in evidence.calls if evidence.tool(made) is not None for _ in _invented(made, evidence))


def _invented(made: Made, evidence: Evidence) -> Iterator[str]:
    tool = evidence.domain.tools[made.name]
    properties: Mapping[str, Any] = tool.parameters["properties"]
    renamed = {fault.new for fault in evidence.task.faults if isinstance(fault, ChangedSchema) and fault.tool == tool.key}
    seen = shown_before(evidence.calls, made.number)
    for name, value in made.arguments.items():
        if name in renamed:
            continue
        if name not in properties:
            yield name
        else:
            for text in _texts(value):
                is_id = name in tool.refers or is_identifier(text.upper(), evidence.domain)
                if is_id and text.upper() not in seen and text not in properties[name].get("enum", ()) and how_said(text, evidence) is None:
                    yield text


def _texts(value: Any) -> Iterator[str]:
    """The texts in an argument that are short enough for an id."""
    if isinstance(value, str) and 0 < len(value) <= _LONGEST:
        yield value
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _texts(entry)


def collateral(evidence: Evidence) -> int:
    """Rows that were changed and that no alternative of the goal changes; of rows that came, those beyond what any lets come."""
    if evidence.success:
        return 0
    wanted = [evidence.expected(alternative) for alternative in evidence.task.goal.alternatives]
    named = {(change.table, change.key) for changes in wanted for change in changes if change.op != "insert"}
    others = sum((change.table, change.key) not in named for change in evidence.changes if change.op != "insert")
    tables = {change.table for change in evidence.changes if change.op == "insert"}
    return others + sum(max(0, _inserts(evidence.changes, table) - max(_inserts(changes, table) for changes in wanted)) for table in tables)


def _inserts(changes: Changes, table: str) -> int:
    return sum(change.op == "insert" and change.table == table for change in changes)
