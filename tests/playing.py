"""Playing reference solutions in environments, for the tests of what is built on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from agents.agent import Opening, Turn
from envs import ToolEnv, Worlds
from envs.worlds import GrownShelf
from synthtools.catalog import catalog
from synthtools.task import Task, resolve
from synthtools.tool import ToolCall

DOMAINS = sorted(catalog())
Stepped = tuple[str, float, bool, bool, dict[str, Any]]


def make_env(domain: str, **settings: Any) -> ToolEnv:
    """An environment over one domain of the catalogue."""
    return ToolEnv(Worlds({domain: GrownShelf(domain)}), **settings)


def some_tasks(domain: str, count: int) -> list[Task]:
    """The first tasks of a domain's stream."""
    stream = GrownShelf(domain).tasks()
    return [stream[index] for index in range(count)]


def coming_calls(env: ToolEnv) -> Iterator[ToolCall]:
    """The rest of the task's solution, where the calls so far were its beginning; each made from the results there are by then."""
    for step in env.task.solution[len(env.calls) :]:
        yield resolve(step, [orjson.loads(result.content) for _, result in env.calls])


def solve(env: ToolEnv) -> list[Stepped]:
    """What the rest of the solution's steps return."""
    return [env.step(call) for call in coming_calls(env)]


@dataclass(slots=True)
class Fixed:
    """Makes these calls, whatever comes of them."""

    calls: list[ToolCall]
    name: str = "fixed"
    identity: str = "fixed"
    done: int = 0

    def begin(self, opening: Opening) -> None:
        """From the first one on."""
        self.done = 0

    def act(self, observations: list[str]) -> Turn:
        """The next one."""
        self.done += 1
        return Turn((self.calls[self.done - 1],))
