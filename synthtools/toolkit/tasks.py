"""Tasks for a toolkit, written in YAML and proven by the same gates as any other.

A task is a request, a solution and an ending; its goal is the net change that executing the solution comes to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from synthtools.alter import literals
from synthtools.backend import Backend, Snapshot
from synthtools.document import DocumentError, read_text
from synthtools.domain import Domain
from synthtools.goal import Alternative, Answer, Goal
from synthtools.grounding import grounding
from synthtools.playback import Episode
from synthtools.proof import Prover
from synthtools.source import BlueprintError, Place, Source
from synthtools.task import STATED, Derived, Ref, SolutionStep, Task, value_of
from synthtools.tool import Tool
from synthtools.toolkit.check import find_check
from synthtools.toolkit.fault import ToolkitError, one_line
from synthtools.toolkit.written import AnswerSpec, Call, TaskSpec, read_tasks


@dataclass(frozen=True, slots=True)
class Proven:
    """The tasks of a file that passed every gate, and those that did not."""

    tasks: tuple[Task, ...]
    dropped: Mapping[str, str]
    """Id → the gate that turned the task away."""
    kinds: Mapping[str, str]
    """Id → kind, of all."""
    why: Mapping[str, str]
    """Id → what the gate has against this very task, where more is known than which gate it was."""


def prove_tasks(path: str | Path, domain: Domain, backend: Backend) -> Proven:
    """Read a file of tasks and prove each on a backend of its own. Raises BlueprintError with file and line for what cannot be read."""
    path = Path(path)
    try:
        source = Source(read_text(path), str(path))
    except DocumentError as error:
        raise BlueprintError(str(path), error.line, "", str(error)) from None
    specs = read_tasks(source)
    prover = Prover(domain, backend)
    kinds = {spec.id: _kind(spec, specs, domain) for spec in specs}
    made: dict[str, Task] = {}
    dropped: dict[str, str] = {}
    why: dict[str, str] = {}
    for number, spec in enumerate(specs):
        writer = _Writer(domain, spec, source, ("tasks", number))
        gate, told = _prove(prover, writer, kinds[spec.id], made)
        if gate:
            dropped[spec.id] = gate
        if told:
            why[spec.id] = told
    for spec in specs:
        if spec.id in made and spec.twin and spec.twin not in made:
            dropped[spec.id], why[spec.id] = "twins", f"its twin {spec.twin} was turned away"
    tasks = tuple(_named(made[spec.id], spec, domain) for spec in specs if spec.id not in dropped)
    return Proven(tasks, dropped, kinds, why)


def _named(task: Task, spec: TaskSpec, domain: Domain) -> Task:
    return replace(task, twin=f"{domain.name}/{spec.twin}" if spec.twin else "")


def _kind(spec: TaskSpec, specs: Sequence[TaskSpec], domain: Domain) -> str:
    """The kind that a task is; twins are of one kind."""
    pair = [spec, *(other for other in specs if other.id == spec.twin)]
    if any(one.withheld for one in pair):
        return "missing_tool"
    if any(one.outcome == "not_allowed" for one in pair):
        return "forbidden"
    if any(one.outcome == "impossible" for one in pair):
        return "conditional"
    writes = sum(step.call in domain.tools and not domain.tools[step.call].read_only for step in spec.solution)
    if not writes:
        return "question"
    return "several" if writes > 1 else "single" if len(spec.solution) == 1 else "chain"


def _prove(prover: Prover, writer: _Writer, kind: str, made: dict[str, Task]) -> tuple[str, str]:
    """The gate that turns a task away and what it has against it, or nothing: then it is among those made."""
    task = writer.task(kind)
    episode = prover.play(task, task.solution)
    if episode.failed or episode.ending is None:
        return "solution_runs", writer.broken(episode)
    task = replace(task, goal=writer.goal(episode))
    gate = prover.prove(task)
    if not gate:
        made[writer.spec.id] = task
    return gate, _against(gate, task, episode, prover, writer)


def _against(gate: str, task: Task, episode: Episode, prover: Prover, writer: _Writer) -> str:
    """What a gate has against a task, where more is known than which gate it was."""
    if gate == "grounded":
        return writer.unsaid(task, episode)
    if gate == "every_write_needed" and (number := prover.needless(task, episode)) is not None:
        return writer.unneeded(number)
    return ""


class _Writer:
    """Turns one task as written into a Task."""

    def __init__(self, domain: Domain, spec: TaskSpec, source: Source, place: Place) -> None:
        self.domain, self.spec, self.source, self.place = domain, spec, source, place

    def error(self, what: str, *at: str | int) -> BlueprintError:
        return self.source.error((*self.place, *at), what)

    def broken(self, episode: Episode) -> str:
        """Which call of the solution came back with which error, or that its end is none."""
        for number, (call, result) in enumerate(zip(episode.calls, episode.results, strict=True)):
            if result.mistaken:
                told = orjson.loads(result.content) or {"error": result.error}
                return f"{self._call(number, call.name)} came back with {one_line(': '.join(map(str, told.values())))}"
        return f"its end is none that `finish` takes: outcome {self.spec.outcome}, about {self.spec.about!r}"

    def unsaid(self, task: Task, episode: Episode) -> str:
        """Which value of the solution the request does not say."""
        values = [
            (number, step.name, name, literal)
            for number, step in enumerate(task.solution[:-1])
            for name, argument in step.arguments.items()
            for literal in literals(argument)
        ]
        said = grounding(task, episode.results, self.domain.tools)
        number, tool, name, literal = next(value for value, is_said in zip(values, said, strict=True) if not is_said)
        mend = "say it there, give its words under `said:`, or take it from a result"
        return f"the request does not say {orjson.dumps(literal).decode()}, which {self._call(number, tool)} has as {name}; {mend}"

    def unneeded(self, number: int) -> str:
        """Which call of the solution the goal is met without."""
        return f"{self._call(number, self.spec.solution[number].call)} is not needed: the goal is met without it; leave it out"

    def _call(self, number: int, tool: str) -> str:
        return f"call {number} of its solution ({tool}, line {self.error('', 'solution', number).line})"

    def task(self, kind: str) -> Task:
        """The task, its goal still unknown. Raises BlueprintError."""
        spec = self.spec
        for name in spec.withheld:
            if name not in self.domain.tools:
                raise self.error(f"there is no tool {name!r}", "withheld")
        steps = [self._step(number, call) for number, call in enumerate(spec.solution)]
        said = self._said(steps)
        ending: dict[str, Any] = {"outcome": spec.outcome} | ({"about": spec.about} if spec.about else {})
        if spec.answer is not None:
            ending["answer"] = self._shown_answer(spec.answer, len(steps))
        solution = (*steps, SolutionStep("finish", ending))
        return Task(
            id=f"{self.domain.name}/{spec.id}",
            domain=self.domain.name,
            field=self.domain.field,
            split=self.domain.split,
            kind=kind,
            difficulty=min(10, len(steps) + 1),
            start=Snapshot(self.domain.digest, spec.world),
            withheld=tuple(spec.withheld),
            request=spec.request,
            goal=Goal((Alternative((), spec.outcome, spec.about),)),
            solution=solution,
            skeleton=_masked(spec.request, said),
            said=said,
        )

    def _step(self, number: int, call: Call) -> SolutionStep:
        tool = self.domain.tools.get(call.call)
        if tool is None:
            raise self.error(f"there is no tool {call.call!r}; there are {', '.join(self.domain.tools)}", "solution", number, "call")
        self._check_names(tool, number, call)
        arguments = {name: self._argument(value, number, ("solution", number, "with", name)) for name, value in call.with_.items()}
        return SolutionStep(call.call, arguments)

    def _check_names(self, tool: Tool, number: int, call: Call) -> None:
        for name in call.with_:
            if name not in tool.parameters["properties"]:
                raise self.error(f"{call.call} has no argument {name!r}", "solution", number, "with", name)
        for name in tool.parameters["required"]:
            if name not in call.with_:
                raise self.error(f"{call.call} needs the argument {name!r}", "solution", number)

    def _argument(self, value: Any, before: int, at: Place) -> Any:
        """A value as written: a literal, or where it comes from."""
        if isinstance(value, list):
            return [self._argument(entry, before, (*at, index)) for index, entry in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if "from" in value:
            step, path = value["from"], value.get("at", [])
            if set(value) - {"from", "at"} or type(step) is not int or not isinstance(path, list) or not 0 <= step < before:
                raise self.error(f"`from:` is the number of an earlier call (0 to {before - 1}), and `at:` a list of keys", *at)
            return Ref(step, tuple(path))
        if "sql" in value:
            uses = value.get("uses", {})
            if set(value) - {"sql", "uses"} or not isinstance(value["sql"], str) or not isinstance(uses, dict):
                raise self.error("a derived value is `{sql: …, uses: {name: value}}`", *at)
            return Derived(value["sql"], {name: self._argument(used, before, (*at, "uses", name)) for name, used in uses.items()})
        if any(isinstance(inner, dict | list) for inner in value.values()):
            raise self.error("a mapping as an argument holds plain values only", *at)
        return value

    def _said(self, steps: Sequence[SolutionStep]) -> dict[str, str]:
        """Literal (as JSON text) → how the request says it. Raises BlueprintError for words about no literal."""
        said: dict[str, str] = {}
        used: set[str] = set()
        for literal in (found for step in steps for argument in step.arguments.values() for found in literals(argument)):
            parts = list(literal.values()) if isinstance(literal, dict) else [literal]
            words = [self._words(part, used) for part in parts]
            whole = all(word == STATED or (word and _stands(word, self.spec.request)) for word in words)
            said[orjson.dumps(literal).decode()] = words[0] if not isinstance(literal, dict) else STATED if whole else ""
        for strange in sorted(set(self.spec.said) - used):
            raise self.error(f"no call of the solution has the value {strange!r}", "said", strange)
        return said

    def _words(self, literal: Any, used: set[str]) -> str:
        text = orjson.dumps(literal).decode() if isinstance(literal, bool) or literal is None else str(literal)
        if text in self.spec.said:
            used.add(text)
            return self.spec.said[text]
        return "" if isinstance(literal, bool) or literal is None else text

    def _shown_answer(self, answer: AnswerSpec, count: int) -> Any:
        source = self._source(answer, count)
        if answer.type == "money":
            return Derived(":cents / 100.0", {"cents": source})
        return source

    def _source(self, answer: AnswerSpec, count: int) -> Any:
        if answer.from_ is None:
            return answer.value
        value = answer.from_ if isinstance(answer.from_, dict | list) else {"from": answer.from_}
        return self._argument(value, count, ("answer", "from"))

    def goal(self, episode: Episode) -> Goal:
        """What executing the solution came to. Raises BlueprintError for an answer of another type than it says."""
        answer = None
        if self.spec.answer is not None:
            value = value_of(self._source(self.spec.answer, len(episode.calls)), [orjson.loads(r.content) for r in episode.results])
            answer = Answer(self.spec.answer.type, self._typed(self.spec.answer.type, value))
        if self.spec.check:
            return Goal((Alternative((), self.spec.outcome, self.spec.about, answer, self._check()),))
        return Goal((Alternative(episode.changes, self.spec.outcome, self.spec.about, answer),))

    def _check(self) -> str:
        """The task's own check, which there is. Raises BlueprintError."""
        try:
            find_check(self.domain, self.spec.check)
        except ToolkitError as error:
            raise self.error(str(error), "check") from None
        return self.spec.check

    def _typed(self, kind: str, value: Any) -> Any:
        if kind == "ids" and isinstance(value, list) and value and all(isinstance(v, str) for v in value):
            return sorted(value)
        fits = {"number": (int, float), "money": (int,), "ids": ()}.get(kind, (str,))
        if type(value) not in fits:
            raise self.error(f"the answer is {str(value)[:60]!r}, which is no {kind}", "answer")
        return value


def _stands(words: str, request: str) -> bool:
    return words.casefold() in request.casefold()


def _masked(request: str, said: Mapping[str, str]) -> str:
    """The request with the values that it says masked."""
    for words in sorted((w for w in said.values() if w not in ("", STATED)), key=len, reverse=True):
        request = request.replace(words, "…")
    return request
