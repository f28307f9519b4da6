"""Carrying out a job: its steps one by one, with every value looked up or said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synthtools.blueprint import Answer as AnswerSpec
from synthtools.goal import Answer
from synthtools.task import STATED, Derived, Ref, value_of
from synthtools.tasks.build import Builder, NotBuilt
from synthtools.tasks.describe import Description
from synthtools.tasks.job import Job
from synthtools.tool import Tool

MAX_TIES = 8
"""A pick among more equal rows than this is not made."""


@dataclass(slots=True)
class Carried:
    """What carrying out a job came to."""

    answer: Answer | None
    answer_from: Any
    """The answer as the solution gives it: a Ref or a list of Refs."""
    ties: int
    """How many rows a pick could equally have taken."""


def carry_out(builder: Builder, job: Job, choice: int = 0) -> Carried:
    """Do a job with a builder; `choice` says which of tied rows a pick takes. Raises NotBuilt."""
    values = _literals(builder, job)
    results: dict[str, tuple[int, tuple[str | int, ...]]] = {}
    ties, run = 1, _Run(builder, job, values, results)
    for step in job.steps:
        arguments = {}
        for name, wanted in step.with_.items():
            value = run.argument(wanted)
            if value is not None:
                arguments[name] = value
        tool = builder.tool(step.call)
        outcome = builder.call(tool, arguments)
        place: tuple[str | int, ...] = ()
        if step.pick is not None:
            place, found = _pick(builder, tool, outcome, step.pick, choice)
            if found > 1 and ties > 1:
                raise NotBuilt("ties_twice")
            ties = max(ties, found)
        if step.as_:
            results[step.as_] = (len(builder.steps) - 1, place)
    if job.answer is None:
        return Carried(None, None, ties)
    source, answer = run.answer(job.answer)
    return Carried(answer, source, ties)


def _literals(builder: Builder, job: Job) -> dict[str, Any]:
    """The plain values that the request states, noted as such."""
    values: dict[str, Any] = {}
    for name, drawn in job.drawn.items():
        for value, text in drawn.parts:
            builder.literal(value, text)
        if not drawn.rows:
            values[name] = drawn.value if drawn.parts else builder.literal(drawn.value, _unmarked(drawn.text))
    return values


def _unmarked(text: str) -> str:
    return text.replace("\x01", "").replace("\x02", "")


def _pick(builder: Builder, tool: Tool, outcome: Any, pick: Mapping[Any, Any], choice: int) -> tuple[tuple[str | int, ...], int]:
    """The place of the picked row in a result, and how many rows tie for it."""
    key = next((k for k, r in tool.program.returns.items() if r.many), "")
    rows = outcome[key] if key else outcome
    how, by = next(iter(pick.items()))
    if not isinstance(rows, list) or not rows:
        raise NotBuilt("nothing_to_pick")
    if how == "only" and len(rows) != 1:
        raise NotBuilt("not_the_only_one")
    if how in ("first", "only"):
        tied = [0]
    else:
        numbers = [float(row[str(by)]) if not _is_text(row[str(by)]) else row[str(by)] for row in rows]
        best = min(numbers) if how == "lowest" else max(numbers)
        tied = [i for i, n in enumerate(numbers) if n == best]
        if len(tied) == len(rows) and len(rows) >= builder.domain.surface.page_size:
            raise NotBuilt("ties_beyond_the_page")
    if len(tied) > MAX_TIES:
        raise NotBuilt("too_many_ties")
    index = tied[choice if len(tied) > 1 else 0]
    return ((key, index) if key else (index,)), len(tied)


def _is_text(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return True
    return False


@dataclass(slots=True)
class _Run:
    """Values of a job while it is carried out."""

    builder: Builder
    job: Job
    values: dict[str, Any]
    results: dict[str, tuple[int, tuple[str | int, ...]]]

    def argument(self, wanted: Any) -> Any:
        """The argument that a step's `with` names: a path, a plain value, `{value: …}` or `{sql: …}`."""
        if isinstance(wanted, dict):
            if "value" in wanted:
                return self.builder.literal(wanted["value"], STATED)
            named = wanted.get("uses", {})
            uses = {m: self.argument(named.get(m, m)) for m in re.findall(r":([a-z][a-z0-9_]*)", wanted["sql"])}
            return Derived(wanted["sql"], uses)
        if not isinstance(wanted, str):
            return [self.argument(w) for w in wanted] if isinstance(wanted, list) else wanted
        root, *rest = wanted.split(".")
        if root in self.results:
            number, place = self.results[root]
            return Ref(number, (*place, *(int(r) if r.isdigit() else r for r in rest)))
        if root in ("today", "now"):
            domain = self.builder.domain
            return domain.today if root == "today" else domain.now
        if root in self.job.skipped:
            return None
        drawn = self.job.drawn.get(root)
        if drawn is None:
            raise LookupError(f"{self.job.key}: {wanted!r} is neither given, nor an earlier step's result")
        if not drawn.rows:
            return self.values[root]
        if isinstance(drawn.value, list):
            return [self.builder.locate(r.entity, r.id, r.claims) for r in drawn.rows]
        return self._along(drawn.rows[0], rest)

    def _along(self, row: Description, path: list[str]) -> Any:
        """A described row's id, or a column reached from it, looked up on the way."""
        builder = self.builder
        found = builder.locate(row.entity, row.id, row.claims)
        entity, identifier = row.entity, row.id
        for column in path:
            found = builder.cell(entity, identifier, column)
            entity = builder.domain.tables[entity].columns[column].ref
            identifier = str(value_of(found, builder.results))
        return found

    def answer(self, spec: AnswerSpec) -> tuple[Any, Answer]:
        """Where the answer stands, and the answer itself."""
        root, _, rest = spec.path.partition(".")
        many = spec.path.endswith("[]") or "[]." in spec.path
        if root.removesuffix("[]") not in self.results:
            raise NotBuilt("no_answer")
        number, place = self.results[root.removesuffix("[]")]
        if not many:
            ref = Ref(number, (*place, *(int(r) if r.isdigit() else r for r in rest.split("."))))
            return ref, typed_answer(spec.type, value_of(ref, self.builder.results))
        before, _, column = spec.path.partition("[]")
        inner = before.partition(".")[2]
        at = (*place, *([inner] if inner else []))
        rows = value_of(Ref(number, at), self.builder.results)
        refs = [Ref(number, (*at, i, *([column[1:]] if column else []))) for i in range(len(rows))]
        return refs, typed_answer(spec.type, [value_of(r, self.builder.results) for r in refs])


def typed_answer(kind: Any, value: Any) -> Answer:
    """An answer of a type from a value as a result shows it. Raises NotBuilt where there is none."""
    if value is None or value == [] or value == "":
        raise NotBuilt("no_answer")
    if kind == "money":
        return Answer("money", round(float(value) * 100))
    if kind == "ids":
        return Answer("ids", sorted(str(v) for v in value))
    if kind == "date":
        return Answer("date", str(value)[:10])
    return Answer(kind, value if kind == "number" else str(value))
