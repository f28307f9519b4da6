"""A small pack of proven tasks on disk, made once in a test process, and an agent that breaks, for tests of what is built on packs."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

from agents.agent import Maker, Opening, OutOfBudget, Turn, finish_call
from agents.budget import Budget, Spent
from agents.cli.generate import make_pack
from synthtools.task import Task
from synthtools.tool import ToolCall

DOMAINS = ("marina_berths", "clinic_roster")
TASKS_PER_DOMAIN = 14
SEED = 3


@lru_cache(maxsize=1)
def small_pack() -> Path:
    """Its folder."""
    folder = Path(tempfile.mkdtemp(prefix="synthtools-pack-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    make_pack(folder / "pack", list(DOMAINS), TASKS_PER_DOMAIN, SEED, 1)
    return folder / "pack"


@dataclass(slots=True)
class Frail:
    """An agent that finishes at once, except at tasks of one kind, where something of ours breaks."""

    breaks: str
    name: str = "frail"
    identity: str = "frail"
    _task: str = ""

    def begin(self, opening: Opening) -> None:
        """Remember which task it is."""
        self._task = opening.task

    def act(self, observations: Sequence[str]) -> Turn:
        """Finish, or break."""
        if self.breaks == "gone":
            raise ConnectionError("nobody is there")
        if "/question/" in self._task:
            match self.breaks:
                case "endpoint":
                    raise ConnectionError("the endpoint is down")
                case "budget":
                    raise OutOfBudget("spent")
                case "process":
                    os.kill(os.getpid(), signal.SIGKILL)
        return Turn((finish_call(),))


@dataclass(slots=True)
class Caller:
    """An agent that makes one call at the first tool of its list, in whatever form, and finishes."""

    call: Callable[[str], ToolCall]
    name: str = "caller"
    identity: str = "caller"
    _first: str = ""

    def begin(self, opening: Opening) -> None:
        """Remember the tool."""
        self._first = opening.tools[0]["function"]["name"]

    def act(self, observations: Sequence[str]) -> Turn:
        """The call, then the end."""
        name, self._first = self._first, ""
        return Turn((self.call(name),), "a\ud800b") if name else Turn((finish_call(),))


@dataclass(slots=True)
class Costly:
    """An agent that finishes at once, for a token an episode and more for dear ones, up to a budget; it may kill its process at one task.

    Then it also takes its time over what it may not do, so that others come to their turn.
    """

    budget: Budget
    deadly: str = ""
    dear: Mapping[str, int] = field(default_factory=dict)
    name: str = "costly"
    identity: str = "costly"
    spent: Spent = Spent()
    _allowed: Spent | None = None
    _task: str = ""

    def allot(self, before: Spent, parts: int) -> None:
        """A part of what is left."""
        self._allowed = self.budget.part(before, parts)

    def begin(self, opening: Opening) -> None:
        """Remember which task it is."""
        self._task = opening.task

    def act(self, observations: Sequence[str]) -> Turn:
        """Pay, and finish or die."""
        if self._allowed is not None and self.spent.tokens >= self._allowed.tokens:
            time.sleep(0.2 if self.deadly else 0)
            raise OutOfBudget("spent")
        self.spent += Spent(self.dear.get(self._task, 1))
        if self._task == self.deadly:
            time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGKILL)
        return Turn((finish_call(),), tokens=1)


def costly(tokens: int, deadly: str = "", dear: Mapping[str, int] | None = None) -> Maker:
    """How to make one with a budget of so many tokens, for a whole rollout; `dear`: tasks that cost more than one."""
    return partial(_make_costly, tokens, deadly, dear or {})


def _make_costly(tokens: int, deadly: str, dear: Mapping[str, int], tasks: Mapping[str, Task]) -> Costly:
    return Costly(Budget(tokens), deadly, dear)


@dataclass(slots=True)
class Stuck:
    """An agent that finishes one episode, for a token or for nothing and then slowly, and never answers again."""

    pays: bool
    name: str = "stuck"
    identity: str = "stuck"
    spent: Spent = Spent()
    _episodes: int = 0

    def allot(self, before: Spent, parts: int) -> None:
        """There is no bound."""

    def begin(self, opening: Opening) -> None:
        """Count."""
        self._episodes += 1

    def act(self, observations: Sequence[str]) -> Turn:
        """Finish the first."""
        time.sleep(600 if self._episodes > 1 else 0 if self.pays else 1.2)
        self.spent += Spent(int(self.pays))
        return Turn((finish_call(),))


def stuck(pays: bool) -> Maker:
    """How to make it."""
    return partial(_make_stuck, pays)


def _make_stuck(pays: bool, tasks: Mapping[str, Task]) -> Stuck:
    return Stuck(pays)


def frail(breaks: str) -> Maker:
    """How to make it; `breaks` is `gone`, `endpoint`, `budget`, `process`, or nothing for a sound one."""
    return partial(_make_frail, breaks)


def _make_frail(breaks: str, tasks: Mapping[str, Task]) -> Frail:
    return Frail(breaks)


sound, gone, poor, thrifty = frail(""), frail("gone"), frail("budget"), costly(1_000_000)
