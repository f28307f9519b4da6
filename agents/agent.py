"""An agent: observation to tool calls; the scripted ones that every run has."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np

from envs.spaces import draw_value
from envs.speech import finish_call
from synthtools.goal import Outcome
from synthtools.task import Task
from synthtools.tool import ToolCall

SCRIPTED = ("solution", "random", "finish", "refuse", "impossible", "echo", "rule")
"""The agents that need no model, in the order of summaries."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What an agent is given when an episode begins. Nothing in it tells the goal."""

    task: str
    """The task's id."""
    briefing: str
    """Today's date and the policies."""
    request: str
    tools: Sequence[Mapping[str, Any]]
    """Schemas as chat models take them, `finish` among them."""
    seed: int
    """For what the agent draws."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What an agent does at once: calls that are made in order, and what it says beside them."""

    calls: tuple[ToolCall, ...]
    text: str = ""
    tokens: int = 0
    spoken: bool = False
    """Text alone, standing for `respond` where there is a user, and for `finish` with that text elsewhere."""


class Agent(Protocol):
    """Acts in episodes, one after another."""

    @property
    def name(self) -> str:
        """As summaries show it."""

    @property
    def identity(self) -> str:
        """Everything that makes it act as it does: two agents with one identity are one agent."""

    def begin(self, opening: Opening) -> None:
        """Forget the last episode and start this one."""

    def act(self, observations: Sequence[str]) -> Turn:
        """The next turn after these observations: the first of the episode, then the results of the last turn's calls.

        Raises ConnectionError when what the agent acts through does not answer; a rollout stops after some of these in a row.
        """


Maker = Callable[[Mapping[str, Task]], Agent]
"""Makes an agent, given all tasks by id (which only the solution's replay may look into); it must pickle."""


@runtime_checkable
class Closable(Protocol):
    """An agent that holds something outside this process."""

    def close(self) -> None:
        """Let go of it; a later episode takes it up again."""


class OutOfBudget(Exception):
    """An agent may spend no more: its episode is not begun, or given up, and leaves no trajectory."""


@dataclass(slots=True)
class RandomAgent:
    """Makes a few schema-valid calls drawn from the episode's seed, then finishes with drawn arguments."""

    most: int = 6
    """Calls before `finish`, at most; how many is drawn."""
    name: str = "random"
    _left: int = 0
    _random: np.random.Generator | None = None
    _tools: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Name → JSON Schema of the arguments."""

    @property
    def identity(self) -> str:
        """The name and the bound."""
        return f"random:{self.most}"

    def begin(self, opening: Opening) -> None:
        """Draw how long to go on."""
        functions = [tool["function"] for tool in opening.tools]
        self._tools = {function["name"]: function["parameters"] for function in functions}
        self._random = np.random.Generator(np.random.PCG64(opening.seed))
        self._left = 1 + int(self._random.random() * self.most)

    def act(self, observations: Sequence[str]) -> Turn:
        """A drawn call; a drawn `finish` when the calls are used up."""
        if self._random is None:
            raise ValueError("act before begin")
        self._left -= 1
        names = [name for name in self._tools if name != "finish"]
        name = "finish" if self._left < 0 else names[int(self._random.random() * len(names))]
        return Turn((ToolCall(name, draw_value(self._tools[name], self._random)),))


@dataclass(slots=True)
class ConstantAgent:
    """Ends every episode at once, always with the same outcome."""

    name: str
    outcome: Outcome = "done"
    echoes: bool = False
    """Whether it answers with the whole last observation."""
    _about: str = ""

    @property
    def identity(self) -> str:
        """The name says all."""
        return self.name

    def begin(self, opening: Opening) -> None:
        """Find what its outcome could be about."""
        self._about = "" if self.outcome == "done" else first_about(opening, self.outcome)

    def act(self, observations: Sequence[str]) -> Turn:
        """Finish."""
        return Turn((finish_call(observations[-1] if self.echoes else "", self.outcome, self._about),))


def scripted(name: str) -> Maker:
    """How to make one of the scripted agents; ValueError for another name."""
    if name not in SCRIPTED:
        raise ValueError(f"no agent called {name!r}: the scripted ones are {', '.join(SCRIPTED)}")
    return partial(_make_scripted, name)


def _make_scripted(name: str, tasks: Mapping[str, Task]) -> Agent:
    match name:
        case "solution":
            from agents.teacher import SolutionAgent  # which is an agent, and so imports this module

            return SolutionAgent(tasks)
        case "rule":
            from agents.rule import RuleAgent  # which is an agent too

            return RuleAgent()
        case "random":
            return RandomAgent()
        case "refuse":
            return ConstantAgent(name, "not_allowed")
        case "impossible":
            return ConstantAgent(name, "impossible")
    return ConstantAgent(name, echoes=name == "echo")


def first_about(opening: Opening, outcome: Outcome) -> str:
    """What every refusal of a domain could name: its first policy, or the first ability that `finish` lists."""
    if outcome == "not_allowed":
        policy = re.search(r"^- (\w+):", opening.briefing, re.MULTILINE)
        return policy.group(1) if policy else ""
    return next(iter(abilities_of(opening)), "")


def abilities_of(opening: Opening) -> tuple[str, ...]:
    """What tools of the domain can change, in words, as `finish` lists it."""
    finish = next(tool["function"] for tool in opening.tools if tool["function"]["name"] == "finish")
    listed = str(finish["parameters"]["properties"]["about"]["description"]).partition("one of: ")[2]
    return tuple(filter(None, listed.removesuffix(".").split(", ")))
