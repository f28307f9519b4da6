"""Rewards: success at the end, a potential over the goal's changes on the way, or the user's own function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from synthtools.goal import Changes, Ending
from synthtools.task import Task
from synthtools.tool import ToolResult

RewardFunction: TypeAlias = Callable[[Task, Changes, Ending | None, ToolResult], float]
"""Called after every step with the task, the net change so far, how the agent ended (None: not yet) and the step's result."""
Reward: TypeAlias = Literal["success", "shaped"] | RewardFunction

ERROR_COST = 0.02
"""What a call that came to an error of the agent's own costs in the shaped reward."""


@dataclass(slots=True)
class Shaping:
    """Potential-based shaping (Ng, Harada and Russell, 1999) over the share of the goal's changes that are present.

    The potential is measured from the episode's start and settles at its end to 1 for success and 0 for anything else, running out of
    steps included. So an episode's rewards add up to success less the cost of its errors, whatever was done and undone on the way.
    """

    start: float
    """The share that is present before anything was done."""
    level: float = 0.0
    """The potential that has been paid out."""

    def advance(self, level: float, failed: bool) -> float:
        """The reward of a step that leads to this potential; `failed`: the call was a mistake."""
        gained = level - self.level
        self.level = level
        return gained - ERROR_COST if failed else gained
