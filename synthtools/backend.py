"""A backend executes tool calls against a world; the local one runs in process on SQLite."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Protocol

import apsw

from synthtools.domain import Domain
from synthtools.execute import CallFailed, CallTooLarge, ToolProgram
from synthtools.goal import Changes
from synthtools.populate import DEFAULT_ROWS, world_image
from synthtools.tool import ToolCall, ToolResult
from synthtools.world import Image, World


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A moment of an episode: the start's identity, the net change so far, the clock and the id counters."""

    domain: str
    """The domain's digest."""
    world: int
    """Which start world."""
    setup: tuple[str, ...] = ()
    """SQL run on the start world before the episode begins; not part of its net change."""
    delta: bytes = b""
    """Net change since the episode's start, as a SQLite changeset; empty at the start itself."""
    now: str = ""
    """The world's clock, ISO date-time; empty: the domain's own start."""
    counters: tuple[tuple[str, int], ...] = ()
    """entity → ids given out so far."""
    schedule: tuple[tuple[str, int], ...] = ()
    """How far the task's faults are: name → number; empty at the start, and where there are none."""


class Backend(Protocol):
    """Executes tool calls. Never raises for the agent's mistakes."""

    def reset(self, start: Snapshot) -> None:
        """Begin at a start, or go on from a mid-episode snapshot."""

    def call(self, call: ToolCall) -> ToolResult:
        """Execute one call; a failed call has changed nothing."""

    def snapshot(self) -> Snapshot:
        """This moment, to `reset` to later, in this backend or another."""

    def changes(self) -> Changes:
        """The net change since the episode's start, also in a fork."""

    def close(self) -> None:
        """Let go of connections; may be called twice."""


STOPPED = (apsw.InterruptError, apsw.TooBigError, apsw.FullError, apsw.SQLError, apsw.MismatchError, UnicodeError, CallTooLarge, CallFailed)
"""What a call can come to by its arguments: a bound, or data that SQL cannot work with (bad JSON, an overflow, text that is no Unicode)."""


class ReplayError(RuntimeError):
    """Our bug: an episode's own calls, played again, no longer do what they did."""


class LocalBackend:
    """Compiled domains, in this process: one open connection a start world, episodes rolled back rather than rebuilt."""

    def __init__(self, domain: Domain, *, rows: int = DEFAULT_ROWS, image: Callable[[Domain, int, int], Image] = world_image) -> None:
        """`image` gives the start world of a domain, a number and about so many rows."""
        self.domain = domain
        self.rows = rows
        self._image = image
        self._programs = programs(domain)
        self._worlds: dict[int, World] = {}
        self._start: Snapshot | None = None
        self._log: list[ToolCall] = []
        self.world: World

    def reset(self, start: Snapshot) -> None:
        """Begin at a start, or go on from a mid-episode snapshot. Raises ValueError for another domain's."""
        if start.domain != self.domain.digest:
            raise ValueError(f"a snapshot of another domain, or of another version of {self.domain.name}")
        world = self._worlds.get(start.world) or self.open(start.world)
        world.begin(start.setup)
        if start.delta or start.now or start.counters:
            world.apply(start.delta, start.now, dict(start.counters))
        self.world = world
        self._start = start
        self._log.clear()

    def open(self, number: int) -> World:
        """A start world, made ready for episodes in it."""
        world = self._worlds[number] = World(self.domain, self._image(self.domain, number, self.rows))
        return world

    def call(self, call: ToolCall) -> ToolResult:
        """Execute one call; a failed call has changed nothing."""
        program = self._programs.get(call.name)
        if program is None:
            return ToolResult(self.domain.surface.error_content("unknown_tool", f"There is no tool {_shown(call.name)}."), "unknown_tool")
        try:
            result = program.run(self.world, call.arguments)
        except apsw.InterruptError:
            self._recover()
            result = self._run_anew(program, call)
        except STOPPED as stop:
            self._recover()
            return self._stopped(stop)
        if result.error is None and not program.tool.read_only:
            self._log.append(own_call(call))
        return result

    def _run_anew(self, program: ToolProgram, call: ToolCall) -> ToolResult:
        """Whether a call that was interrupted is beyond the bound, whatever ran before it: again, counted from zero."""
        try:
            with self.world.connection.uncached():
                return program.run(self.world, call.arguments)
        except STOPPED as stop:
            self._recover()
            return self._stopped(stop)

    def _stopped(self, stop: Exception) -> ToolResult:
        """The answer to a call that did not come to its end; nothing has changed."""
        if isinstance(stop, CallTooLarge):
            return ToolResult(self.domain.surface.error_content("limit", str(stop)), "limit")
        if isinstance(stop, apsw.InterruptError | apsw.TooBigError | apsw.FullError):
            return ToolResult(self.domain.surface.error_content("limit", "The call took more than a call may take."), "limit")
        return ToolResult(self.domain.surface.error_content("failed", "The tool failed on these arguments; nothing has changed."), "failed")

    def _recover(self) -> None:
        """After a call that was stopped: where its transaction is gone, the episode's start again, and the calls that had succeeded."""
        if self.world.connection.in_transaction:
            return
        log = tuple(self._log)
        self.reset(self.start)
        for call in log:
            result = self.call(call)
            if result.error is not None:
                raise ReplayError(f"{self.domain.name}: {call} was accepted and, played again, is not: {result.content}")

    @property
    def start(self) -> Snapshot:
        """Where the episode began. Raises RuntimeError before the first reset."""
        if self._start is None:
            raise RuntimeError("no episode: reset first")
        return self._start

    def snapshot(self) -> Snapshot:
        """This moment, to `reset` to later, in this backend or another."""
        if self._start is None:
            raise RuntimeError("no episode: reset first")
        world = self.world
        return replace(self._start, delta=world.delta(), now=world.now, counters=tuple(sorted(world.counters.items())))

    def changes(self) -> Changes:
        """The net change since the episode's start, also in a fork."""
        return self.world.changes()

    def close(self) -> None:
        """Let go of connections; may be called twice."""
        for world in self._worlds.values():
            world.close()
        self._worlds.clear()


def own_call(call: ToolCall) -> ToolCall:
    """The call with arguments that nobody else can change afterwards."""
    arguments = call.arguments
    if isinstance(arguments, str):
        return call
    return ToolCall(call.name, {k: deepcopy(v) if isinstance(v, list | dict) else v for k, v in arguments.items()})


def _shown(name: object) -> str:
    text = str(name)[:60]
    return repr("".join(c if c.isprintable() else "?" for c in text))


_programs: dict[str, dict[str, ToolProgram]] = {}


def programs(domain: Domain) -> dict[str, ToolProgram]:
    """A domain's tools made ready to run, by shown name; made once a process."""
    made = _programs.get(domain.digest)
    if made is None:
        made = _programs[domain.digest] = {name: ToolProgram(domain, tool) for name, tool in domain.tools.items()}
    return made
