"""Altering reference solutions: mutants that must fail, and other orders that must succeed."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from synthtools.domain import Domain
from synthtools.goal import Answer
from synthtools.seed import generator
from synthtools.task import Derived, Ref, SolutionStep, Task, refs
from synthtools.tool import Tool

Ids = Callable[[str], Sequence[str]]
"""Gives the ids of a table."""
MUTANTS = 3
"""Mutated solutions tried for each task."""


def wrong_answer(answer: Answer) -> Any:
    """An answer of the same type that is not the right one."""
    value = answer.value
    if answer.type == "money":
        return value / 100 + 1
    if answer.type == "number":
        return value + 1
    if answer.type == "ids":
        return [*value, f"{value[0]}9"]
    if answer.type == "date":
        return f"{int(value[:4]) + 1}{value[4:]}"
    return f"{value}9"


def same_shape(one: Tool, other: Tool) -> bool:
    """Whether two tools take the same required arguments and run the same effects."""
    return sorted(one.parameters["required"]) == sorted(other.parameters["required"]) and one.program.effects == other.program.effects


def literals(argument: Any) -> Iterator[Any]:
    """Every literal inside an argument."""
    if isinstance(argument, Ref):
        return
    if isinstance(argument, Derived):
        for inner in argument.uses.values():
            yield from literals(inner)
    elif isinstance(argument, list | tuple):
        for inner in argument:
            yield from literals(inner)
    else:
        yield argument


def without(steps: Sequence[SolutionStep], index: int) -> tuple[SolutionStep, ...]:
    """The steps with one replaced by nothing, so that later references keep their numbers."""
    return tuple(SolutionStep("", {}) if i == index else step for i, step in enumerate(steps))


def swapped_blocks(steps: Sequence[SolutionStep], writes: Sequence[int]) -> Iterator[tuple[SolutionStep, ...]]:
    """The steps with two neighbouring writes, each with the look-ups before it, the other way round, where neither needs the other."""
    starts = [0, *(w + 1 for w in writes[:-1])]
    for (first, middle), (_, last) in zip(zip(starts, writes, strict=True), list(zip(starts, writes, strict=True))[1:], strict=False):
        later = range(middle + 1, last + 1)
        if any(first <= r.step <= middle for i in later for v in steps[i].arguments.values() for r in refs(v)):
            continue
        order = [*range(first), *later, *range(first, middle + 1), *range(last + 1, len(steps))]
        place = {old: new for new, old in enumerate(order)}
        yield tuple(SolutionStep(steps[i].name, {k: renumbered(v, place) for k, v in steps[i].arguments.items()}) for i in order)


def renumbered(argument: Any, place: Mapping[int, int]) -> Any:
    """An argument after its results have other numbers: old → new."""
    if isinstance(argument, Ref):
        return Ref(place[argument.step], argument.path)
    if isinstance(argument, Derived):
        return Derived(argument.sql, {k: renumbered(v, place) for k, v in argument.uses.items()})
    return [renumbered(v, place) for v in argument] if isinstance(argument, list | tuple) else argument


def mutants(task: Task, domain: Domain, ids: Ids, writes: Sequence[int]) -> Iterator[tuple[SolutionStep, ...]]:
    """Solutions with one thing wrong, at most MUTANTS of them, the same for the same task."""
    rng = generator("mutants", task.request, task.start.world)
    accepted = {str(c.after.get(k)) for a in task.goal.alternatives for c in a.changes for k in c.after} | {
        c.key for a in task.goal.alternatives for c in a.changes
    }
    spots = [(i, name) for i in writes for name in task.solution[i].arguments if name in domain.tools[task.solution[i].name].parameters["properties"]]
    rng.shuffle(spots)
    made = 0
    for index, name in spots:
        step = task.solution[index]
        tool = domain.tools[step.name]
        for wrong in _wrong_values(tool, name, step.arguments[name], ids, rng):
            if str(wrong) in accepted or made >= MUTANTS - 1:
                continue
            made += 1
            changed = SolutionStep(step.name, {**step.arguments, name: wrong})
            yield (*task.solution[:index], changed, *task.solution[index + 1 :])
    if writes:
        last = writes[-1]
        steps = task.solution
        after = (SolutionStep(s.name, {k: _shifted(v, last) for k, v in s.arguments.items()}) for s in steps[last + 1 :])
        yield (*steps[: last + 1], steps[last], *after)


def _shifted(argument: Any, after: int) -> Any:
    return renumbered(argument, {r.step: r.step + (r.step > after) for r in refs(argument)})


def _wrong_values(tool: Tool, name: str, value: Any, ids: Ids, rng: random.Random) -> Iterator[Any]:
    schema = tool.parameters["properties"][name]
    entity = tool.refers.get(name)
    if entity is not None and not isinstance(value, list):
        rows = ids(entity)
        if rows:
            yield rng.choice(rows)
    elif "enum" in schema:
        others = [v for v in schema["enum"] if v != value]
        if others:
            yield rng.choice(others)
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield value + 1
    elif schema.get("format") == "date" and isinstance(value, str):
        yield (datetime.date.fromisoformat(value) + datetime.timedelta(days=1)).isoformat()
