"""A task: a request, a start, a goal and a reference solution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

from synthtools.backend import Snapshot
from synthtools.calculator import calculate
from synthtools.fault import Fault
from synthtools.goal import Goal
from synthtools.rule import Rule
from synthtools.tool import ToolCall
from synthtools.user import User

KINDS = (
    *("single", "chain", "several", "conditional", "question", "missing_tool", "forbidden"),
    *("missing_information", "confirmation", "identity", "dual_control", "recovery"),
)
"""Kinds of task generated now."""


STATED = "*"
"""Instead of words: a value that a workflow's own words state, however they are put."""


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
    said: Mapping[str, str] = dataclass_field(default_factory=dict)
    """Value (as JSON text) → how the request says it, or the user: what grounds the solution's literals."""
    user: User | None = None
    """Whom the agent can talk to; None: nobody, and text alone ends the episode."""
    rules: tuple[Rule, ...] = ()
    """What must come before what, besides the goal; the briefing lists them with the policies."""
    faults: tuple[Fault, ...] = ()
    """What goes wrong on purpose, and when."""


def resolve(step: SolutionStep, results: Sequence[Any]) -> ToolCall:
    """The call that a solution step makes, after the JSON results of the steps before it.

    Raises LookupError when a result lacks what the step refers to.
    """
    return ToolCall(step.name, {name: value_of(argument, results) for name, argument in step.arguments.items()})


def value_of(argument: Any, results: Sequence[Any]) -> Any:
    """The value of an argument after these results."""
    if isinstance(argument, Ref):
        value = results[argument.step]
        for part in argument.path:
            try:
                value = value[part]
            except (TypeError, KeyError, IndexError):
                raise LookupError(f"result {argument.step} has no {argument.path}") from None
        return value
    if isinstance(argument, Derived):
        return derive_value(argument, results)
    if isinstance(argument, list | tuple):
        return [value_of(entry, results) for entry in argument]
    return argument


def derive_value(derived: Derived, results: Sequence[Any]) -> Any:
    """The value of a derivation after these results. Raises LookupError."""
    return calculate(derived.sql, {name: value_of(argument, results) for name, argument in derived.uses.items()})


def refs(argument: Any) -> Iterator[Ref]:
    """Every Ref inside an argument."""
    if isinstance(argument, Ref):
        yield argument
    elif isinstance(argument, Derived):
        for inner in argument.uses.values():
            yield from refs(inner)
    elif isinstance(argument, list | tuple):
        for inner in argument:
            yield from refs(inner)
