"""Questions: tasks in which nothing changes and a typed answer is wanted."""

from __future__ import annotations

from collections.abc import Callable

from synthtools import language as words
from synthtools.domain import Table
from synthtools.entity import called, is_money
from synthtools.goal import Alternative, Answer
from synthtools.number import plural_of
from synthtools.task import Ref, value_of
from synthtools.tasks.build import Builder, NotBuilt
from synthtools.tasks.carry import typed_answer
from synthtools.tasks.maker import Made, Maker

_ALL = (
    "which {w} are there for {p}, by number",
    "what are the numbers of the {w} for {p}",
    "give me the numbers of all {w} that go with {p}",
    "what numbers do the {w} for {p} have",
    "list the {w} for {p}, numbers only",
)
_IN_A_STATE = (
    "which of the {w} for {p} are {s}, by number",
    "what are the numbers of the {w} for {p} that are {s}",
    "give me the numbers of all {w} for {p} that are {s}",
    "which {w} for {p} are {s}? I need their numbers.",
    "list the {w} for {p} that are {s}, numbers only",
)


def question(maker: Maker) -> Made:
    """A question of one of the four kinds."""
    makers: list[Callable[[Maker], Made]] = [_field_question, _field_question, _tool_question, _workflow_question, _which_question]
    made: Made = maker.pick(makers)(maker)
    return made


def _tool_question(maker: Maker) -> Made:
    job = maker.jobs.of_tool(maker.pick(maker.asks))
    return (maker.candidate("question", maker.command(job), [job], maker.start),)


def _workflow_question(maker: Maker) -> Made:
    job = maker.workflow_job(lambda j: j.answer is not None and not maker.acts(j))
    return (maker.candidate("question", maker.command(job), [job], maker.start),)


def _field_question(maker: Maker) -> Made:
    """What is the value of a field of a described row."""
    asked = [(e, k) for e, d in maker.domain.blueprint.entities.items() for k in d.questions if d.described_by and "get" in d.offers]
    entity, key = maker.pick(asked)
    row = maker.pick(maker.jobs.sampler.ids(entity))
    description = maker.describer.describe(entity, row)
    if description is None or any(c.path == (key,) for c in description.claims):
        raise NotBuilt("not_describable")
    clause = maker.pick(maker.domain.blueprint.entities[entity].questions[key]).replace("{it}", description.text)
    builder = Builder(maker.domain, maker.backend, maker.describer)
    builder.locate(entity, row, description.claims)
    source = builder.cell(entity, row, key)
    answer = typed_answer(_answer_type(maker, entity, key), value_of(source, builder.results))
    request = words.ask_question(maker.manner, clause, maker.rng)
    solved = ((Alternative((), answer=answer),), builder, {"outcome": "done", "answer": source})
    return (maker.task("question", request, maker.start, solved, (description,), len(builder.steps)),)


def _refers_once(table: Table, parent: str) -> bool:
    """Whether only one column refers to the parent, so that "of" says which."""
    return sum(column.ref == parent for column in table.columns.values()) == 1


def _answer_type(maker: Maker, entity: str, key: str) -> str:
    """The type of answer that a column makes."""
    column = maker.domain.tables[entity].columns[key]
    if is_money(maker.domain.blueprint, entity, key):
        return "money"
    if column.kind != "choice" and column.type == "INTEGER" and column.kind != "bool":
        return "number"
    plain = "number" if column.type == "INTEGER" and column.kind == "choice" else "word"
    return {"ref": "id", "stamp": "date", "datetime": "date", "date": "date"}.get(column.kind, plain)


def _which_question(maker: Maker) -> Made:
    """Which rows of a described parent there are: a list of ids."""
    tables = {e: t for e, t in maker.domain.tables.items() if t.digits and e in maker.jobs.searches}
    links = [(e, c.name, c.ref) for e, t in tables.items() for c in t.columns.values() if c.ref and _refers_once(t, c.ref)]
    entity, key, parent = maker.pick([link for link in links if maker.domain.blueprint.entities[link[2]].described_by])
    tool = maker.jobs.searches[entity]
    row = maker.pick(maker.jobs.sampler.values(f"{entity}.{key}"))
    if row is None or f"{key}_id" not in tool.parameters["properties"]:
        raise NotBuilt("no_filter")
    description = maker.describer.describe(parent, row)
    if description is None:
        raise NotBuilt("not_describable")
    builder = Builder(maker.domain, maker.backend, maker.describer)
    filters = {f"{key}_id": builder.locate(parent, row, description.claims)}
    definition = maker.domain.blueprint.entities[entity]
    noun, state = plural_of(called(entity, definition)), ""
    if "state" in tool.parameters["properties"] and maker.rng.random() < 0.7:
        value = maker.pick([v for v in maker.jobs.sampler.values(f"{entity}.state") if v])
        state = words.say(maker.domain, value, "state", maker.rng)
        filters["state"] = builder.literal(value, state)
    outcome = builder.call(tool, filters)
    envelope = maker.domain.surface.envelope
    rows = outcome[envelope] if envelope else outcome
    if not 1 < len(rows) < min(9, maker.domain.surface.page_size):
        raise NotBuilt("list_too_short_or_long")
    clause = maker.pick(_IN_A_STATE if state else _ALL).replace("{w}", noun).replace("{s}", words.mark(state)).replace("{p}", description.text)
    refs = [Ref(len(builder.steps) - 1, ((envelope, i, "id") if envelope else (i, "id"))) for i in range(len(rows))]
    answer = Answer("ids", sorted(r["id"] for r in rows))
    solved = ((Alternative((), answer=answer),), builder, {"outcome": "done", "answer": refs})
    request = words.ask_question(maker.manner, clause, maker.rng)
    return (maker.task("question", request, maker.start, solved, (description,), len(builder.steps) + 1),)
