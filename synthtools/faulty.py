"""A backend around a backend: the calls that a task's schedule says fare as it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from synthtools.arguments import ArgumentError, parse_text
from synthtools.backend import Backend, Snapshot
from synthtools.domain import Domain
from synthtools.fault import STRIKES, ChangedSchema, ExtraTools, Injected, MisleadingDocs, Partial, RateLimit, StaleRead, Struck, Timeout, Unavailable
from synthtools.goal import Changes
from synthtools.task import Task
from synthtools.tool import ErrorKind, Tool, ToolCall, ToolResult
from synthtools.wait import WAIT, seconds_of

_ALL, _CLOCK = "*", "@seconds"
_NOTES = ("note", "remark", "memo")
"""Under which key data holds an injected text: the first that the row has not."""
_ROWS = "rows"
"""Where a bare list goes that has to say something of itself."""


def faulty(backend: Backend, domain: Domain, task: Task) -> Backend:
    """The backend for a task: itself where nothing goes wrong on purpose."""
    return FaultyBackend(backend, domain, task) if task.faults else backend


def sound(backend: Backend) -> Backend:
    """The backend inside one with faults; any other as it is."""
    return backend.inner if isinstance(backend, FaultyBackend) else backend


class FaultyBackend:
    """Implements `Backend` for one task. Its clock is the service's, in seconds; the world's, which shows minutes, stands still."""

    def __init__(self, inner: Backend, domain: Domain, task: Task) -> None:
        self.inner, self.domain, self.task = inner, domain, task
        self._tools = domain.tools
        self._strikes = [(f"@{number}", fault) for number, fault in enumerate(task.faults) if isinstance(fault, STRIKES)]
        self._renamed = [fault for fault in task.faults if isinstance(fault, ChangedSchema)]
        self._misled = {(fault.tool, fault.parameter) for fault in task.faults if isinstance(fault, MisleadingDocs)}
        self._injected = [fault for fault in task.faults if isinstance(fault, Injected)]
        self._extra = {tool.name for fault in task.faults if isinstance(fault, ExtraTools) for tool in fault.tools} - self._tools.keys()
        self._progress: dict[str, int] = {}

    def reset(self, start: Snapshot) -> None:
        """Begin at a start, or go on from a mid-episode snapshot, the schedule with it."""
        self._progress = dict(start.schedule)
        self.inner.reset(replace(start, schedule=()))

    def snapshot(self) -> Snapshot:
        """This moment, how far the schedule is included."""
        return replace(self.inner.snapshot(), schedule=tuple(sorted(self._progress.items())))

    def changes(self) -> Changes:
        """The net change since the episode's start."""
        return self.inner.changes()

    def close(self) -> None:
        """Let go of the backend inside."""
        self.inner.close()

    def call(self, call: ToolCall) -> ToolResult:
        """Execute one call, or let it fare as the schedule says."""
        if call.name == WAIT.name:
            return self._wait(call.arguments)
        tool = self._tools.get(call.name)
        if tool is None:
            return self._unconnected(call.name) if call.name in self._extra else self.inner.call(call)
        for key in (tool.key, _ALL):
            self._add(key, 1)
        for name, fault in self._strikes:
            if fault.tool in ("", tool.key):
                struck = self._struck(name, fault, call, tool)
                if struck is not None:
                    return struck
        return self._shown(self._made(call, tool))

    def _add(self, key: str, number: int) -> None:
        self._progress[key] = self._progress.get(key, 0) + number

    def _wait(self, arguments: Mapping[str, Any] | str) -> ToolResult:
        try:
            seconds = seconds_of(arguments)
        except ArgumentError as error:
            return ToolResult(self.domain.surface.error_content(error.kind, error.message), error.kind)
        self._add(_CLOCK, seconds)
        return ToolResult(orjson.dumps({"waited": seconds}).decode())

    def _unconnected(self, name: str) -> ToolResult:
        return ToolResult(self.domain.surface.error_content("not_connected", f"{name} is not connected here."), "refused", "not_connected")

    def _struck(self, name: str, fault: Struck, call: ToolCall, tool: Tool) -> ToolResult | None:
        """What a call comes to by a fault; None where it is not one that the fault strikes."""
        number = self._progress[fault.tool or _ALL]
        match fault:
            case RateLimit():
                return self._limited(name, fault, number, tool)
            case Unavailable():
                down = fault.nth <= number and (fault.times == 0 or number < fault.nth + fault.times)
                return self._error("unavailable", f"{tool.name} is unavailable at the moment; nothing was done.") if down else None
            case _ if number != fault.nth + self._progress.get(name, 0):
                return None
            case Timeout():
                done = fault.type == "timeout_after" and self._made(call, tool).carried_out
                return replace(self._error("timeout", f"{tool.name} did not answer in time."), unanswered=done)
            case StaleRead():
                return self._stale(name, fault, call, tool) if tool.read_only else None
            case Partial():
                return self._cut(fault, self._shown(self._made(call, tool)), tool)

    def _limited(self, name: str, fault: RateLimit, number: int, tool: Tool) -> ToolResult | None:
        now = self._progress.get(_CLOCK, 0)
        if number >= fault.nth:
            self._progress.setdefault(name, now + fault.retry_after)
        left = self._progress.get(name, now) - now
        if left <= 0:
            return None
        return self._error("rate_limited", f"Too many requests: {tool.name} answers again in {left} seconds.", {"retry_after": left})

    def _stale(self, name: str, fault: StaleRead, call: ToolCall, tool: Tool) -> ToolResult | None:
        """The answer of the old copy; None where that is an error, which cannot say of when it is: then the fault strikes the next call.

        Raises SetupError where the schedule's own SQL cannot be run.
        """
        here, start = self.inner.snapshot(), self.task.start
        self.inner.reset(replace(start, setup=(*start.setup, *fault.copy), schedule=()))
        try:
            result = self._shown(self._made(call, tool))
        finally:
            self.inner.reset(here)
        if result.error is not None:
            self._add(name, 1)
            return None
        return _saying(result, "as_of", fault.as_of)

    def _cut(self, fault: Partial, result: ToolResult, tool: Tool) -> ToolResult:
        """A list without its last rows; what is no list, or not so long, is whole."""
        key = next((key for key, returns in tool.program.returns.items() if returns.many), None)
        if result.error or key is None:
            return result
        value = orjson.loads(result.content)
        rows = value[key] if key else value
        if not isinstance(rows, list) or len(rows) <= fault.keep:
            return result
        kept = rows[: fault.keep]
        return _saying(ToolResult(orjson.dumps({**value, key: kept} if key else kept).decode()), "partial", True)

    def _made(self, call: ToolCall, tool: Tool) -> ToolResult:
        """The call carried out, by the names and with the errors that the tool has in this episode."""
        renamed = [fault for fault in self._renamed if fault.tool == tool.key]
        if not renamed and not self._misled:
            return self.inner.call(call)
        try:
            given = parse_text(call.arguments) if isinstance(call.arguments, str) else dict(call.arguments)
        except ArgumentError:
            return self.inner.call(call)
        for fault in renamed:
            if fault.old in given:
                message = f"There is no argument {fault.old!r}; it is called {fault.new!r} now."
                return ToolResult(self.domain.surface.error_content("unexpected_argument", message), "outdated")
        names = {fault.new: fault.old for fault in renamed}
        result = self.inner.call(ToolCall(call.name, {names.get(name, name): value for name, value in given.items()}))
        return self._worded(result, tool, renamed)

    def _worded(self, result: ToolResult, tool: Tool, renamed: list[ChangedSchema]) -> ToolResult:
        """An error about an argument, by its name of this episode, and not held to be a mistake where the docs had misled."""
        if result.error not in ("missing_argument", "invalid_argument"):
            return result
        content = result.content
        for fault in renamed:
            content = content.replace(f"'{fault.old}'", f"'{fault.new}'").replace(f'"{fault.old} must', f'"{fault.new} must')
        misled = result.error == "missing_argument" and any(key == tool.key and f"'{name}'" in content for key, name in self._misled)
        return replace(result, content=content, error="outdated" if misled else result.error)

    def _shown(self, result: ToolResult) -> ToolResult:
        """A result with what is injected into the rows that it shows."""
        due = [fault for fault in self._injected if f'"{fault.row}"' in result.content] if result.error is None else []
        if not due:
            return result
        value = orjson.loads(result.content)
        for fault in due:
            _inject(value, fault)
        return replace(result, content=orjson.dumps(value).decode())

    def _error(self, kind: ErrorKind, message: str, details: Mapping[str, Any] | None = None) -> ToolResult:
        return ToolResult(self.domain.surface.error_content(kind, message, details or {}), kind)


def _saying(result: ToolResult, key: str, said: Any) -> ToolResult:
    """A result that says something of itself."""
    value = orjson.loads(result.content)
    value = {**value, key: said} if isinstance(value, dict) else {_ROWS: value, key: said}
    return replace(result, content=orjson.dumps(value).decode())


def _inject(value: Any, fault: Injected) -> None:
    """Put the text into every object that is the row."""
    if isinstance(value, list):
        for entry in value:
            _inject(entry, fault)
    elif isinstance(value, dict):
        for entry in value.values():
            _inject(entry, fault)
        if value.get("id") == fault.row:
            value[next((key for key in _NOTES if key not in value), _NOTES[0])] = fault.text
