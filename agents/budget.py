"""What agents spend and may spend, over a whole rollout: in all its processes, and after every resumption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


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

    def part(self, before: Spent, parts: int) -> Spent | None:
        """One of so many equal parts of what is left after what was spent before; None where nothing is bounded."""
        if self.tokens is None and self.money is None:
            return None
        tokens = _NO_END if self.tokens is None else -(-max(0, self.tokens - before.tokens) // parts)
        money = float("inf") if self.money is None else max(0.0, self.money - before.money) / parts
        return Spent(tokens, money)


_NO_END = 2**62


@runtime_checkable
class Spender(Protocol):
    """An agent that costs something."""

    spent: Spent
    """In this process, and in those whose place it takes."""

    def allot(self, before: Spent, parts: int) -> None:
        """From here on spend at most one of so many equal parts of what was left after what was spent before."""


@dataclass(frozen=True, slots=True)
class Funds:
    """What the agents of one process have to spend."""

    before: Mapping[str, Spent] = field(default_factory=dict)
    """Agent's identity → what was spent before this call of `rollout`."""
    parts: int = 1
    """Processes that share the rest."""
    own: Mapping[str, Spent] = field(default_factory=dict)
    """Agent's identity → what a process spent that this one takes the place of."""

    def give(self, agents: Mapping[str, object]) -> None:
        """Tell those of the agents (by identity) that spend."""
        for identity, agent in agents.items():
            if isinstance(agent, Spender):
                agent.allot(self.before.get(identity, NOTHING), self.parts)
                agent.spent = self.own.get(identity, NOTHING)
