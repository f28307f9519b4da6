"""Playback: steps carried out from a task's start, with its user and its faults, to their end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from synthtools.backend import Backend
from synthtools.deed import act, with_outcome
from synthtools.domain import Domain
from synthtools.faulty import faulty
from synthtools.finish import NAME as FINISH
from synthtools.finish import parse_finish
from synthtools.goal import Changes, Ending
from synthtools.task import SolutionStep, Task, resolve
from synthtools.tool import ToolCall, ToolResult
from synthtools.user import RESPOND, reply, reply_content, said_in


@dataclass(frozen=True, slots=True)
class Episode:
    """A list of steps carried out to its end."""

    calls: tuple[ToolCall, ...]
    """As resolved; those whose references were not there have no arguments."""
    results: tuple[ToolResult, ...]
    changes: Changes
    ending: Ending | None

    @property
    def failed(self) -> bool:
        """Whether any call came back with an error that is no fault of the service."""
        return any(r.mistaken for r in self.results)


def play(task: Task, steps: Sequence[SolutionStep], domain: Domain, backend: Backend) -> Episode:
    """Carry out steps from the task's start; a step that refers to what is not there is skipped."""
    shown = faulty(backend, domain, task)
    shown.reset(task.start)
    calls: list[ToolCall] = []
    results: list[ToolResult] = []
    values: list[Any] = []
    ending: Ending | None = None
    for step in steps:
        try:
            call = resolve(step, values)
        except LookupError:
            calls.append(ToolCall(step.name, {}))
            results.append(ToolResult("null", "invalid_arguments"))
            values.append(None)
            continue
        if step.name == FINISH:
            finished = parse_finish(dict(call.arguments) if isinstance(call.arguments, Mapping) else call.arguments, domain)
            ending = finished if isinstance(finished, Ending) else None
            break
        result = _made(task, call, calls, domain, shown)
        calls.append(call)
        results.append(result)
        values.append(orjson.loads(result.content))
    return Episode(tuple(calls), tuple(results), backend.changes(), ending)


def _made(task: Task, call: ToolCall, before: Sequence[ToolCall], domain: Domain, backend: Backend) -> ToolResult:
    if call.name == RESPOND.name and task.user is not None:
        heard = [said_in(made.arguments) for made in (*before, call) if made.name == RESPOND.name]
        return ToolResult(reply_content(with_outcome(reply(task.user, heard).text, act(task.user, heard, domain, backend))))
    tool = domain.tools.get(call.name)
    if tool is not None and tool.key in task.withheld:
        return ToolResult("null", "unknown_tool")
    return backend.call(call)
