"""The kinds of task: each draws a job, carries it out, and says what success is. What cannot be made raises NotBuilt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from synthtools import language as words
from synthtools.backend import Snapshot
from synthtools.finish import abilities
from synthtools.goal import Alternative, Answer
from synthtools.setup import SetupError
from synthtools.tasks.asking import confirmation, identity, missing_information
from synthtools.tasks.build import Builder, NotBuilt
from synthtools.tasks.conditionals import conditional
from synthtools.tasks.describe import Description
from synthtools.tasks.dual import dual_control
from synthtools.tasks.job import Job
from synthtools.tasks.maker import Candidate, Made, Maker
from synthtools.tasks.questions import question
from synthtools.tasks.recovering import recovery
from synthtools.tasks.setup import bind_setup, evidence, forced_break, tempt
from synthtools.tool import Tool


def single(maker: Maker) -> Made:
    """One call besides the ending; rows are named by their numbers."""
    tool = maker.pick([*maker.writes, *maker.asks])
    job = maker.jobs.of_tool(tool, by_id=True)
    made = maker.candidate("single", maker.command(job), [job], maker.start)
    if len(made.task.solution) != 2:
        raise NotBuilt("not_single")
    return (made,)


def chain(maker: Maker) -> Made:
    """One job whose rows must be looked up, or a workflow."""
    job = maker.workflow_job(maker.acts) if maker.rng.random() < 0.45 else maker.write_job()
    made = maker.candidate("chain", maker.command(job), [job], maker.start)
    if len(made.task.solution) < 3:
        raise NotBuilt("not_a_chain")
    return (made,)


def several(maker: Maker) -> Made:
    """Two or three jobs in one request, on different rows."""
    count = 2 if maker.rng.random() < 0.7 else 3
    jobs = [maker.write_job(clause=True, by_id=maker.rng.random() < 0.25) for _ in range(count)]
    seen = [row.id for job in jobs for d in job.drawn.values() for row in d.rows]
    if len(set(seen)) != len(seen):
        raise NotBuilt("same_row_twice")
    request = words.ask_several(maker.manner, [job.phrase for job in jobs], maker.rng)
    return (maker.candidate("several", request, jobs, maker.start, extra=count - 1),)


def _no_change(maker: Maker, job: Job, row: Description, start: Snapshot, ending: Mapping[str, Any], asked: tuple[str, Sequence[str]]) -> Candidate:
    """The half of a twin pair in which nothing may change and a number must be given."""
    request, withheld = asked
    kind = "missing_tool" if withheld else "forbidden"
    maker.backend.reset(start)
    builder = Builder(maker.domain, maker.backend, maker.describer, withheld)
    source = builder.locate(row.entity, row.id, row.claims)
    if kind == "forbidden":
        evidence(builder, maker.domain, ending["about"], [r for d in job.drawn.values() for r in d.rows])
    answer = Answer("id", row.id)
    alternative = Alternative((), ending["outcome"], ending["about"], answer)
    described = tuple(r for d in job.drawn.values() for r in d.rows)
    solved = ((alternative,), builder, {**ending, "answer": source})
    return maker.task(kind, request, start, solved, described, len(builder.steps) + 2)


def missing_tool(maker: Maker) -> Made:
    """A job without the tool it needs, and its twin with it."""
    job = maker.workflow_job(maker.acts) if maker.rng.random() < 0.3 else maker.write_job()
    keys = {t.key: t for t in maker.domain.tools.values()}
    missing: Tool = keys[maker.pick([s.call for s in job.steps if not keys[s.call].read_only])]
    row, noun = maker.fallback(job)
    request = words.ask_command(maker.manner, job.phrase, maker.rng, words.fallback(noun, maker.rng))
    ending = {"outcome": "impossible", "about": abilities(maker.domain)[missing.key]}
    without = _no_change(maker, job, row, maker.start, ending, (request, (missing.key,)))
    twin = maker.candidate("missing_tool", request, [replace(job, answer=None)], maker.start)
    return without, twin


def _stand_at(maker: Maker, start: Snapshot) -> None:
    """Reset to a start; a set-up that the database refuses makes no task."""
    try:
        maker.backend.reset(start)
    except SetupError:
        raise NotBuilt("setup_refused") from None


def forbidden(maker: Maker) -> Made:
    """A job that a policy forbids in this world, and its twin in a world where it is allowed."""
    name = maker.pick(list(maker.domain.policies))
    policy = maker.domain.blueprint.policies[name]
    tool = maker.domain.tool(policy.tempts)
    arguments = tempt(maker.jobs.sampler, policy, tool)
    bad, good = (replace(maker.start, setup=bind_setup(setup, arguments, tool, maker.domain)) for setup in (policy.forbid, policy.allow))
    for start in (good, bad):
        _stand_at(maker, start)
    if not forced_break(maker.backend, maker.domain, tool, arguments, name):
        raise NotBuilt("policy_not_broken")
    job = maker.jobs.of_tool(tool, fixed=arguments, phrases=policy.asked_as if maker.rng.random() < 0.6 else ())
    row, noun = maker.fallback(job)
    request = words.ask_command(maker.manner, job.phrase, maker.rng, words.fallback(noun, maker.rng))
    ending = {"outcome": "not_allowed", "about": name}
    refused = _no_change(maker, job, row, bad, ending, (request, ()))
    allowed = maker.candidate("forbidden", request, [replace(job, answer=None)], good)
    return refused, allowed


KINDS: Mapping[str, Callable[[Maker], Made]] = {
    "single": single,
    "chain": chain,
    "several": several,
    "conditional": conditional,
    "question": question,
    "missing_tool": missing_tool,
    "forbidden": forbidden,
    "missing_information": missing_information,
    "confirmation": confirmation,
    "identity": identity,
    "dual_control": dual_control,
    "recovery": partial(recovery, (single, chain, several, question), missing_tool),
}
"""Kind → its maker."""
