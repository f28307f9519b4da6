"""What an alteration starts from, and the tables of all of them: what each is meant to be, and whether a gate uses its kind."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Literal

from episode import Act, Plan, Played, Stage
from oracle import Oracle, Reference

from synthtools.domain import Domain
from synthtools.sample import CallSampler
from synthtools.seed import generator
from synthtools.task import Task
from synthtools.tool import Tool


@dataclass(frozen=True, slots=True)
class Case:
    """One task with its references, ready to be altered; `rng` is each alteration's own."""

    task: Task
    twin: Task | None
    peers: Sequence[Task]
    """Other tasks that begin in the same world."""
    stage: Stage
    oracle: Oracle
    references: tuple[Reference, ...]
    played: Played
    """The reference solution carried out."""
    sampler: CallSampler
    rng: random.Random

    @property
    def domain(self) -> Domain:
        """The task's domain."""
        return self.stage.domain

    @property
    def plan(self) -> Plan:
        """The reference solution."""
        return self.references[0].plan

    @property
    def acts(self) -> list[Act]:
        """The reference's acts that succeed."""
        made = {label for label, _, result in self.played.calls if result.error is None}
        return [a for a in self.plan.acts if a.label in made]

    @property
    def writes(self) -> list[Act]:
        """Those that may change something."""
        return [a for a in self.acts if not self.stage.tool(a).read_only]

    @property
    def tools(self) -> list[Tool]:
        """The tools that the task's agent has."""
        return [t for t in self.domain.tools.values() if t.key not in self.task.withheld]

    @property
    def answer(self) -> Any:
        """The reference's answer; None where none is asked for."""
        return self.references[0].answer if self.references[0].kind else None

    def rows(self, table: str) -> list[dict[str, Any]]:
        """A table's rows at the start, by id."""
        names = list(self.domain.tables[table].columns)
        return [dict(zip(names, row, strict=True)) for row in sorted(self.stage.start_rows(self.task)[table], key=lambda row: str(row[0]))]

    def drawn(self, tool: Tool) -> dict[str, Any] | None:
        """Sensible arguments for a tool at the task's start."""
        self.stage.backend.reset(self.task.start)
        self.sampler.rng.seed(self.rng.random())
        return self.sampler.sample(tool)

    def given(self, act: Act) -> Mapping[str, Any]:
        """An act's arguments as the reference gave them."""
        return self.played.arguments[act.label]

    def places(self, act: Act) -> Iterator[tuple[str, str, str]]:
        """(argument, entity, id) for every single row that an act names."""
        tool = self.stage.tool(act)
        for name, value in self.given(act).items():
            entity = tool.refers.get(name)
            if entity is not None and isinstance(value, str):
                yield name, entity, value

    def shuffled(self, items: Sequence[Any]) -> list[Any]:
        """The items in an order of this alteration's own."""
        return self.rng.sample(list(items), len(items))


_TRIES = 8
Make = Callable[[Case], Iterator[Plan]]


@dataclass(frozen=True, slots=True)
class Alteration:
    """One way to alter an episode."""

    name: str
    meant: Literal["wrong", "right"]
    make: Make
    gate: bool = False
    """Whether a gate of synthtools.proof uses this kind."""
    most: int = 2
    """Episodes made of one task."""

    def plans(self, case: Case) -> Iterator[Plan]:
        """The altered plans of a task; the same for the same task."""
        own = replace(case, rng=generator("alteration", self.name, case.task.id, case.task.start.world, case.task.request))
        made = self.make(own)
        for _ in range(self.most):
            plan = next(made, None)
            if plan is None:
                return
            yield plan


def alike(case: Case, entity: str, row: str) -> list[str]:
    """Other rows of an entity, the most alike first."""
    rows = {r["id"]: r for r in case.rows(entity)}
    if row not in rows:
        return []
    own = rows.pop(row)
    near = case.shuffled(list(rows))
    return sorted(near, key=lambda other: -sum(3 * (isinstance(v, str)) + 1 for k, v in own.items() if rows[other][k] == v))


def combined(first: Sequence[Alteration], second: Sequence[Alteration]) -> Make:
    """Two alterations one upon the other, drawn from each of two tables."""

    def make(case: Case) -> Iterator[Plan]:
        for _ in range(_TRIES):
            for plan in islice(case.rng.choice(first).make(case), 1):
                played = case.stage.play(case.task, plan)
                references = (replace(case.references[0], plan=plan), *case.references[1:])
                yield from islice(case.rng.choice(second).make(replace(case, references=references, played=played)), 1)

    return make
