"""Playing steps of one's own choosing, for tests of what is said of episodes: a reference altered, or anything else."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson

from agents.agent import Turn
from agents.episode import begin, episode
from agents.trajectory import Trajectory
from envs import ToolEnv
from envs.spaces import draw_value
from synthtools.alter import mutants, swapped_blocks, without
from synthtools.backend import LocalBackend
from synthtools.fair import SqlFairness
from synthtools.faulty import sound
from synthtools.goal import OUTCOMES
from synthtools.task import SolutionStep, Task, resolve


@dataclass(frozen=True, slots=True)
class Act:
    """A step, and the number by which others refer to its result."""

    label: int
    step: SolutionStep
    as_text: str = ""
    """In place of its arguments: text, as a model wrote it."""


Plan = tuple[Act, ...]


def plan_of(steps: Sequence[SolutionStep]) -> Plan:
    """Steps in their own order."""
    return tuple(Act(number, step) for number, step in enumerate(steps))


def call(name: str, /, **arguments: Any) -> Act:
    """A call that nothing refers to."""
    return Act(-1, SolutionStep(name, arguments))


def played(task: Task, plan: Plan, env: ToolEnv) -> Trajectory:
    """Play a plan: acts that refer to what is not there are left out; one that does not finish makes its last call until the limit."""
    observation, opening = begin(task, env, 0)
    playing = episode(observation, opening, env, pack="pack", agent="follower", trial=0)
    results: Any = {}
    turn = Turn((resolve(SolutionStep("nothing", {}), ()),))
    try:
        next(playing)
        for act in plan:
            try:
                made = resolve(act.step, results)
            except LookupError:
                continue
            turn = Turn((replace(made, arguments=act.as_text) if act.as_text else made,))
            results[act.label] = orjson.loads(playing.send(turn)[-1])
        while True:
            playing.send(turn)
    except StopIteration as over:
        trajectory = over.value
    assert isinstance(trajectory, Trajectory)
    return trajectory


def altered(task: Task, env: ToolEnv, count: int) -> Iterator[Plan]:
    """Altered solutions of a task: every kind of mutant, and so many with several drawn mistakes; the same each time."""
    env.reset(options={"task": task})
    backend = sound(env.backend)
    assert isinstance(backend, LocalBackend)
    fair, domain, tools = SqlFairness(env.domain, backend), env.domain, env.tools
    writes = [i for i, step in enumerate(task.solution) if step.name in domain.tools and not domain.tools[step.name].read_only]
    swapped = swapped_blocks(task.solution, writes) if writes else ()
    for steps in [*mutants(task, domain, fair.ids, writes), *(without(task.solution, i) for i in writes), *swapped]:
        yield plan_of([step for step in steps if step.name])
    chance = random.Random(task.id)
    schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in tools}
    for _ in range(count):
        plan = plan_of(task.solution)
        for _ in range(chance.randint(1, 3)):
            plan = _mistaken(plan, schemas, chance)
        yield plan


def _mistaken(plan: Plan, schemas: Mapping[str, Any], chance: random.Random) -> Plan:
    """A plan with one more mistake."""
    at = chance.randrange(len(plan)) if plan else 0
    before, act, after = plan[:at], plan[at : at + 1], plan[at + 1 :]
    ending = SolutionStep("finish", {"outcome": chance.choice(OUTCOMES), "about": chance.choice(("", "insurance", "book stay")), **_answer(chance)})
    return chance.choice(
        (
            (*before, *after),
            (*before, *act, *(Act(-1, one.step) for one in act), *after),
            (*before, _drawn(schemas, chance), *act, *after),
            (*before, *(replace(one, as_text=chance.choice(('{"a"', "[]", "nothing", '{"a": 1, "a": 2}'))) for one in act), *after),
            (*before, call("summon", what="help"), *after),
            (*unended(plan), Act(-1, ending)),
            (*before, call("finish", outcome="done")),
            (*before, *after[:-1], *act, *after[-1:]),
            (*before, *(_misled(one, chance) for one in act), *after),
            unended(plan),
        )
    )


def unended(plan: Plan) -> Plan:
    """A plan without its end."""
    return tuple(act for act in plan if act.step.name != "finish")


def _answer(chance: random.Random) -> Mapping[str, Any]:
    return {"answer": chance.choice(("42", "D-0001", 7, None))} if chance.random() < 0.5 else {}


def _drawn(schemas: Mapping[str, Any], chance: random.Random) -> Act:
    """Any call that a schema takes."""
    name = chance.choice(sorted(schemas))
    return call(name, **draw_value(schemas[name], np.random.Generator(np.random.PCG64(chance.getrandbits(32)))))


def _misled(act: Act, chance: random.Random) -> Act:
    """The call with one argument that is another."""
    if not act.step.arguments:
        return act
    wrong = {chance.choice(sorted(act.step.arguments)): chance.choice((1, "A1", "2026-06-12", "S-00001", None, True))}
    return replace(act, step=SolutionStep(act.step.name, {**act.step.arguments, **wrong}))
