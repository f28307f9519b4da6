"""What must be true of every call, whatever the tool: shape, errors, frame, lifecycle, references, invariants, promise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import apsw

from synthtools.audit.forced import Refusals
from synthtools.audit.probe import Probe, Seen
from synthtools.audit.promised import broken_promises
from synthtools.audit.world import broken_invariants, illegal_steps
from synthtools.goal import Change
from synthtools.sql import substitute
from synthtools.tool import Tool

ORDER = (
    "crash",
    "undocumented",
    "invariant",
    "unreached",
    "frame",
    "lifecycle",
    "shape",
    "message",
    "unknown row",
    "forced effect",
    "promise",
    "order",
)
"""The checks, cheapest first: a fault is credited to the first that shows it."""


@dataclass(slots=True)
class Rules:
    """Judges calls of one domain, and remembers which refusals nothing but the tool's own word supports."""

    probe: Probe
    refusals: Refusals
    broken_before: frozenset[str] = frozenset()
    """Invariants that the start of the episode breaks: reported once, and not held against any call."""

    def judge(self, seen: Seen) -> Iterator[tuple[str, str]]:
        """(check, what is wrong) for each rule that the call breaks; the world stands as the call left it."""
        if seen.result is None:
            yield "crash", seen.crash
        elif seen.result.error is None:
            yield from self._accepted(seen)
        else:
            yield from self._refused(seen)

    def _refused(self, seen: Seen) -> Iterator[tuple[str, str]]:
        result = seen.result
        if result is None:
            return
        if seen.changes:
            yield "frame", f"refused, and yet changed {_summary(seen.changes[0])}"
        if result.error in ("limit", "failed"):
            yield "crash", f"does not come to an end: {result.content}"
        elif result.error == "refused" and result.reason not in seen.tool.errors:
            yield "undocumented", f"refuses with {result.reason!r}, which it does not document: {result.content}"
        elif result.error == "refused":
            if self._says_nothing(seen):
                yield "message", f"speaks of what is not there: {result.content}"
            for detail in self.refusals.unjustified(seen):
                yield "forced effect", detail

    def _says_nothing(self, seen: Seen) -> bool:
        """Whether the refusing guard's message names a value that is null."""
        scope = seen.scope or {}
        guard = self.refusals.guard(seen.tool, scope) if scope else None
        return guard is not None and any(kind == "value" and scope[text] is None for kind, text in substitute(guard.message, scope))

    def _accepted(self, seen: Seen) -> Iterator[tuple[str, str]]:
        if seen.changes:
            for name in broken_invariants(self.probe, seen.changes):
                if name not in self.broken_before:
                    yield "invariant", f"breaks {name}"
            for detail in outside_frame(seen):
                yield "frame", detail
            for detail in illegal_steps(self.probe.domain, seen.changes):
                yield "lifecycle", detail
            if dangling(self.probe.connection):
                yield "invariant", "leaves a reference to a row that does not exist"
        misshapen = list(departures_from_shape(seen.tool, seen.value))
        for detail in misshapen:
            yield "shape", detail
        if not misshapen:
            for detail in broken_promises(self.probe, seen):
                yield "promise", detail


def outside_frame(seen: Seen) -> Iterator[str]:
    """Changes outside the tables and columns that the tool is known to write."""
    writes = seen.tool.writes
    for change in seen.changes:
        table = change.table
        if change.op == "insert":
            inside = f"+{table}" in writes
        elif change.op == "delete":
            inside = f"-{table}" in writes
        else:
            inside = all(f"{table}.{column}" in writes for column in change.after)
        if not inside:
            yield f"changes {_summary(change)}, which is not among what it writes"


def dangling(connection: apsw.Connection) -> bool:
    """Whether a reference leads nowhere."""
    return connection.execute("PRAGMA foreign_key_check").fetchone() is not None


def departures_from_shape(tool: Tool, value: Any) -> Iterator[str]:
    """How a result differs from its declared shape."""
    parts = tool.program.returns
    plain = len(parts) == 1 and "" in parts
    if not plain and (not isinstance(value, Mapping) or list(value) != list(parts)):
        yield f"returns {str(value)[:80]}, where an object with {', '.join(parts)} was declared"
        return
    for key, returns in parts.items():
        part = value if plain else value[key]
        if returns.many:
            if not isinstance(part, list):
                yield f"returns {str(part)[:80]} where a list was declared"
                continue
            rows = part
        elif returns.columns == ("value",):
            continue
        else:
            rows = [part] if part is not None else []
        if any(not isinstance(row, Mapping) or tuple(row) != returns.columns for row in rows):
            yield f"returns rows without exactly {', '.join(returns.columns)}"


def _summary(change: Change) -> str:
    return f"{change.table} {change.key} ({change.op} {', '.join(change.after) if change.op == 'update' else ''})"
