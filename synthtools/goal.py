"""What success means: net changes to the world and an ending, and the one function that judges them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from synthtools.tool import Scalar

Outcome = Literal["done", "impossible", "not_allowed"]
OUTCOMES: tuple[Outcome, ...] = ("done", "impossible", "not_allowed")


@dataclass(frozen=True, slots=True)
class Change:
    """The net change of one row since the episode's start."""

    table: str
    op: Literal["insert", "update", "delete"]
    key: str
    before: Mapping[str, Scalar]
    """delete: the whole row; update: the changed columns; insert: empty."""
    after: Mapping[str, Scalar]
    """insert: the whole row; update: the changed columns; delete: empty."""


Changes = tuple[Change, ...]
"""Net changes, sorted by (table, op, key)."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How an agent ended the episode: the arguments of `finish`."""

    answer: Any = None
    outcome: str = "done"
    about: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A typed answer that a request asks for."""

    type: Literal["number", "money", "date", "id", "ids", "word"]
    value: Any
    """number: int or float; money: integer cents; date: ISO day; id, word: text; ids: sorted list of text."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """One sound way to end: exactly these changes, and this ending."""

    changes: Changes
    outcome: Outcome = "done"
    about: str = ""
    answer: Answer | None = None
    check: str = ""
    """`checks.py:function` of a toolkit: decides over the net changes, in place of `changes`."""


@dataclass(frozen=True, slots=True)
class Goal:
    """Success: any one of these alternatives, all of it and nothing else."""

    alternatives: tuple[Alternative, ...]

    def __post_init__(self) -> None:
        if not self.alternatives:
            raise ValueError("a goal needs at least one alternative: a task without a goal cannot be constructed")


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether an episode met its goal, and if not, what is nearest at fault."""

    success: bool
    reason: Literal[
        "", "no_ending", "wrong_outcome", "wrong_about", "wrong_answer", "missing_change", "extra_change", "wrong_change", "broken_rule"
    ] = ""
