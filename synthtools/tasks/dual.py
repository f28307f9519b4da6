"""Dual control: a job of which one step is the user's to take, with a tool that the agent has not."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from synthtools import language as words
from synthtools.blueprint import Step
from synthtools.finish import abilities
from synthtools.goal import Alternative, Answer
from synthtools.instruction import Doing
from synthtools.rule import Rule
from synthtools.task import Derived
from synthtools.tasks.asking import asker
from synthtools.tasks.build import Builder, NotBuilt
from synthtools.tasks.describe import Description
from synthtools.tasks.job import Job
from synthtools.tasks.maker import Candidate, Made, Maker
from synthtools.tool import Tool
from synthtools.user import Deed, User

_ONLY_THEY = (
    "Some things only the person who asks can do, with their own sign-in. Here it is: {a}. Have them do it before you change anything.",
    "For one step you have no tool, and the person who asks may have one in their own account: {a}. Ask them to do it, before all else.",
    "One thing is not for you to do: {a}. Whoever asks for it does it, under their own name. Ask for that first, and change nothing before.",
)
_IF_NOT = "If they cannot, change nothing, and finish with impossible about {a}."
_COULD = (
    "With your own sign-in, could you please {c}?",
    "I have no tool for this one. In your own account, would you {c}?",
    "This is yours to do. With your own sign-in, please {c}.",
)
_NAMED = ("The {n} is {v} in the records.", "You will find the {n} as {v}.", "It is about {v}.")
_PARTICLES = ("in", "out", "off", "up", "down", "back", "over", "on", "again")
_SAME = (
    frozenset(("create", "add", "enter", "register", "open")),
    frozenset(("update", "change", "edit", "correct", "amend", "set")),
    frozenset(("book", "reserve")),
    frozenset(("cancel", "withdraw")),
    frozenset(("close", "end")),
)
"""Verbs of which one is meant by another."""
_WIDE = frozenset("check look see find take put get go bring let give make do work have keep tell note".split())
"""Verbs that say too little without the rest of their clause."""
_OURS = re.compile(r"[:;?]|\b(?:i|we|us|our|my|me|i'm|i've|i'll|we've|they|he|she|please)\b", re.IGNORECASE)
"""What cannot be said back to whoever said it."""
_LONG = 90
_DULL = frozenset("the and for with that this from into all not let can put has have are was who its".split())


@dataclass(frozen=True, slots=True)
class _Plan:
    """A request with a step that is the user's."""

    jobs: tuple[Job, ...]
    request: str
    tool: Tool
    deed: Deed
    row: Description
    """Whose number is wanted if it cannot be done."""
    rule: Rule
    texts: Callable[[Builder], Sequence[Any]]
    """What may be said to have the user do it, once the row's number is known."""


def dual_control(maker: Maker) -> Made:
    """A job of which one step is the user's, who takes it when asked to; in the twin the user cannot, and wants a number instead."""
    plan = _plan(maker)
    able = replace(asker(maker, plan.request), deeds=(plan.deed,))
    unable = replace(able, deeds=(replace(plan.deed, able=False),))

    def prepare(builder: Builder) -> None:
        builder.user = able
        builder.withheld = frozenset((plan.tool.key,))
        builder.by_user = {plan.tool.key: lambda: plan.texts(builder)}

    done = maker.candidate("dual_control", plan.request, plan.jobs, maker.start, extra=1, prepare=prepare)
    if len(done.task.goal.alternatives) > 1:
        raise NotBuilt("ties")
    pair = ((done, able), (_cannot(maker, plan, unable), unable))
    return tuple(replace(made, task=replace(made.task, user=user, rules=(plan.rule,))) for made, user in pair)


def _cannot(maker: Maker, plan: _Plan, user: User) -> Candidate:
    """The half of the twin pair in which nobody can do it."""
    maker.backend.reset(maker.start)
    builder = Builder(maker.domain, maker.backend, maker.describer, (plan.tool.key,))
    builder.user = user
    source = builder.locate(plan.row.entity, plan.row.id, plan.row.claims)
    builder.have_done(plan.texts(builder))
    about = abilities(maker.domain)[plan.tool.key]
    alternative = Alternative((), "impossible", about, Answer("id", plan.row.id))
    described = tuple(r for job in plan.jobs for d in job.drawn.values() for r in d.rows)
    ending = {"outcome": "impossible", "about": about, "answer": source}
    return maker.task("dual_control", plan.request, maker.start, ((alternative,), builder, ending), described, len(builder.steps) + 2)


