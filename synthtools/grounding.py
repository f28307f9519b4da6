"""Whether what a solution takes for granted was said: in the request, by the user before, or by a workflow's own words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from synthtools.alter import literals
from synthtools.task import STATED, Task
from synthtools.tool import Tool, ToolResult
from synthtools.user import RESPOND


def grounding(task: Task, results: Sequence[ToolResult], tools: Mapping[str, Tool]) -> Iterator[bool]:
    """Of every literal of the solution, one after another: whether it was said by then, or stated by a workflow's words, or turns a page."""
    words = task.request
    for number, step in enumerate(task.solution[:-1]):
        if step.name == RESPOND.name:
            words += f"\n{orjson.loads(results[number].content)['reply']}"
            continue
        page = tools[step.name].program.page[1] if step.name in tools else ""
        for name, value in step.arguments.items():
            yield from (name == page or _is_said(task, literal, words) for literal in literals(value))


def _is_said(task: Task, literal: Any, words: str) -> bool:
    said = re.sub(r"\s+", " ", task.said.get(orjson.dumps(literal).decode(), "")).strip()
    if said in ("", STATED):
        return said == STATED
    return re.search(rf"(?<!\w){re.escape(said.casefold())}(?!\w)", words.casefold()) is not None
