"""The docker backend: a domain's tools run in a container, one confined worker for each episode."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from synthtools.arguments import MAX_BYTES
from synthtools.audit.report import AuditReport
from synthtools.backend import Snapshot
from synthtools.domain import Domain
from synthtools.goal import Changes
from synthtools.sandbox import frames, wire
from synthtools.sandbox.container import Container, how
from synthtools.sandbox.failure import FailureKind, SandboxError
from synthtools.sandbox.pool import Pool, shared_pool
from synthtools.tool import ToolCall, ToolResult

T = TypeVar("T")
_AUDIT_SECONDS = 1800.0
_MOST = 4 * 1024 * 1024
"""Bytes of one call's arguments that go into a container; more are `too_large`, however they are spread over a mapping."""
_KINDS: Mapping[int, FailureKind] = {signal.SIGXCPU: "timeout", signal.SIGKILL: "memory"}
"""Signal that ended a worker in the middle of a call → what that means; any other: it crashed."""


class DockerBackend:
    """Implements `Backend`. An agent's mistake is a result; anything else is a SandboxError, after which only `reset` goes on."""

    def __init__(self, domain: Domain, *, pool: Pool | None = None) -> None:
        """Raises EngineError where there is no engine to use."""
        self.domain = domain
        self.pool = pool or shared_pool()
        self._process = os.getpid()
        self._container: Container | None = None
        self._link: socket.socket | None = None
        self._worker = 0
        self._numbers = itertools.count(1)
        self._ahead: tuple[ToolCall, int] | None = None
        """A call that was sent ahead, and its number."""

    def reset(self, start: Snapshot) -> None:
        """Begin at a start, or go on from a mid-episode snapshot, in a fresh worker. Raises ValueError for another domain's."""
        if start.domain != self.domain.digest:
            raise ValueError(f"a snapshot of another domain, or of another version of {self.domain.name}")
        if self._process != os.getpid():
            raise SandboxError("lost", "this backend belongs to the process that forked; open another")
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
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            return self._read(wire.result, self._ask("call", *_plain_call(call)))
        if ahead[0] != call:
            raise ValueError(f"{ahead[0].name} was announced, and {call.name} is called")
        return self.result(ahead[1], time.monotonic() + self.pool.limits.call_seconds)

    def announce(self, call: ToolCall) -> None:
        """Send a call ahead; `call` then takes its result. So that many episodes can be in flight in one thread."""
        self._ahead = (call, self.post_call(call))

    def post_call(self, call: ToolCall) -> int:
        """Send a call without waiting for its result; gives its number. So that many episodes can be in flight."""
        return self._post("call", *_plain_call(call))

    def result(self, number: int, deadline: float) -> ToolResult:
        """The result of a posted call, by a total deadline (a `time.monotonic()`)."""
        return self._read(wire.result, self._take(number, deadline))

    def calls(self, calls: Sequence[ToolCall]) -> list[ToolResult]:
        """Execute calls one after another, in one round trip; the deadline is that of one call."""
        return self._read(partial(wire.results, count=len(calls)), self._ask("calls", [_plain_call(call) for call in calls]))

    def snapshot(self) -> Snapshot:
        """This moment, to `reset` to later, in this backend or another."""
        return self._read(partial(wire.snapshot, digest=self.domain.digest), self._ask("snapshot"))

    def changes(self) -> Changes:
        """The net change since the episode's start, also in a fork."""
        return self._read(partial(wire.changes, domain=self.domain), self._ask("changes"))

    def audit(self, *, thorough: bool = True, seed: int = 0) -> AuditReport:
        """The audit of a compiled domain, run whole inside the container."""
        self.close()
        self._open(None)
        return self._read(wire.report, self._ask("audit", thorough, seed, seconds=_AUDIT_SECONDS))

    def describe(self) -> dict[str, Any]:
        """What a toolkit's code says of itself, as data from a stranger."""
        self.close()
        self._open(None)
        return self._read(wire.description, self._ask("describe", seconds=self.pool.limits.start_seconds))

    def close(self) -> None:
        """End the episode's worker; may be called twice."""
        if self._link is not None:
            self._link.close()
        if self._container is not None and self._process == os.getpid():
            self._container.release(self._worker)
        self._link = self._container = self._ahead = None

    def __del__(self) -> None:
        if getattr(self, "_link", None) is not None:
            self.close()

    def _ask(self, order: str, *arguments: Any, seconds: float = 0.0) -> Any:
        number = self._post(order, *arguments)
        return self._take(number, time.monotonic() + (seconds or self.pool.limits.call_seconds))

    def _post(self, order: str, *arguments: Any) -> int:
        if self._link is None or self._process != os.getpid():
            raise SandboxError("lost", "no episode is running in this process: reset first")
        number = next(self._numbers)
        deadline = time.monotonic() + self.pool.limits.call_seconds
        try:
            frames.send(self._link, frames.pack_order((number, order, *arguments)), deadline)
        except (frames.Closed, TimeoutError):
            raise self._death("the worker takes no more orders") from None
        return number

    def _take(self, number: int, deadline: float) -> Any:
        """The answer to an order, within a total deadline (a `time.monotonic()`). Raises SandboxError."""
        assert self._link is not None
        try:
            answer = frames.unpack_answer(frames.receive(self._link, deadline))
        except TimeoutError:
            raise self._failure("timeout", "the call took longer than a call may take") from None
        except frames.Closed:
            raise self._death("the worker ended in the middle of a call") from None
        except frames.Garbled as error:
            raise self._failure("protocol", f"the worker does not speak as it should: {error}"[:300]) from None
        match answer:
            case [int(given), "ok", value] if given == number:
                return value
            case [int(given), "fault", "memory" | "tool" | "crashed" as kind, str(line)] if given in (number, 0):
                raise self._failure(kind, " ".join(line.split())[:300])
        raise self._failure("protocol", "the worker does not speak as it should: an answer of no known shape, or to another order")

    def _read(self, reader: Callable[[Any], T], answer: Any) -> T:
        try:
            return reader(answer)
        except frames.Garbled as error:
            raise self._failure("protocol", f"the worker does not speak as it should: {error}"[:300]) from None

    def _death(self, what: str) -> SandboxError:
        """The worker is gone: the supervisor knows how it ended."""
        container = self._container
        status, lingered = container.end(self._worker) if container is not None else (-1, False)
        self._container = None
        kind: FailureKind = "lost" if status < 0 else "crashed"
        if status > 0 and os.WIFSIGNALED(status) and not lingered:
            kind = _KINDS.get(os.WTERMSIG(status), kind)
        return self._failure(kind, f"{what}: {how(status, lingered)}")

    def _failure(self, kind: FailureKind, message: str) -> SandboxError:
        """The failure to raise; the episode's worker is ended."""
        self.close()
        return SandboxError(kind, message)