def _plan(maker: Maker) -> _Plan:
    """A job, the step of it that is the user's, and everything that is said of it. Raises NotBuilt."""
    rng = maker.rng
    chance = rng.random()
    job = maker.workflow_job(maker.acts) if chance < 0.3 else maker.write_job(clause=chance > 0.7)
    others = (maker.write_job(clause=True),) if chance > 0.7 else ()
    jobs = tuple(replace(each, answer=None) for each in (job, *others))
    step = next(step for step in job.steps if not maker.domain.tool(step.call).read_only)
    tool = maker.domain.tool(step.call)
    given = _given(job, step)
    row, noun = maker.fallback(replace(job, drawn={name: job.drawn[name] for name in given.values()}))
    if any(other.entity == row.entity for each in others for d in each.drawn.values() for other in d.rows):
        raise NotBuilt("same_sort_twice")
    ability = abilities(maker.domain)[tool.key]
    clause = words.finished(job.phrase) if len(job.steps) == 1 and _can_be_said_back(job) else ""
    plain = _with_article(maker, tool, noun)
    arguments = {name: job.drawn[wanted].value for name, wanted in given.items()}
    deed = Deed(tool.key, arguments, _doing(maker, job, step), clause or plain or f"do that ({ability})")
    rule = Rule("customer_acts", f"{rng.choice(_ONLY_THEY)} {_IF_NOT}".replace("{a}", ability), (tool.key,))
    form, named = rng.choice(_COULD), rng.choice(_NAMED).replace("{n}", noun)

    def texts(builder: Builder) -> Sequence[Any]:
        number = builder.known[row.entity, row.id]
        return [_joined(f"{form.replace('{c}', each)} {named}", number) for each in (clause, plain, f"do this: {ability}") if each]

    return _Plan(jobs, _request(maker, jobs, words.fallback(noun, rng)), tool, deed, row, rule, texts)


def _given(job: Job, step: Step) -> dict[str, str]:
    """Argument → the name of the value that the request gives for it. Raises NotBuilt where one would have to be found out."""
    named = {name: wanted for name, wanted in step.with_.items() if isinstance(wanted, str) and wanted not in job.skipped}
    others = [wanted for wanted in step.with_.values() if not isinstance(wanted, str)]
    if step.pick is not None or others or not named or not all(wanted in job.drawn for wanted in named.values()):
        raise NotBuilt("not_all_said")
    return named


def _can_be_said_back(job: Job) -> bool:
    said = words.finished(job.phrase)
    return words.is_clause(said) and words.is_imperative(said) and len(said) <= _LONG and not _OURS.search(said)


def _request(maker: Maker, jobs: Sequence[Job], after: str) -> str:
    if len(jobs) == 1:
        return words.ask_command(maker.manner, jobs[0].phrase, maker.rng, after)
    body = words.ask_several(maker.manner, [job.phrase for job in jobs], maker.rng)
    return f"{body}{'' if body[-1] in '.!?' else '.'} {after}"


def _joined(text: str, number: Any) -> Derived:
    """A text with a number in it that had to be looked up, for `{v}`."""
    before, _, behind = (part.replace("'", "''") for part in text.partition("{v}"))
    return Derived(f"'{before}' || :number || '{behind}'", {"number": number})


def _doing(maker: Maker, job: Job, step: Step) -> Doing:
    """What a request to call a tool is known by: the words of its key, those that people ask for it in, and what it is done to."""
    tool, entities = maker.domain.tool(step.call), maker.domain.blueprint.entities
    verb, *rest = tool.key.split("_")
    own = f"{verb} {rest.pop(0)}" if rest and rest[0] in _PARTICLES else verb
    same: frozenset[str] = next((group for group in _SAME if own in group), frozenset())
    asked = {_first(phrase) for phrase in maker.jobs.clauses(tool)} - _WIDE
    rows = [row for name in step.with_.values() if isinstance(name, str) and name in job.drawn for row in job.drawn[name].rows]
    nouns = [noun for row in rows for noun in (*entities[row.entity].called, row.entity)]
    nouns += list(entities[tool.origin.entity].called) if tool.origin.entity in entities else []
    objects = [word for noun in (*rest, *nouns) for word in re.split(r"[\s_]+", noun) if len(word) > 2 and word not in _DULL]
    return Doing(tuple(sorted({own, *same, *asked})), tuple(dict.fromkeys(objects)), tuple(dict.fromkeys(row.id for row in rows)))


def _first(phrase: str) -> str:
    """The first word of a clause, its verb."""
    return phrase.split(maxsplit=1)[0].strip(",")


def _with_article(maker: Maker, tool: Tool, noun: str) -> str:
    """A tool's ability as people say it: cancel the stay, check in the stay; empty where its words name no thing of the domain."""
    verb, *rest = tool.key.split("_")
    own = f"{verb} {rest.pop(0)}" if rest and rest[0] in _PARTICLES else verb
    if not rest:
        return f"{own} the {noun}"
    entities = maker.domain.blueprint.entities
    nouns = {word for key, entity in entities.items() for name in (key, *entity.called) for word in re.split(r"[\s_]+", name)}
    whole = not {"at", "to", "from", "on", "and", "for"} & set(rest)
    return f"{own} the {' '.join(rest)}" if rest[-1] in nouns and whole else ""
