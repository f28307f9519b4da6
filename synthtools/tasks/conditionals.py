"""Conditionals: a condition on a row, what to do with that row where it holds, and what else to do where it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from synthtools import language as words
from synthtools.condition import Choice, ask_by_state, ask_by_value, mentioned_again, with_pronoun
from synthtools.entity import called
from synthtools.goal import Alternative, Changes
from synthtools.tasks.build import Builder, NotBuilt
from synthtools.tasks.carry import carry_out
from synthtools.tasks.describe import Description
from synthtools.tasks.job import Job
from synthtools.tasks.maker import Made, Maker


@dataclass(frozen=True, slots=True)
class Condition:
    """What is asked about a row, and the act that follows where it holds."""

    row: Description
    column: str
    asked: Any
    """The state, or the value that divides."""
    act: Job
    holds: bool
    request: str
    """Marked words."""


def conditional(maker: Maker) -> Made:
    """A condition on a row, and two acts of which the state of the world decides."""
    act, other = (maker.write_job(clause=True) for _ in range(2))
    row = maker.pick([r for r in alone(act) if maker.domain.tables[r.entity].digits])
    by_state = maker.rng.random() < 0.5 and "state" in maker.domain.tables[row.entity].columns
    condition = (state_condition if by_state else value_condition)(maker, act, row, other.phrase)
    rows = [*_rows(condition.act), *_rows(other)]
    if [r.id for r in rows].count(condition.row.id) > 1:
        raise NotBuilt("same_row_twice")
    done, left = (condition.act, other) if condition.holds else (other, condition.act)
    maker.backend.reset(maker.start)
    builder = Builder(maker.domain, maker.backend, maker.describer)
    builder.locate(condition.row.entity, condition.row.id, condition.row.claims)
    builder.cell(condition.row.entity, condition.row.id, condition.column)
    if carry_out(builder, done).ties > 1:
        raise NotBuilt("ties")
    changes = maker.backend.changes()
    if _comes_to(maker, left, changes):
        raise NotBuilt("both_branches_alike")
    solved = ((Alternative(changes),), builder, {"outcome": "done"})
    described = tuple({r.id: r for r in rows}.values())
    return (maker.task("conditional", condition.request, maker.start, solved, described, len(builder.steps) + 1),)


def state_condition(maker: Maker, act: Job, row: Description, other: str) -> Condition:
    """Whether a row is in the state in which the act makes sense; half of the time it is another row, which is not. Raises NotBuilt."""
    asked = maker.describer.value(row.entity, row.id, ("state",))
    if not maker.solve([act], maker.start).changes:
        raise NotBuilt("nothing_done")
    maker.backend.reset(maker.start)
    holds = maker.rng.random() < 0.5
    if not holds:
        act, row = _elsewhere(maker, act, row, asked)
    if any(claim.path == ("state",) for claim in row.claims):
        raise NotBuilt("state_is_said")
    said = words.mark(words.say(maker.domain, asked, "state", maker.rng))
    request = ask_by_state(maker.manner, said, _choice(maker, act, row, other), maker.rng)
    return Condition(row, "state", asked, act, holds, request)


def value_condition(maker: Maker, act: Job, row: Description, other: str) -> Condition:
    """Whether a number or a day of a row, one that the act minds if it can be, lies above or below that of another row. Raises NotBuilt."""
    entity, table = maker.domain.blueprint.entities[row.entity], maker.domain.tables[row.entity]
    usable = [k for k in entity.questions if table.columns[k].kind in ("int", "money", "date", "datetime")]
    unsaid = [key for key in usable if not any(claim.path == (key,) for claim in row.claims)]
    minded = [key for key in unsaid if f"{row.entity}.{key}" in maker.domain.tool(act.key).reads]
    column = maker.pick(minded or unsaid)
    actual = maker.describer.value(row.entity, row.id, (column,))
    values = maker.jobs.sampler.values(f"{row.entity}.{column}")
    threshold = maker.pick([v for v in values if v != actual and (isinstance(v, str) or v > 0)])
    if actual is None:
        raise NotBuilt("no_value")
    said = words.mark(maker.describer.say(row.entity, table.columns[column], threshold))
    moment = table.columns[column].kind in ("date", "datetime")
    above = maker.rng.random() < 0.5
    test = (f"after {said}" if above else f"before {said}") if moment else (f"more than {said}" if above else f"less than {said}")
    clause = maker.pick(entity.questions[column]).replace("{it}", row.text)
    holds = actual > threshold if above else actual < threshold
    request = ask_by_value(maker.manner, clause, test, _choice(maker, act, row, other), maker.rng)
    return Condition(row, column, threshold, act, holds, request)


def _rows(job: Job) -> list[Description]:
    return [row for drawn in job.drawn.values() for row in drawn.rows]


def alone(job: Job) -> list[Description]:
    """The rows of a job for which "that one" could be no other."""
    rows = _rows(job)
    return [row for row in rows if sum(r.entity == row.entity for r in rows) == 1]


def _elsewhere(maker: Maker, act: Job, row: Description, state: str) -> tuple[Job, Description]:
    """The same act asked of another row, which is not in the state."""
    tool = maker.domain.tool(act.key)
    instead = maker.pick(maker.jobs.sampler.ids(row.entity, "state <> :asked", {"asked": state}))
    name = next(name for name, drawn in act.drawn.items() if row in drawn.rows)
    fixed = {key: drawn.value for key, drawn in act.drawn.items()}
    fixed[name] = [instead] if isinstance(fixed[name], list) else instead
    again = maker.jobs.of_tool(tool, fixed=fixed, clause=True)
    return again, again.drawn[name].rows[0]


def _comes_to(maker: Maker, job: Job, changes: Changes) -> bool:
    """Whether a job makes the same changes; one that cannot be carried out does not."""
    try:
        return maker.solve([job], maker.start).changes == changes
    except NotBuilt:
        return False


def _choice(maker: Maker, act: Job, row: Description, other: str) -> Choice:
    """The two acts in words; the row of the condition is described once, then only pointed at."""
    noun = _noun(maker, row)
    short = mentioned_again(act.phrase, row.text, noun)
    if maker.rng.random() < 0.5 and not _is_person(maker, row.entity):
        short = with_pronoun(act.phrase, row.text) or short
    return Choice(row.text, f"that {noun}", act.phrase, short, other)


def _noun(maker: Maker, row: Description) -> str:
    """What people call a row that they have described: by the noun that they used, or the usual one."""
    definition = maker.domain.blueprint.entities[row.entity]
    return next((noun for noun in definition.called if f" {noun}" in row.text), called(row.entity, definition))


def _is_person(maker: Maker, entity: str) -> bool:
    name = maker.domain.tables[entity].columns.get("name")
    return name is not None and name.kind in ("person", "company")
