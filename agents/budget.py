"""What agents spend and may spend, over a whole rollout: in all its processes, and after every resumption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from agents.agent import OutOfBudget


@dataclass(frozen=True, slots=True)
class Spent:
    """What was paid for."""

    tokens: int = 0
    """Of prompts and completions together."""
    money: float = 0.0
    """In the currency of the prices."""

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.tokens + other.tokens, self.money + other.money)

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.tokens - other.tokens, self.money - other.money)


NOTHING = Spent()


@dataclass(frozen=True, slots=True)
class Budget:
    """What an agent may spend in a whole rollout; None: no bound. What a request takes is known after it: each process may pass its part by one."""

    tokens: int | None = None
    money: float | None = None
    prompt_price: float = 0.0
    """Per million tokens."""
    completion_price: float = 0.0
    """Per million tokens."""

    @property
    def priced(self) -> bool:
        """Whether money is counted."""
        return bool(self.prompt_price + self.completion_price)

    def part(self, before: Spent, parts: int) -> Spent | None:
        """One of so many equal parts of what is left after what was spent before; None where nothing is bounded."""
        if self.tokens is None and self.money is None:
            return None
        tokens = _NO_END if self.tokens is None else -(-max(0, self.tokens - before.tokens) // parts)
        money = float("inf") if self.money is None else max(0.0, self.money - before.money) / parts
        return Spent(tokens, money)


_NO_END = 2**62


def of_users(identity: str) -> str:
    """Under which the spending of a model in the users' part is kept: nobody else's identity."""
    return f"user:{identity}"


@dataclass(slots=True, kw_only=True)
class Account:
    """What one spender may spend in this process, and has spent."""

    budget: Budget = Budget()
    spent: Spent = NOTHING
    _allowed: Spent | None = None
    """What it may spend; None: no bound."""

    def __post_init__(self) -> None:
        self.allot(NOTHING, 1)

    def allot(self, before: Spent, parts: int) -> None:
        """From here on spend at most one of so many equal parts of what the budget leaves after what was spent before."""
        self._allowed = self.budget.part(before, parts)

    @property
    def exhausted(self) -> bool:
        """Whether nothing more may be spent."""
        spent, allowed = self.spent, self._allowed
        return allowed is not None and (spent.tokens >= allowed.tokens or spent.money >= allowed.money)

    def check(self, name: str) -> None:
        """Raise OutOfBudget where whoever has this name may spend no more."""
        if self.exhausted:
            raise OutOfBudget(f"{name} has spent {self.spent.tokens} tokens and {self.spent.money:.2f}")

    def pay(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Put down what a request took."""
        money = (prompt_tokens * self.budget.prompt_price + completion_tokens * self.budget.completion_price) / 1e6
        self.spent += Spent(prompt_tokens + completion_tokens, money)


@runtime_checkable
class Spender(Protocol):
    """An agent, or whoever plays users, that costs something; an `Account` is one."""

    spent: Spent
    """In this process, and in those whose place it takes."""

    def allot(self, before: Spent, parts: int) -> None:
        """From here on spend at most one of so many equal parts of what was left after what was spent before."""


@dataclass(frozen=True, slots=True)
class Funds:
    """What the agents of one process have to spend."""

    before: Mapping[str, Spent] = field(default_factory=dict)
    """Spender's identity → what was spent before this call of `rollout`."""
    parts: int = 1
    """Processes that share the rest."""
    own: Mapping[str, Spent] = field(default_factory=dict)
    """Spender's identity → what a process spent that this one takes the place of."""

    def give(self, spenders: Mapping[str, Spender]) -> None:
        """Tell them, by identity."""
        for identity, spender in spenders.items():
            spender.allot(self.before.get(identity, NOTHING), self.parts)
            spender.spent = self.own.get(identity, NOTHING)
