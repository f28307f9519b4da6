"""A task: a request, a start, a goal and a reference solution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synthtools.backend import Snapshot
from synthtools.goal import Goal
from synthtools.tool import ToolCall

KINDS = ("single", "chain", "several", "conditional", "question", "missing_tool", "forbidden")
"""Kinds of task generated now."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A value found in an earlier result: the number of the call (from 0) and the path into its JSON."""

    step: int
    path: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Derived:
    """A value that follows from others by SQL (`date(:arrives, '+4 days')`)."""

    sql: str
    uses: Mapping[str, Any]
    """Name → value, Ref or Derived."""


@dataclass(frozen=True, slots=True)
class SolutionStep:
    """One call of a reference solution; an argument is a value, a Ref, a Derived, or a list of these."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """One proven task."""

    id: str
    """`marina_berths/chain/0043`."""
    domain: str
    """The domain's name (its subdomain)."""
    field: str
    split: str
    kind: str
    difficulty: int
    start: Snapshot
    withheld: tuple[str, ...]
    """Keys of tools that this task's agent is not given."""
    request: str
    goal: Goal
    solution: tuple[SolutionStep, ...]
    """Ends with `finish`."""
    twin: str = ""
    """Id of the task with the same request whose right end is the opposite."""
    skeleton: str = ""
    """The request with its values masked."""
    given: Mapping[str, str] = None  # type: ignore[assignment]


def resolve(step: SolutionStep, results: Sequence[Any]) -> ToolCall:
    """The call that a solution step makes, after the JSON results of the steps before it."""
    raise NotImplementedError
