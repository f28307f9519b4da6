"""The docker backend: a domain's tools run in a container, one confined worker for each episode."""

from __future__ import annotations

import base64
import itertools
import os
import signal
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from synthtools.arguments import MAX_BYTES
from synthtools.audit.report import AuditReport
from synthtools.backend import Snapshot
from synthtools.domain import Domain
from synthtools.goal import Changes
from synthtools.sandbox import frames, wire
from synthtools.sandbox.container import Container, how
from synthtools.sandbox.failure import SandboxError
from synthtools.sandbox.pool import Pool, shared_pool
from synthtools.tool import ToolCall, ToolResult

_AUDIT_SECONDS = 1800.0


class DockerBackend:
    """Implements `Backend`. An agent's mistake is a result; anything else is a SandboxError, after which only `reset` goes on."""

    def __init__(self, domain: Domain, *, pool: Pool | None = None) -> None:
        """Raises EngineError where there is no engine to use."""
        self.domain = domain
        self.pool = pool or shared_pool()
        self._container: Container | None = None
        self._link: socket.socket | None = None
        self._worker = 0
        self._numbers = itertools.count(1)

    def reset(self, start: Snapshot) -> None:
        """Begin at a start, or go on from a mid-episode snapshot, in a fresh worker. Raises ValueError for another domain's."""
        if start.domain != self.domain.digest:
            raise ValueError(f"a snapshot of another domain, or of another version of {self.domain.name}")
        self.close()
        self._open(start.world)
        setup, counters = list(start.setup), [tuple(counter) for counter in start.counters]
        self._ask("reset", start.domain, start.world, setup, start.delta, start.now, counters, seconds=self.pool.limits.start_seconds)

    def _open(self, world: int | None) -> None:
        container = self.pool.container(self.domain)
        container.prepare(self.domain, world)
        self._worker, self._link = container.start(self.domain.digest)
        self._container = container

    def call(self, call: ToolCall) -> ToolResult:
        """Execute one call; a failed call has changed nothing."""
        return wire.result(self._ask("call", *_plain_call(call)), self._broken)

    def calls(self, calls: Sequence[ToolCall]) -> list[ToolResult]:
        """Execute calls one after another, in one round trip; the deadline is that of one call."""
        answer = self._ask("calls", [_plain_call(call) for call in calls])
        if not isinstance(answer, list) or len(answer) != len(calls):
            self._broken("a number of results that is not the number of calls")
        return [wire.result(parts, self._broken) for parts in answer]

    def snapshot(self) -> Snapshot:
        """This moment, to `reset` to later, in this backend or another."""
        return wire.snapshot(self._ask("snapshot"), self.domain.digest, self._broken)

    def changes(self) -> Changes:
        """The net change since the episode's start, also in a fork."""
        return wire.changes(self._ask("changes"), self.domain, self._broken)

    def audit(self, *, thorough: bool = True, seed: int = 0) -> AuditReport:
        """The audit of a compiled domain, run whole inside the container."""
        self.close()
        self._open(None)
        return wire.report(self._ask("audit", thorough, seed, seconds=_AUDIT_SECONDS), self._broken)

    def describe(self) -> dict[str, Any]:
        """What a toolkit's code says of itself, as data from a stranger."""
        self.close()
        self._open(None)
        answer = self._ask("describe", seconds=self.pool.limits.start_seconds)
        if not isinstance(answer, dict):
            self._broken("a description that is none")
        return answer

    def close(self) -> None:
        """End the episode's worker; may be called twice."""
        if self._link is not None:
            self._link.close()
        if self._container is not None:
            self._container.end(self._worker)
        self._link = self._container = None

    def _ask(self, order: str, *arguments: Any, seconds: float = 0.0) -> Any:
        number = self.post(order, *arguments)
        return self.take(number, time.monotonic() + (seconds or self.pool.limits.call_seconds))

    def post(self, order: str, *arguments: Any) -> int:
        """Send an order without waiting; gives its number. So that many episodes can be in flight."""
        if self._link is None:
            raise SandboxError("lost", "no episode is running: reset first")
        number = next(self._numbers)
        deadline = time.monotonic() + self.pool.limits.call_seconds
        try:
            frames.send(self._link, frames.pack_order((number, order, *arguments)), deadline)
        except (frames.Closed, TimeoutError):
            self._died("the worker takes no more orders")
        return number

    def take(self, number: int, deadline: float) -> Any:
        """The answer to an order, within a total deadline (a `time.monotonic()`). Raises SandboxError."""
        assert self._link is not None
        try:
            answer = frames.unpack_answer(frames.receive(self._link, deadline))
        except TimeoutError:
            self._fail("timeout", "the call took longer than a call may take")
        except frames.Closed:
            self._died("the worker ended in the middle of a call")
        except frames.Garbled as error:
            self._broken(str(error))
        match answer:
            case [int(given), "ok", value] if given == number:
                return value
            case [int(given), "fault", "memory" | "tool" as kind, str(line)] if given == number:
                self._fail(kind, line[:300])
        self._broken("an answer of no known shape, or to another order")

    def _broken(self, what: str) -> NoReturn:
        self._fail("protocol", f"the worker does not speak as it should: {what}"[:300])

    def _died(self, what: str) -> NoReturn:
        """The worker is gone: the supervisor knows how it ended."""
        container = self._container
        status = container.end(self._worker) if container is not None else -1
        self._container = None
        if status < 0:
            self._fail("lost", f"{what}: the container is gone")
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        kind = {signal.SIGXCPU: "timeout", signal.SIGKILL: "memory"}.get(number, "crashed") if number else "crashed"
        self._fail(kind, f"{what}: {how(status)}")

    def _fail(self, kind: Any, message: str) -> NoReturn:
        self.close()
        raise SandboxError(kind, message)


def together(calls: Sequence[tuple[DockerBackend, ToolCall]]) -> Iterator[ToolResult | SandboxError]:
    """One call in each of many episodes, all in flight at once; results in order, a failure in its place."""
    posted: list[int | SandboxError] = []
    for backend, call in calls:
        try:
            posted.append(backend.post("call", *_plain_call(call)))
        except SandboxError as error:
            posted.append(error)
    deadline = time.monotonic() + max((b.pool.limits.call_seconds for b, _ in calls), default=0.0)
    for (backend, _), number in zip(calls, posted, strict=True):
        if isinstance(number, SandboxError):
            yield number
            continue
        try:
            yield wire.result(backend.take(number, deadline), backend._broken)
        except SandboxError as error:
            yield error


def _plain_call(call: ToolCall) -> tuple[str, Any]:
    """A call as plain values; what is no plain value stays none, and is refused inside as it would be here."""
    name, arguments = str(call.name)[:1000], call.arguments
    if isinstance(arguments, str):
        return name, str(arguments)[: MAX_BYTES + 1]
    return name, wire.plain(arguments)


def describe_contained(domain: Domain, pool: Pool | None = None) -> Mapping[str, Any]:
    """What an untrusted toolkit's code says of itself, asked in a container."""
    backend = DockerBackend(domain, pool=pool)
    try:
        return backend.describe()
    finally:
        backend.close()
