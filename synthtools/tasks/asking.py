"""Kinds of task with a user in them: something is missing from the request, or must be confirmed, or the person must be known first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from synthtools import language as words
from synthtools.entity import called
from synthtools.goal import Alternative, Answer
from synthtools.hearing import Sort, Topic
from synthtools.rule import Rule
from synthtools.seed import derive
from synthtools.tasks.build import Builder, NotBuilt
from synthtools.tasks.describe import Description
from synthtools.tasks.job import Job
from synthtools.tasks.maker import Candidate, Made, Maker
from synthtools.tasks.vague import Gap, ask_for, gaps, label_of, leave_out, topic_words
from synthtools.user import Decision, Fact, User
from synthtools.voices import VOICES

_CONFIRM = (
    "Nothing is changed before the person who asks has confirmed it: say what you are about to do, ask whether to go ahead, and wait for a yes.",
    "Every change is confirmed first. Tell the person what you will do, and ask if you may; only a yes will do.",
    "Ask before you act: the person must have agreed to what you are about to change, after you have told them what it is.",
)
_AT_A_NO = "At a no, change nothing and finish with not_allowed about ask_first."
_INSTEAD = ("Just tell me the {n} number then.", "What I want is the {n} number, for later.", "But give me the number of the {n}, please.")
_SHALL = ("Before I do this: shall I {c}?", "I am about to {c}. May I go ahead?", "You want me to {c}. Shall I go ahead?")
_SHALL_I = (
    'Your request is this: "{c}" Shall I go ahead with it?',
    'I am ready to do what you asked: "{c}" May I go ahead?',
    'You told me: "{c}" Do you want me to do that now?',
)
_WHO = (
    "Before anything is changed, make sure whom you are talking to: ask for the full name and the {c} of the {n} whom it concerns, and look up both.",
    "Callers are identified first. Ask for the {n}'s full name and {c}, and compare both with what is on file.",
    "No change without knowing who asks: they must state the full name and the {c} of the {n} concerned, as they stand in the records.",
)
_AT_ODDS = (
    "If either is not as on file, change nothing and finish with not_allowed about identity_first, with the id of the {n}'s record as the answer."
)
_WHO_ASKS = (
    "To be sure whom I am talking to: what is your full name, and your {c}?",
    "I need to check who you are first. Could you tell me your full name and the {c}?",
)
_IDENTITY = ("identity", "identify", "identification", "verify", "verification", "yourself", "security")
_KNOWN_BY: dict[str, Sort] = {"phone": "phone", "email": "email", "date": "day"}
"""Kinds of column that tell a person from others, besides the name."""
_PRESSED = 3


def missing_information(maker: Maker) -> Made:
    """A job whose request leaves out one or two values, which the user tells who asks."""
    job = maker.write_job()
    left = gaps(maker, job)
    request = maker.command(replace(job, phrase=leave_out(job.phrase, left)))
    user = asker(maker, request, tuple(gap.fact for gap in left))
    questions = [ask_for(left, maker.rng) for _ in range(_PRESSED)]

    def prepare(builder: Builder) -> None:
        builder.user = user
        _ask_until_told(builder, user, left, questions)

    extra = 1 + sum(gap.fact.given != "at_once" for gap in left)
    made = maker.candidate("missing_information", request, [replace(job, answer=None)], maker.start, extra=extra, prepare=prepare)
    return (replace(made, task=replace(made.task, user=user)),)


def asker(maker: Maker, request: str, facts: tuple[Fact, ...] = (), decision: Decision | None = None) -> User:
    """Someone who speaks in the manner of the request."""
    manner = tuple(VOICES)[words.MANNERS.index(maker.manner)]
    goal = words.finished(request)
    return User(manner, derive("user", maker.domain.name, goal) >> 11, goal, facts, decision)


def _ask_until_told(builder: Builder, user: User, left: Sequence[Gap], questions: Sequence[str]) -> None:
    for number, question in enumerate(questions):
        said = builder.ask(question if number == 0 else f"Have you found it? {question}")
        if all(gap.fact.said in said for gap in left):
            return
    raise NotBuilt("not_told")


def confirmation(maker: Maker) -> Made:
    """A job that must be confirmed first: the user says yes, or, in the twin, no, and wants a number instead."""
    job = maker.workflow_job(maker.acts) if maker.rng.random() < 0.35 else maker.write_job()
    job = replace(job, answer=None)
    row, noun = maker.fallback(job)
    request = maker.command(job)
    rule = Rule("ask_first", f"{maker.rng.choice(_CONFIRM)} {_AT_A_NO}")
    question = _shall_i(maker, job)
    voice = VOICES[tuple(VOICES)[words.MANNERS.index(maker.manner)]]
    instead = maker.rng.choice(_INSTEAD).replace("{n}", noun)
    named = _named(maker, job)
    agrees = asker(maker, request, decision=Decision(True, maker.rng.choice(voice["yes"]), named))
    declines = asker(maker, request, decision=Decision(False, maker.rng.choice(voice["no"]).replace("{x}", instead), named))
    yes = maker.candidate("confirmation", request, [job], maker.start, extra=1, prepare=_before_write(agrees, lambda b: b.ask(question)))
    no = _stopped(maker, request, job, _Stop("confirmation", declines, rule, lambda b: b.locate(row.entity, row.id, row.claims), row.id, question))
    return tuple(replace(made, task=replace(made.task, user=user, rules=(rule,))) for made, user in ((yes, agrees), (no, declines)))


def _named(maker: Maker, job: Job) -> tuple[str, ...]:
    """What else than the request's own words names a job: its tools, and the rows and what they are called."""
    rows = [row for drawn in job.drawn.values() for row in drawn.rows]
    tools = [part for step in job.steps if not maker.domain.tool(step.call).read_only for part in step.call.split("_")]
    nouns = [called(row.entity, maker.domain.blueprint.entities[row.entity]) for row in rows]
    return tuple(dict.fromkeys((*tools, *nouns, *(row.id for row in rows))))