def together(calls: Sequence[tuple[DockerBackend, ToolCall]]) -> Iterator[ToolResult | SandboxError]:
    """One call in each of many episodes, all in flight at once; results in order, a failure in its place."""
    posted: list[int | SandboxError] = []
    for backend, call in calls:
        try:
            posted.append(backend.post_call(call))
        except SandboxError as error:
            posted.append(error)
    deadline = time.monotonic() + max((b.pool.limits.call_seconds for b, _ in calls), default=0.0)
    for (backend, _), number in zip(calls, posted, strict=True):
        if isinstance(number, SandboxError):
            yield number
            continue
        try:
            yield backend.result(number, deadline)
        except SandboxError as error:
            yield error


def _plain_call(call: ToolCall) -> tuple[str, Any]:
    """A call as plain values. What is no plain value stays none, what is too long stays so: both are refused inside as they would be here."""
    name, arguments = str(call.name)[:1000], call.arguments
    if isinstance(arguments, str):
        return name, str(arguments)[: MAX_BYTES + 1]
    plain = wire.plain(arguments)
    return name, plain if len(frames.pack_order(plain)) <= _MOST else " " * (MAX_BYTES + 1)


def describe_contained(domain: Domain, pool: Pool | None = None) -> Mapping[str, Any]:
    """What an untrusted toolkit's code says of itself, asked in a container."""
    backend = DockerBackend(domain, pool=pool)
    try:
        return backend.describe()
    finally:
        backend.close()
