"""What a task shows to a student that acts: the words before it, and a choice of tools, shared by tasks that need the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from agents.lesson import PROMPT, Tool, brief, choose
from agents.needs import Needs, both, needs_of_task
from envs.offer import opening_words
from envs.worlds import Worlds
from synthtools.domain import Domain
from synthtools.fault import faults_from_json, faults_to_json
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


def show(tasks: Sequence[Task], twins: Mapping[str, Task], worlds: Worlds, showing: Showing, seed: int) -> Shown:
    """Rows and sets of tools. The choice of tools is drawn once for all tasks that call the same ones, or whose twins do.

    `twins`: the tasks by id that twins are looked up in, whether they are among those that are shown or not.
    """
    takes = {task.id: needs_of_task(task, twins.get(task.twin)) for task in tasks}
    kinds = {task.id: _Kind.of(task, takes[task.id], showing) for task in tasks}
    needs: dict[_Kind, Needs] = {}
    for task in tasks:
        kind = kinds[task.id]
        needs[kind] = both(needs[kind], takes[task.id]) if kind in needs else takes[task.id]
    return Shown(
        rows=tuple(
            {"prompt": opening(task, worlds.offers(task.domain).domain, showing), "task": task.id, "environment": kinds[task.id].name(seed)}
            for task in tasks
        ),
        sets={kind.name(seed): kind.tools(worlds, taken, showing, seed) for kind, taken in needs.items()},
    )


def opening(task: Task, domain: Domain, showing: Showing) -> list[dict[str, str]]:
    """The messages before the student's first turn."""
    words = opening_words(domain, task).rstrip() if showing.briefing else ""
    system = f"{showing.prompt}\n\n{words}".strip()
    return [*([{"role": "system", "content": system}] if system else []), {"role": "user", "content": task.request}]


@dataclass(frozen=True, slots=True)
class _Kind:
    """What makes tasks share a set of tools."""

    domain: str
    withheld: tuple[str, ...]
    called: tuple[str, ...]
    """In order of name; none where all tools are shown as they are."""
    talks: bool
    rules: tuple[str, ...]
    """Names of the tasks' own rules, which `finish` lists."""
    abouts: tuple[str, ...]
    """What `finish` may be about that a brief schema has to keep: too few fit for tasks of different ones to share a set."""
    faults: str = field(repr=False)
    """The tasks' faults, as JSON text, for they may have tools shown otherwise; empty where there are none."""

    @classmethod
    def of(cls, task: Task, needs: Needs, showing: Showing) -> _Kind:
        faults = orjson.dumps(faults_to_json(task.faults)).decode() if task.faults else ""
        called = sorted(needs.arguments.keys() - {FINISH}) if showing.tools or showing.brief else ()
        rules = tuple(rule.name for rule in task.rules)
        abouts = tuple(sorted(set(needs.abouts))) if showing.brief else ()
        return cls(task.domain, tuple(task.withheld), tuple(called), task.user is not None, rules, abouts, faults)

    def name(self, seed: int) -> str:
        digest = hashlib.sha256(f"{(self, seed)!r}{self.faults}".encode()).hexdigest()[:8]
        return f"{''.join(word.capitalize() for word in self.domain.split('_'))}_{digest}"

    def tools(self, worlds: Worlds, needs: Needs, showing: Showing, seed: int) -> list[Tool]:
        rng = np.random.Generator(np.random.PCG64(derive(seed, "shown", self.name(seed)) >> 11))
        offers = worlds.offers(self.domain)
        offer = offers.among(self.withheld, self.rules, talks=self.talks)
        offered = (offers.faulty(offer, faults_from_json(orjson.loads(self.faults))) if self.faults else offer).tools
        chosen = choose(offered, Needs(dict.fromkeys(self.called, frozenset()), self.abouts), showing.tools, rng)
        return [brief(tool, needs, rng) for tool in chosen] if showing.brief else chosen