def _shall_i(maker: Maker, job: Job) -> str:
    """Whether to go ahead, with the job in the words of the request: as a clause where they are one, else quoted."""
    said = words.finished(job.phrase)
    if words.is_clause(job.phrase) and words.is_imperative(said):
        return maker.rng.choice(_SHALL).replace("{c}", said)
    return maker.rng.choice(_SHALL_I).replace("{c}", words.upper_first(said) + ("" if said[-1:] in ".!?" else "."))


def _before_write(user: User, first: Callable[[Builder], object]) -> Callable[[Builder], None]:
    """Makes a builder do something right before its first change."""

    def prepare(builder: Builder) -> None:
        builder.user = user
        builder.before_write = lambda: (first(builder), None)[1]

    return prepare


@dataclass(frozen=True, slots=True)
class _Stop:
    """How a solution ends in which nothing may be changed."""

    kind: str
    user: User
    rule: Rule
    look: Callable[[Builder], object]
    """Looks up what the answer is, and gives it."""
    answer: str
    """An id."""
    question: str


def _stopped(maker: Maker, request: str, job: Job, stop: _Stop) -> Candidate:
    """The half of a twin pair in which what the user says forbids the change, and an id must be given."""
    maker.backend.reset(maker.start)
    builder = Builder(maker.domain, maker.backend, maker.describer)
    builder.user = stop.user
    source = stop.look(builder)
    builder.ask(stop.question)
    alternative = Alternative((), "not_allowed", stop.rule.name, Answer("id", stop.answer))
    ending = {"outcome": "not_allowed", "about": stop.rule.name, "answer": source}
    described = tuple(r for d in job.drawn.values() for r in d.rows)
    return maker.task(stop.kind, request, maker.start, ((alternative,), builder, ending), described, len(builder.steps) + 2)


@dataclass(frozen=True, slots=True)
class _Person:
    """A person on file whom a job is about, and how a described row leads there."""

    row: Description
    path: tuple[str, ...]
    """Columns that refer on."""
    entity: str
    id: str


