"""What a task shows to a student that acts: the words before it, and a choice of tools, shared by tasks that need the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.lesson import PROMPT, Tool, brief, choose
from envs.offer import briefing
from envs.worlds import Worlds
from synthtools.domain import Domain
from synthtools.finish import NAME as FINISH
from synthtools.seed import derive
from synthtools.task import Task


@dataclass(frozen=True, slots=True)
class Showing:
    """How tasks are shown."""

    tools: int = 6
    """Shown at most, besides `finish` and any more that are needed; 0: all."""
    brief: bool = True
    """Whether schemas are cut to what calls cannot do without."""
    briefing: bool = True
    """Whether the day and the policies are said."""
    prompt: str = PROMPT


@dataclass(frozen=True, slots=True)
class Shown:
    """Tasks as rows for a trainer, and the tools of each set that the rows name."""

    rows: tuple[Mapping[str, Any], ...]
    """`prompt` (messages), `task` (its id) and `environment` (the name of its set of tools)."""
    sets: Mapping[str, Sequence[Tool]]
    """Name → exact schemas, as chat models take them."""


def show(tasks: Iterable[Task], worlds: Worlds, showing: Showing, seed: int) -> Shown:
    """Rows and sets of tools. The choice of tools is drawn once for all tasks that need the same ones.

    Needed is what the solution calls, and what that of its twin does: what is offered must not tell whether it may be done.
    """
    held = {task.id: task for task in tasks}
    rows, sets = [], {}
    for task in held.values():
        needs = _Needs.of(task, held.get(task.twin), showing)
        name = needs.name(seed)
        if name not in sets:
            sets[name] = needs.tools(worlds, showing, seed)
        rows.append({"prompt": opening(task, worlds.offers(task.domain, False).domain, showing), "task": task.id, "environment": name})
    return Shown(tuple(rows), sets)


def opening(task: Task, domain: Domain, showing: Showing) -> list[dict[str, str]]:
    """The messages before the student's first turn."""
    words = briefing(domain, task.start.now).rstrip() if showing.briefing else ""
    system = f"{showing.prompt}\n\n{words}".strip()
    return [*([{"role": "system", "content": system}] if system else []), {"role": "user", "content": task.request}]


@dataclass(frozen=True, slots=True)
class _Needs:
    """What makes tasks share a set of tools."""

    domain: str
    withheld: tuple[str, ...]
    called: tuple[str, ...]
    """In order of name; none where all tools are shown."""
    abouts: tuple[str, ...]
    """What `finish` may be about that a brief schema has to keep."""

    @classmethod
    def of(cls, task: Task, twin: Task | None, showing: Showing) -> _Needs:
        steps = [step for one in (task, twin) if one is not None for step in one.solution]
        called = {step.name for step in steps if step.name != FINISH} if showing.tools else set()
        abouts = {str(step.arguments["about"]) for step in steps if step.name == FINISH and step.arguments.get("about")}
        return cls(task.domain, tuple(task.withheld), tuple(sorted(called)), tuple(sorted(abouts)) if showing.brief else ())

    def name(self, seed: int) -> str:
        digest = hashlib.sha256(repr((self, seed)).encode()).hexdigest()[:8]
        return f"{''.join(word.capitalize() for word in self.domain.split('_'))}_{digest}"

    def tools(self, worlds: Worlds, showing: Showing, seed: int) -> list[Tool]:
        rng = np.random.Generator(np.random.PCG64(derive(seed, "shown", self.name(seed)) >> 11))
        offered = worlds.offers(self.domain, False).without(self.withheld).tools
        chosen = choose(offered, self.called, showing.tools, rng)
        return [brief(tool, self.abouts, rng) for tool in chosen] if showing.brief else chosen
