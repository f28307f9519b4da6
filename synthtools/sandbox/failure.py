"""What can go wrong in a sandbox: one exception, with a kind from a closed list."""

from __future__ import annotations

from typing import Literal

FailureKind = Literal["timeout", "crashed", "memory", "tool", "protocol", "lost"]
"""`timeout`: over its total deadline, or its processor time; `crashed`: the worker died; `memory`: of want of memory;
`tool`: the tool raised what is no refusal; `protocol`: it answered what is no answer; `lost`: the container is gone."""


class SandboxError(RuntimeError):
    """A call that came to nothing on our side: the episode is over, counted, and never scored."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind: FailureKind = kind

    def __reduce__(self) -> tuple[type[SandboxError], tuple[FailureKind, str]]:
        return SandboxError, (self.kind, str(self).partition(": ")[2])
