"""A backend beside the local one: every call is carried out in both, so that what is proven here holds there."""

from __future__ import annotations

from synthtools.backend import Backend, LocalBackend, Snapshot
from synthtools.goal import Changes
from synthtools.tool import ToolCall, ToolResult


class Unlike(RuntimeError):
    """Our bug: the same call came to something else in another backend."""


class MirroredBackend:
    """Implements `Backend`; what the two do not agree on is raised as Unlike."""

    def __init__(self, local: LocalBackend, other: Backend) -> None:
        self.local, self.other = local, other

    def reset(self, start: Snapshot) -> None:
        """Begin at a start in both."""
        self.local.reset(start)
        self.other.reset(start)

    def call(self, call: ToolCall) -> ToolResult:
        """Execute one call in both."""
        here, there = self.local.call(call), self.other.call(call)
        if here != there:
            raise Unlike(f"{call.name}: {here.content[:100]} here, {there.content[:100]} there")
        return here

    def snapshot(self) -> Snapshot:
        """This moment."""
        here, there = self.local.snapshot(), self.other.snapshot()
        if here != there:
            raise Unlike("the snapshots of two backends differ")
        return here

    def changes(self) -> Changes:
        """The net change since the episode's start."""
        here, there = self.local.changes(), self.other.changes()
        if here != there:
            raise Unlike("the net changes in two backends differ")
        return here

    def close(self) -> None:
        """Let go of both; may be called twice."""
        self.local.close()
        self.other.close()
