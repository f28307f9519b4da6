"""Recovery: a job in whose way something goes wrong, and the way around it; or a tool that is down for good, and its twin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import orjson

from synthtools.catalog import catalog
from synthtools.fault import DOWN_AFTER, ExtraTool, ExtraTools, Fault, TerseDocs, Unavailable
from synthtools.load import load_domain
from synthtools.recovery import Recovery
from synthtools.task import SolutionStep, Task
from synthtools.tasks.build import NotBuilt
from synthtools.tasks.maker import Candidate, Made, Maker
from synthtools.tasks.played import Faulted, Played, moved, splice
from synthtools.tasks.striking import STRIKERS

KIND = "recovery"
_DOWN = "down"
_BASES = 8
"""Jobs that are tried for a type of fault."""
_DISTURBED = 0.25
"""Share of tasks with extra tools, and of those with terse docs, besides the fault."""
_EXTRA = (3, 6)

Base = Callable[[Maker], Made]


def recovery(bases: Sequence[Base], missing: Base, maker: Maker) -> Made:
    """A type of fault, in a job of one of the other kinds. `missing` gives the pair of which a tool that is down makes another."""
    kind = maker.pick([*STRIKERS, _DOWN])
    reason = "nothing_to_strike"
    for _ in range(_BASES):
        try:
            return down(maker, missing(maker)) if kind == _DOWN else (struck(maker, maker.pick(bases)(maker)[0], kind),)
        except NotBuilt as error:
            reason = str(error)
    raise NotBuilt(reason)


def struck(maker: Maker, base: Candidate, kind: str) -> Candidate:
    """A task without faults as one with a fault of a type, of `STRIKERS`. Raises NotBuilt."""
    played = _played(maker, base.task)
    made = STRIKERS[kind](played)
    return _candidate(maker, base, made)


def _played(maker: Maker, task: Task) -> Played:
    played = Played(maker.domain, maker.backend, maker.jobs.sampler, maker.rng, task, ())
    results = played.after(task.solution[:-1])
    return replace(played, results=tuple(orjson.loads(result.content) for result in results))


def _candidate(maker: Maker, base: Candidate, made: Faulted) -> Candidate:
    """The task with its faults, and what disturbs besides."""
    task = base.task
    more = len(made.solution) - len(task.solution)
    faults: tuple[Fault, ...] = (*made.faults, *_disturbances(maker))
    changed = replace(task, kind=KIND, faults=faults, solution=made.solution, difficulty=min(10, task.difficulty + max(1, more)))
    return Candidate(changed, base.described, Recovery(task.solution, made.naive))


def _disturbances(maker: Maker) -> tuple[Fault, ...]:
    """Extra tools, or terse docs, or both, or mostly neither."""
    found: list[Fault] = []
    if maker.rng.random() < _DISTURBED:
        found.append(ExtraTools(_strangers(maker)))
    if maker.rng.random() < _DISTURBED:
        found.append(TerseDocs())
    return tuple(found)


def _strangers(maker: Maker) -> tuple[ExtraTool, ...]:
    """Tools of another domain of the same split, whose names the own one has not."""
    own = maker.domain.tools
    others = [entry.name for entry in catalog().values() if entry.split == maker.domain.split and entry.field != maker.domain.field]
    tools = [tool for tool in load_domain(maker.pick(others)).tools.values() if tool.name not in own]
    chosen = maker.rng.sample(tools, min(len(tools), maker.rng.randint(*_EXTRA)))
    return tuple(ExtraTool(tool.name, tool.description, _plain(tool.schema()["function"]["parameters"])) for tool in chosen)


def _plain(parameters: Any) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(orjson.dumps(parameters))
    return found


def down(maker: Maker, pair: Made) -> Made:
    """The needed tool is down for good: it is tried as often as is documented, and given up; in the twin it comes back before that.

    Takes a pair without and with the tool. Raises NotBuilt.
    """
    without, twin = pair
    played = _played(maker, twin.task)
    missing = maker.domain.tool(without.task.withheld[0])
    writes = played.writes()
    index = next(i for i in writes if played.tool(i).key == missing.key)
    if index != writes[0]:
        raise NotBuilt("something_done_before")
    step = twin.task.solution[index]
    tried = (*twin.task.solution[:index], *(step,) * DOWN_AFTER)
    place = {number: number + len(tried) for number in range(len(without.task.solution))}
    gone = Faulted(
        (Unavailable(missing.key, 1, 0),),
        (*tried, *(moved(each, place) for each in without.task.solution)),
        (twin.task.solution, (*tried, SolutionStep("finish", {"outcome": "done"}))),
    )
    back = Faulted(
        (Unavailable(missing.key, 1, DOWN_AFTER - 1),),
        splice(twin.task.solution, index, (step,) * DOWN_AFTER, DOWN_AFTER - 1),
        (twin.task.solution, (*tried[:-1], SolutionStep("finish", {"outcome": "impossible", "about": without.task.goal.alternatives[0].about}))),
    )
    first, second = _candidate(maker, without, gone), _candidate(maker, twin, back)
    said = {**second.task.said, **first.task.said}
    disturbed = (*gone.faults, *first.task.faults[1:])
    return (
        replace(first, task=replace(first.task, withheld=(), said=said, faults=disturbed), recovery=Recovery(twin.task.solution, gone.naive)),
        replace(second, task=replace(second.task, faults=(*back.faults, *first.task.faults[1:]))),
    )
