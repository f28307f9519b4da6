"""What every kind of task is made with: jobs drawn in one start world, carried out, with their ties and words."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from synthtools import language as words
from synthtools.backend import LocalBackend, Snapshot
from synthtools.domain import Domain
from synthtools.entity import called
from synthtools.goal import Alternative, Changes, Goal
from synthtools.recovery import Recovery
from synthtools.sample import CallSampler
from synthtools.task import SolutionStep, Task
from synthtools.tasks.build import Builder, NotBuilt
from synthtools.tasks.carry import Carried, carry_out
from synthtools.tasks.describe import Describer, Description
from synthtools.tasks.job import Job, Jobs

Made = tuple["Candidate", ...]
Prepare = Callable[[Builder], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A task before its proof, and what its request says of rows."""

    task: Task
    described: tuple[Description, ...]
    recovery: Recovery | None = None
    """Where things go wrong on purpose."""


@dataclass(slots=True)
class Solved:
    """A solution carried out: its steps, the net change, and the answer."""

    builder: Builder
    steps: tuple[SolutionStep, ...]
    changes: Changes
    carried: Carried


class Maker:
    """Makes candidates of every kind in one start world of a domain."""

    def __init__(self, domain: Domain, backend: LocalBackend, world: int, rng: random.Random) -> None:
        self.domain, self.backend, self.rng = domain, backend, rng
        self.start = Snapshot(domain.digest, world)
        backend.reset(self.start)
        self.connection: apsw.Connection = backend.world.connection
        self.describer = Describer(domain, self.connection, rng)
        self.jobs = Jobs(domain, CallSampler(domain, backend, rng), self.describer, rng)
        self.writes = [t for t in domain.tools.values() if not t.read_only and self.jobs.has_words(t)]
        self.asks = [t for t in domain.tools.values() if t.read_only and self.jobs.has_words(t) and domain.blueprint.tools[t.key].answer]
        self.manner = rng.choice(words.MANNERS)

    def begin(self) -> None:
        """Stand at the start world, in a new manner of speaking."""
        self.backend.reset(self.start)
        self.manner = self.rng.choice(words.MANNERS)

    def solve(self, jobs: Sequence[Job], start: Snapshot, choice: int = 0, prepare: Prepare | None = None) -> Solved:
        """Carry jobs out from a start; `choice` says which of tied rows a pick takes. Raises NotBuilt."""
        self.backend.reset(start)
        builder = Builder(self.domain, self.backend, self.describer)
        if prepare is not None:
            prepare(builder)
        carried = Carried(None, None, 1)
        for job in jobs:
            carried = carry_out(builder, job, choice)
            if carried.ties > 1 and len(jobs) > 1:
                raise NotBuilt("ties_in_parts")
        return Solved(builder, tuple(builder.steps), self.backend.changes(), carried)

    def candidate(
        self, kind: str, request: str, jobs: Sequence[Job], start: Snapshot, *, extra: int = 0, prepare: Prepare | None = None
    ) -> Candidate:
        """The task of carrying out jobs, ties included; `prepare` is done to the builder of each solution first."""
        first = self.solve(jobs, start, prepare=prepare)
        alternatives = [Alternative(first.changes, answer=first.carried.answer)]
        for choice in range(1, first.carried.ties):
            again = self.solve(jobs, start, choice, prepare)
            other = Alternative(again.changes, answer=again.carried.answer)
            if other not in alternatives:
                alternatives.append(other)
        ending: dict[str, Any] = {"outcome": "done"}
        if first.carried.answer is not None:
            ending["answer"] = first.carried.answer_from
        described = tuple(row for job in jobs for d in job.drawn.values() for row in d.rows)
        difficulty = len(first.steps) + extra + (first.carried.ties > 1)
        return self.task(kind, request, start, (tuple(alternatives), first.builder, ending), described, difficulty)

    def task(
        self,
        kind: str,
        request: str,
        start: Snapshot,
        solved: tuple[tuple[Alternative, ...], Builder, Mapping[str, Any]],
        described: tuple[Description, ...],
        difficulty: int,
    ) -> Candidate:
        """The task of a request, with its goal's alternatives, the builder of its solution, and the ending."""
        alternatives, builder, ending = solved
        task = Task(
            id="",
            domain=self.domain.name,
            field=self.domain.field,
            split=self.domain.split,
            kind=kind,
            difficulty=max(1, min(10, difficulty)),
            start=start,
            withheld=tuple(sorted(builder.withheld)),
            request=words.finished(request),
            goal=Goal(alternatives),
            solution=(*builder.steps, SolutionStep("finish", ending)),
            skeleton=words.skeleton(request),
            said=dict(builder.said),
        )
        return Candidate(task, described)

    def command(self, job: Job) -> str:
        """A job as a request: a question where nothing is to be done."""
        ask = words.ask_question if job.answer is not None and not self.acts(job) else words.ask_command
        return ask(self.manner, job.phrase, self.rng)

    def acts(self, job: Job) -> bool:
        """Whether a job changes anything."""
        keys = {t.key: t for t in self.domain.tools.values()}
        return any(not keys[step.call].read_only for step in job.steps)

    def write_job(self, *, by_id: bool = False, clause: bool = False) -> Job:
        """A job of one tool that changes something. Raises NotBuilt."""
        return self.jobs.of_tool(self.pick(self.writes), by_id=by_id, clause=clause)

    def pick(self, among: Sequence[Any]) -> Any:
        """One of these. Raises NotBuilt where there is none."""
        if not among:
            raise NotBuilt("nothing_of_the_kind")
        return self.rng.choice(among)

    def fallback(self, job: Job) -> tuple[Description, str]:
        """A row of the job whose number may be wanted instead, and what people call it. Raises NotBuilt."""
        every = [r for d in job.drawn.values() for r in d.rows]
        alone = [r for r in every if sum(r.entity == other.entity for other in every) == 1]
        row: Description = self.pick([r for r in alone if self.domain.tables[r.entity].digits and not any(c.path == ("id",) for c in r.claims)])
        entity = self.domain.blueprint.entities[row.entity]
        return row, self.rng.choice([called(row.entity, entity), *entity.called])

    def workflow_job(self, wanted: Callable[[Job], bool]) -> Job:
        """A job of a workflow, if it is of the wanted sort. Raises NotBuilt."""
        name = self.pick(list(self.domain.blueprint.workflows))
        job = self.jobs.of_workflow(name, self.domain.blueprint.workflows[name])
        if not wanted(job):
            raise NotBuilt("other_workflow")
        return job
