"""An agent that acts in one episode at a time, as one that can be asked in several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agents.agent import Agent, Opening, Turn


@dataclass(slots=True)
class SoloSeat:
    """The one place there is: what was heard, to be handed on when the agent is asked."""

    agent: Agent
    heard: list[Sequence[str]] = field(default_factory=list)
    asked: bool = False
    """The agent has acted on what was heard last."""

    def take(self, turn: Turn) -> None:
        """Agents of this kind go by results alone: one that was not asked for this turn is asked now, so that it counts along."""
        if not self.asked:
            self.answer()
        self.asked = False

    def hear(self, observations: Sequence[str]) -> None:
        """The results of the last turn."""
        self.heard.append(observations)

    def answer(self) -> Turn:
        """The agent's turn after what was heard last."""
        self.asked = True
        return self.agent.act(self.heard[-1])


@dataclass(slots=True)
class Solo:
    """Lets an agent be asked along a path that is not its own: it is told the results, and takes them for those of its own calls."""

    agent: Agent
    batch: int = 1

    def seat(self, opening: Opening) -> SoloSeat:
        """Begin an episode; the last one is over."""
        self.agent.begin(opening)
        return SoloSeat(self.agent, [[f"{opening.briefing}\n\n{opening.request}"]])

    def answer(self, seats: Sequence[SoloSeat]) -> list[Turn]:
        """The agent's next turn."""
        return [seat.answer() for seat in seats]
