"""A worker: serves one episode's backend over its connection, inside the container."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from synthtools.backend import Backend, Snapshot
from synthtools.codec import changes_to_json
from synthtools.domain import Domain
from synthtools.sandbox import frames
from synthtools.tool import ToolCall, ToolResult

Answer = list[Any]
"""`[number, "ok", value]` or `[number, "fault", kind, line]`."""


class Server:
    """Answers orders about one episode."""

    def __init__(self, domain: Domain, backend: Backend | None) -> None:
        self.domain = domain
        self._backend = backend
        self._orders: Mapping[str, Callable[..., Any]] = {
            "reset": self.reset,
            "call": self.call,
            "calls": self.calls,
            "snapshot": self.snapshot,
            "changes": self.changes,
            "audit": self.audit,
            "describe": self.describe,
        }

    @property
    def backend(self) -> Backend:
        """The episode's backend; a toolkit's code runs for the first time here."""
        if self._backend is None:
            from synthtools.backends import in_process

            self._backend = in_process(self.domain)
        return self._backend

    def answer(self, order: tuple[Any, ...]) -> Answer:
        """Obey one order. What a tool raises is a fault of the tool, told in one line."""
        number, name, *arguments = order
        try:
            return [number, "ok", self._orders[name](*arguments)]
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything, and the host is told of it
            if isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError):
                return [number, "fault", "memory", "the tool's memory is used up"]
            return [number, "fault", "tool", _line(error)]

    def reset(self, digest: str, world: int, setup: list[str], delta: bytes, now: str, counters: list[tuple[str, int]]) -> None:
        """Begin the episode."""
        self.backend.reset(Snapshot(digest, world, tuple(setup), delta, now, tuple(counters)))

    def call(self, name: str, arguments: Mapping[str, Any] | str) -> list[Any]:
        """One tool call."""
        return result_parts(self.backend.call(ToolCall(name, arguments)))

    def calls(self, calls: list[tuple[str, Mapping[str, Any] | str]]) -> list[list[Any]]:
        """Several tool calls, one after another, in one frame."""
        return [self.call(name, arguments) for name, arguments in calls]

    def snapshot(self) -> dict[str, Any]:
        """This moment."""
        moment = asdict(self.backend.snapshot())
        return {**moment, "delta": base64.b64encode(moment["delta"]).decode()}

    def changes(self) -> list[dict[str, Any]]:
        """The net change since the episode's start."""
        return changes_to_json(self.backend.changes())

    def audit(self, thorough: bool, seed: int) -> dict[str, Any]:
        """The whole audit of a compiled domain, here inside."""
        from synthtools.audit import audit_domain

        return asdict(audit_domain(self.domain, thorough=thorough, seed=seed))

    def describe(self) -> dict[str, Any]:
        """What a toolkit's code says of itself."""
        from synthtools.toolkit.describe import describe

        if self.domain.toolkit is None:
            raise ValueError("a compiled domain is not described by its code")
        return describe(self.domain.toolkit)


def result_parts(result: ToolResult) -> list[Any]:
    """A result as plain data."""
    return [result.content, result.error, result.reason]


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300].encode("utf-8", "replace").decode()


def serve(link: socket.socket, domain: Domain, backend: Backend | None) -> None:
    """Answer orders until the host closes the connection."""
    server = Server(domain, backend)
    while True:
        answer = server.answer(frames.unpack_order(frames.receive(link)))
        try:
            payload = frames.pack_answer(answer)
        except (TypeError, ValueError, RecursionError) as error:
            payload = frames.pack_answer([answer[0], "fault", "tool", _line(error)])
        frames.send(link, payload)