def identity(maker: Maker) -> Made:
    """A job for which the person must be identified; in the twin what the user says is not what is on file."""
    job = replace(maker.write_job(), answer=None)
    person = _person(maker, job)
    columns = maker.domain.tables[person.entity].columns
    names = [c.name for c in columns.values() if c.kind == "person"][:1]
    known = [c.name for c in columns.values() if c.kind in _KNOWN_BY and maker.describer.value(person.entity, person.id, (c.name,)) is not None]
    proof = (*names, maker.pick(known))
    noun = called(person.entity, maker.domain.blueprint.entities[person.entity]) if names == ["name"] else names[0].replace("_", " ")
    values = {column: str(maker.describer.value(person.entity, person.id, (column,))) for column in proof}
    other = label_of(proof[1], _KNOWN_BY[columns[proof[1]].kind])
    text = f"{maker.rng.choice(_WHO)} {_AT_ODDS}".replace("{n}", noun).replace("{c}", other)
    rule = Rule("identity_first", text, proof, tuple(values.values()))
    request = maker.command(job)
    itself = asker(maker, request, _proofs(maker, person.entity, values))
    stranger = asker(maker, request, _proofs(maker, person.entity, _strange(maker, person, values)))
    question = maker.rng.choice(_WHO_ASKS).replace("{c}", other)

    def look(builder: Builder) -> object:
        return _look(builder, person, proof)

    def verify(builder: Builder) -> None:
        _look(builder, person, proof)
        builder.ask(question)

    known_one = maker.candidate("identity", request, [job], maker.start, extra=1, prepare=_before_write(itself, verify))
    unknown = _stopped(maker, request, job, _Stop("identity", stranger, rule, look, person.id, question))
    return tuple(replace(made, task=replace(made.task, user=user, rules=(rule,))) for made, user in ((known_one, itself), (unknown, stranger)))


def _person(maker: Maker, job: Job) -> _Person:
    """The one person on file whom the job's rows lead to. Raises NotBuilt where there is none, or more than one."""
    rows = [row for drawn in job.drawn.values() for row in drawn.rows]
    found = [person for row in rows for person in _people(maker, row, row.entity, row.id, ())]
    if len({(person.entity, person.id) for person in found}) != 1 or any(claim.path == ("id",) for claim in found[0].row.claims):
        raise NotBuilt("nobody_to_identify")
    return min(found, key=lambda person: len(person.path))


def _people(maker: Maker, row: Description, entity: str, key: str, path: tuple[str, ...]) -> list[_Person]:
    columns = maker.domain.tables[entity].columns.values()
    kinds = {column.kind for column in columns}
    if "person" in kinds and kinds & _KNOWN_BY.keys() and "get" in maker.domain.blueprint.entities[entity].offers:
        return [_Person(row, path, entity, key)]
    if len(path) > 1:
        return []
    further = [(c, maker.describer.value(entity, key, (c.name,))) for c in columns if c.ref and c.ref != entity]
    return [person for c, value in further if value is not None for person in _people(maker, row, c.ref, str(value), (*path, c.name))]


def _look(builder: Builder, person: _Person, proof: Sequence[str]) -> object:
    """Look up the person and what is on file of them; how the solution knows their id."""
    builder.locate(person.row.entity, person.row.id, person.row.claims)
    entity, key = person.row.entity, person.row.id
    for column in person.path:
        builder.cell(entity, key, column)
        entity, key = builder.domain.tables[entity].columns[column].ref, str(builder.describer.value(entity, key, (column,)))
    for column in proof:
        builder.cell(entity, key, column)
    return builder.known[entity, key]


def _proofs(maker: Maker, entity: str, values: dict[str, str]) -> tuple[Fact, ...]:
    """What the user says of themselves."""
    columns = maker.domain.tables[entity].columns
    facts = []
    for column, value in values.items():
        kind = columns[column].kind
        said = words.say(maker.domain, value, kind, maker.rng)
        sort: Sort = "name" if kind == "person" else _KNOWN_BY[kind]
        label = "name" if kind == "person" else label_of(column, sort)
        facts.append(Fact(column, label, Topic(sort, (*column.split("_"), *topic_words(label), *_IDENTITY)), said))
    return tuple(facts)


def _strange(maker: Maker, person: _Person, values: dict[str, str]) -> dict[str, str]:
    """The same with one thing not as it is on file."""
    column = maker.rng.choice(list(values))
    others = [str(v) for v in maker.jobs.sampler.values(f"{person.entity}.{column}") if str(v) != values[column]]
    return {**values, column: maker.pick(others)}
