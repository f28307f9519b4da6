"""The kinds of task: each draws a job, carries it out, and says what success is. What cannot be made raises NotBuilt."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import apsw

from synthtools import language as words
from synthtools.backend import LocalBackend, Snapshot
from synthtools.domain import Domain
from synthtools.everyday import called, plural
from synthtools.finish import abilities
from synthtools.goal import Alternative, Answer, Changes, Goal
from synthtools.promise import broken
from synthtools.sample import CallSampler
from synthtools.task import Ref, SolutionStep, Task
from synthtools.tasks.build import Builder, NotBuilt
from synthtools.tasks.describe import Describer, Description
from synthtools.tasks.job import Carried, Job, Jobs, carry_out, typed_answer
from synthtools.tasks.setup import bind_setup, evidence, forced_break
from synthtools.tool import Tool

Made = tuple["Candidate", ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A task before its proof, and what its request says of rows."""

    task: Task
    described: tuple[Description, ...]


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
        self.kinds: Mapping[str, Callable[[], Made]] = {
            "single": self._single,
            "chain": self._chain,
            "several": self._several,
            "conditional": self._conditional,
            "question": self._question,
            "missing_tool": self._missing_tool,
            "forbidden": self._forbidden,
        }

    def make(self, kind: str) -> Made:
        """One candidate, or a pair of twins. Raises NotBuilt."""
        self.backend.reset(self.start)
        self.manner = self.rng.choice(words.MANNERS)
        return self.kinds[kind]()

    def _solve(self, jobs: Sequence[Job], start: Snapshot, choice: int = 0, withheld: Sequence[str] = ()) -> Solved:
        self.backend.reset(start)
        builder = Builder(self.domain, self.backend, self.describer, withheld)
        carried = Carried(None, None, 1)
        for job in jobs:
            carried = carry_out(builder, job, choice)
        return Solved(builder, tuple(builder.steps), self.backend.changes(), carried)

    def _candidate(self, kind: str, request: str, jobs: Sequence[Job], start: Snapshot, *, extra: int = 0) -> Candidate:
        """The task of carrying out jobs, ties included."""
        first = self._solve(jobs, start)
        alternatives = [Alternative(first.changes, answer=first.carried.answer)]
        for choice in range(1, first.carried.ties):
            again = self._solve(jobs, start, choice)
            other = Alternative(again.changes, answer=again.carried.answer)
            if other not in alternatives:
                alternatives.append(other)
        ending: dict[str, Any] = {"outcome": "done"}
        if first.carried.answer is not None:
            ending["answer"] = first.carried.answer_from
        described = tuple(row for job in jobs for d in job.drawn.values() for row in d.rows)
        difficulty = len(first.steps) + extra + (first.carried.ties > 1)
        return self._task(kind, request, start, (tuple(alternatives), first.builder, ending), described, difficulty)

    def _task(
        self,
        kind: str,
        request: str,
        start: Snapshot,
        solved: tuple[tuple[Alternative, ...], Builder, Mapping[str, Any]],
        described: tuple[Description, ...],
        difficulty: int,
    ) -> Candidate:
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

    def _command(self, job: Job) -> str:
        ask = words.ask_question if job.answer is not None and not self._acts(job) else words.ask_command
        return ask(self.manner, job.phrase, self.rng)

    def _acts(self, job: Job) -> bool:
        keys = {t.key: t for t in self.domain.tools.values()}
        return any(not keys[step.call].read_only for step in job.steps)

    def _write_job(self, *, by_id: bool = False, clause: bool = False) -> Job:
        return self.jobs.of_tool(self._pick(self.writes), by_id=by_id, clause=clause)

    def _pick(self, among: Sequence[Any]) -> Any:
        if not among:
            raise NotBuilt("nothing_of_the_kind")
        return self.rng.choice(among)

    def _workflow_job(self, wanted: Callable[[Job], bool]) -> Job:
        name = self._pick(list(self.domain.blueprint.workflows))
        job = self.jobs.of_workflow(name, self.domain.blueprint.workflows[name])
        if not wanted(job):
            raise NotBuilt("other_workflow")
        return job

    def _single(self) -> Made:
        tool = self._pick([*self.writes, *self.asks])
        job = self.jobs.of_tool(tool, by_id=True)
        made = self._candidate("single", self._command(job), [job], self.start)
        if len(made.task.solution) != 2:
            raise NotBuilt("not_single")
        return (made,)

    def _chain(self) -> Made:
        job = self._workflow_job(self._acts) if self.rng.random() < 0.45 else self._write_job()
        made = self._candidate("chain", self._command(job), [job], self.start)
        if len(made.task.solution) < 3:
            raise NotBuilt("not_a_chain")
        return (made,)

    def _several(self) -> Made:
        count = 2 if self.rng.random() < 0.7 else 3
        jobs = [self._write_job(clause=True, by_id=self.rng.random() < 0.25) for _ in range(count)]
        seen = [row.id for job in jobs for d in job.drawn.values() for row in d.rows]
        if len(set(seen)) != len(seen):
            raise NotBuilt("same_row_twice")
        request = words.ask_several(self.manner, [job.phrase for job in jobs], self.rng)
        return (self._candidate("several", request, jobs, self.start, extra=count - 1),)

    def _conditional(self) -> Made:
        """A condition on a row, and two acts of which the state of the world decides."""
        acts = [self._write_job(clause=True) for _ in range(2)]
        rows = [row for d in acts[0].drawn.values() for row in d.rows if self.domain.tables[row.entity].digits]
        row = self._pick(rows)
        if self.rng.random() < 0.5 and "state" in self.domain.tables[row.entity].columns:
            request, holds, column = self._state_condition(row, (acts[0].phrase, acts[1].phrase))
        else:
            request, holds, column = self._value_condition(row, (acts[0].phrase, acts[1].phrase))
        done, other = (acts[0], acts[1]) if holds else (acts[1], acts[0])
        self.backend.reset(self.start)
        builder = Builder(self.domain, self.backend, self.describer)
        builder.locate(row.entity, row.id, row.claims)
        builder.cell(row.entity, row.id, column)
        carried = carry_out(builder, done)
        if carried.ties > 1:
            raise NotBuilt("ties")
        changes = self.backend.changes()
        if self._solve([other], self.start).changes == changes:
            raise NotBuilt("both_branches_alike")
        described = tuple({r.id: r for job in acts for d in job.drawn.values() for r in d.rows}.values())
        solved = ((Alternative(changes),), builder, {"outcome": "done"})
        return (self._task("conditional", request, self.start, solved, described, len(builder.steps) + 1),)

    def _state_condition(self, row: Description, acts: tuple[str, str]) -> tuple[str, bool, str]:
        states = self.domain.tables[row.entity].columns["state"].choices
        actual = self.describer.value(row.entity, row.id, ("state",))
        asked = actual if self.rng.random() < 0.5 else self._pick([s for s in states if s != actual])
        said = words.mark(words.say(self.domain, asked, "state", self.rng))
        return words.ask_state_condition(self.manner, row.text, said, acts, self.rng), asked == actual, "state"

    def _value_condition(self, row: Description, acts: tuple[str, str]) -> tuple[str, bool, str]:
        entity, table = self.domain.blueprint.entities[row.entity], self.domain.tables[row.entity]
        usable = [k for k in entity.questions if table.columns[k].kind in ("int", "money", "date", "datetime")]
        column = self._pick(usable)
        actual = self.describer.value(row.entity, row.id, (column,))
        threshold = self._pick([v for v in self.jobs.sampler.values(f"{row.entity}.{column}") if v is not None and v != actual])
        if actual is None:
            raise NotBuilt("no_value")
        said = words.mark(self.describer.say(row.entity, table.columns[column], threshold))
        moment = table.columns[column].kind in ("date", "datetime")
        above = self.rng.random() < 0.5
        test = (f"after {said}" if above else f"before {said}") if moment else (f"more than {said}" if above else f"less than {said}")
        clause = self._pick(entity.questions[column]).replace("{it}", row.text)
        holds = actual > threshold if above else actual < threshold
        return words.ask_conditional(self.manner, clause, test, acts, self.rng), holds, column

    def _question(self) -> Made:
        makers: list[Callable[[], Made]] = [self._field_question, self._field_question, self._tool_question, self._workflow_question, self._which_question]
        return self._pick(makers)()

    def _tool_question(self) -> Made:
        job = self.jobs.of_tool(self._pick(self.asks))
        return (self._candidate("question", self._command(job), [job], self.start),)

    def _workflow_question(self) -> Made:
        job = self._workflow_job(lambda j: j.answer is not None and not self._acts(j))
        return (self._candidate("question", self._command(job), [job], self.start),)

    def _field_question(self) -> Made:
        """What is the value of a field of a described row."""
        asked = [(e, k) for e, d in self.domain.blueprint.entities.items() for k in d.questions if d.described_by and "get" in d.offers]
        entity, key = self._pick(asked)
        table = self.domain.tables[entity]
        row = self._pick(self.jobs.sampler.ids(entity))
        description = self.describer.describe(entity, row)
        if description is None or any(c.path == (key,) for c in description.claims):
            raise NotBuilt("not_describable")
        clause = self._pick(self.domain.blueprint.entities[entity].questions[key]).replace("{it}", description.text)
        builder = Builder(self.domain, self.backend, self.describer)
        builder.locate(entity, row, description.claims)
        source = builder.cell(entity, row, key)
        kinds = {"int": "number", "sum_of": "money", "ref": "id", "stamp": "date", "datetime": "date"}
        kind = kinds.get(table.columns[key].kind, table.columns[key].kind)
        kind = kind if kind in ("number", "money", "date", "id") else "word"
        answer = typed_answer(kind, self._value(builder, source))
        request = words.ask_question(self.manner, clause, self.rng)
        solved = ((Alternative((), answer=answer),), builder, {"outcome": "done", "answer": source})
        return (self._task("question", request, self.start, solved, (description,), len(builder.steps)),)

    def _value(self, builder: Builder, source: Any) -> Any:
        value: Any = builder.results[source.step]
        for part in source.path:
            value = value[part]
        return value

    def _which_question(self) -> Made:
        """Which rows of a described parent there are: a list of ids."""
        links = [(e, c.name, c.ref) for e, t in self.domain.tables.items() for c in t.columns.values() if c.ref and t.digits and e in self.jobs.searches]
        entity, key, parent = self._pick([link for link in links if self.domain.blueprint.entities[link[2]].described_by])
        tool = self.jobs.searches[entity]
        row = self._pick(self.jobs.sampler.values(f"{entity}.{key}"))
        if row is None or f"{key}_id" not in tool.parameters["properties"]:
            raise NotBuilt("no_filter")
        description = self.describer.describe(parent, row)
        if description is None:
            raise NotBuilt("not_describable")
        builder = Builder(self.domain, self.backend, self.describer)
        filters = {f"{key}_id": builder.locate(parent, row, description.claims)}
        definition = self.domain.blueprint.entities[entity]
        noun, state = plural(entity, definition).replace("_", " "), ""
        if definition.called:
            noun = f"{called(entity, definition)}s" if not definition.plural else noun
        if "state" in tool.parameters["properties"] and self.rng.random() < 0.7:
            value = self._pick([v for v in self.jobs.sampler.values(f"{entity}.state") if v])
            state = words.say(self.domain, value, "state", self.rng)
            filters["state"] = builder.literal(value, state)
        outcome = builder.call(tool, filters)
        envelope = self.domain.surface.envelope
        rows = outcome[envelope] if envelope else outcome
        if not 1 < len(rows) < min(9, self.domain.surface.page_size):
            raise NotBuilt("list_too_short_or_long")
        which = f"{words.mark(state)} {noun}" if state else noun
        forms = (
            "which {w} are there for {p}, by number",
            "what are the numbers of the {w} of {p}",
            "give me the numbers of all {w} that go with {p}",
            "which {w} belong to {p}? I need their numbers",
            "list the {w} for {p}, numbers only",
        )
        clause = self._pick(forms).replace("{w}", which).replace("{p}", description.text)
        refs = [Ref(len(builder.steps) - 1, ((envelope, i, "id") if envelope else (i, "id"))) for i in range(len(rows))]
        answer = Answer("ids", sorted(r["id"] for r in rows))
        solved = ((Alternative((), answer=answer),), builder, {"outcome": "done", "answer": refs})
        request = words.ask_command(self.manner, clause, self.rng) if clause.startswith(("give", "list")) else words.ask_question(self.manner, clause, self.rng)
        return (self._task("question", request, self.start, solved, (description,), len(builder.steps) + 1),)

    def _fallback(self, job: Job) -> tuple[Description, str]:
        """A row of the job whose number the request wants instead, and what people call it."""
        rows = [r for d in job.drawn.values() for r in d.rows if self.domain.tables[r.entity].digits and not any(c.path == ("id",) for c in r.claims)]
        row = self._pick(rows)
        entity = self.domain.blueprint.entities[row.entity]
        return row, self.rng.choice([called(row.entity, entity), *entity.called])

    def _no_change(
        self, kind: str, job: Job, row: Description, start: Snapshot, ending: Mapping[str, Any], asked: tuple[str, Sequence[str]]
    ) -> Candidate:
        """The half of a twin pair in which nothing may change and a number must be given."""
        request, withheld = asked
        self.backend.reset(start)
        builder = Builder(self.domain, self.backend, self.describer, withheld)
        source = builder.locate(row.entity, row.id, row.claims)
        if kind == "forbidden":
            evidence(builder, self.domain, ending["about"], [r for d in job.drawn.values() for r in d.rows])
        answer = Answer("id", row.id)
        alternative = Alternative((), ending["outcome"], ending["about"], answer)
        described = tuple(r for d in job.drawn.values() for r in d.rows)
        solved = ((alternative,), builder, {**ending, "answer": source})
        return self._task(kind, request, start, solved, described, len(builder.steps) + 2)

    def _missing_tool(self) -> Made:
        job = self._workflow_job(self._acts) if self.rng.random() < 0.3 else self._write_job()
        keys = {t.key: t for t in self.domain.tools.values()}
        missing: Tool = keys[self._pick([s.call for s in job.steps if not keys[s.call].read_only])]
        row, noun = self._fallback(job)
        request = words.ask_command(self.manner, job.phrase, self.rng, words.fallback(noun, self.rng))
        ending = {"outcome": "impossible", "about": abilities(self.domain)[missing.key]}
        without = self._no_change("missing_tool", job, row, self.start, ending, (request, (missing.key,)))
        twin = self._candidate("missing_tool", request, [replace(job, answer=None)], self.start)
        return without, twin

    def _forbidden(self) -> Made:
        name = self._pick(list(self.domain.policies))
        policy = self.domain.blueprint.policies[name]
        tool = self.domain.tool(policy.tempts)
        arguments = self.jobs.sampler.sample(tool, sensible=True)
        if arguments is None:
            raise NotBuilt("no_arguments")
        bad, good = (replace(self.start, setup=bind_setup(setup, arguments, tool, self.domain)) for setup in (policy.forbid, policy.allow))
        self.backend.reset(bad)
        if not forced_break(self.backend, self.domain, tool, arguments, name):
            raise NotBuilt("policy_not_broken")
        job = self.jobs.of_tool(tool, fixed=arguments, phrases=policy.asked_as if self.rng.random() < 0.6 else ())
        row, noun = self._fallback(job)
        request = words.ask_command(self.manner, job.phrase, self.rng, words.fallback(noun, self.rng))
        ending = {"outcome": "not_allowed", "about": name}
        refused = self._no_change("forbidden", job, row, bad, ending, (request, ()))
        allowed = self._candidate("forbidden", request, [replace(job, answer=None)], good)
        return refused, allowed


def breaks_policy(domain: Domain, backend: LocalBackend, calls: Sequence[tuple[str, Any, str]]) -> str:
    """The first policy that the episode in a backend has broken, or nothing."""
    changes = backend.changes()
    return next((name for name in domain.policies if broken(backend.world.connection, domain, name, changes, calls)), "")
