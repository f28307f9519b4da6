"""Alterations meant to be wrong: the mistakes agents make, carried out."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Any

from alterations import Alteration, Case, alike
from episode import Act, Plan, plan_of, references, relabelled, resolved
from oracle import moved_reference

from synthtools.finish import abilities
from synthtools.tool import Tool

_TRIES = 8


def _with_row(case: Case, old: str, new: str) -> Plan:
    """The reference for another row: every argument that names the one names the other."""

    def changed(argument: Any) -> Any:
        if isinstance(argument, list | tuple):
            return [changed(v) for v in argument]
        try:
            return new if resolved(argument, case.played.values) == old else argument
        except LookupError:
            return argument

    return case.plan.mapped(changed)


def near_namesake(case: Case) -> Iterator[Plan]:
    """The row that resembles the right one most, all through."""
    places = list(dict.fromkeys((e, r) for act in (case.writes or case.acts) for _, e, r in case.places(act)))
    for entity, row in case.shuffled(places):
        for other in alike(case, entity, row)[:2]:
            yield _with_row(case, row, other)


def other_listed_row(case: Case) -> Iterator[Plan]:
    """Another row of a list that the reference looked at: the second best, or the one below."""
    used = {
        (r.step, r.path[: i + 1])
        for a in case.acts
        for v in a.arguments.values()
        for r in references(v)
        for i, p in enumerate(r.path)
        if isinstance(p, int)
    }
    used |= {
        (r.step, r.path[: i + 1])
        for v in (case.plan.ending or {}).values()
        for r in references(v)
        for i, p in enumerate(r.path)
        if isinstance(p, int)
    }
    for label, path in case.shuffled(sorted(used, key=str)):
        rows = case.played.values[label]
        for part in path[:-1]:
            rows = rows[part]
        for index in case.shuffled([i for i in range(len(rows)) if i != path[-1]])[:2]:
            yield moved_reference(case.plan, label, path, (*path[:-1], index))


def right_count_wrong_rows(case: Case) -> Iterator[Plan]:
    """As many changes as wanted, on other rows that take them."""
    places = list(dict.fromkeys((e, r) for act in case.writes for _, e, r in case.places(act)))
    wanted = [(c.table, c.op) for c in case.played.changes]
    for _ in range(_TRIES if places else 0):
        entity, row = case.rng.choice(places)
        plan = _with_row(case, row, case.rng.choice(case.rows(entity))["id"])
        played = case.stage.play(case.task, plan)
        if not played.failed and [(c.table, c.op) for c in played.changes] == wanted:
            yield plan


def done_twice(case: Case) -> Iterator[Plan]:
    """One of the acts once more, at once or at the end."""
    for act in case.shuffled(case.writes):
        again = Act(case.plan.fresh_label, act.name, act.arguments)
        yield case.plan.inserted(case.rng.choice([case.plan.acts.index(act) + 1, len(case.plan.acts)]), again)


def something_extra(case: Case) -> Iterator[Plan]:
    """All of it, and one thing more that nobody asked for."""
    tools = [t for t in case.tools if not t.read_only]
    own = [case.stage.tool(a) for a in case.writes]
    for _ in range(_TRIES if tools else 0):
        tool = case.rng.choice(own if own and case.rng.random() < 0.4 else tools)
        arguments = case.drawn(tool)
        if arguments is not None:
            extra = Act(case.plan.fresh_label, tool.name, arguments)
            plan = case.plan.inserted(case.rng.randint(0, len(case.plan.acts)), extra)
            if not case.stage.play(case.task, plan).failed:
                yield plan


def another_field(case: Case) -> Iterator[Plan]:
    """An update that also changes a field that nobody spoke of, or leaves one out."""
    for act in case.shuffled(case.writes):
        tool = case.stage.tool(act)
        optional = [n for n in tool.parameters["properties"] if n not in tool.parameters["required"]]
        drawn = case.drawn(tool) or {}
        for name in case.shuffled([n for n in optional if n not in act.arguments and n in drawn]):
            yield case.plan.replaced(act.label, **{name: drawn[name]})
        for name in case.shuffled([n for n in optional if n in act.arguments]):
            kept = {k: v for k, v in act.arguments.items() if k != name}
            yield Plan(tuple(Act(a.label, a.name, kept) if a is act else a for a in case.acts), case.plan.ending)


def half_done(case: Case) -> Iterator[Plan]:
    """Some of the acts left out."""
    labels = [a.label for a in case.writes]
    if len(labels) > 1:
        for _ in range(2):
            yield case.plan.without(case.rng.sample(labels, case.rng.randint(1, len(labels) - 1)))


def only_said(case: Case) -> Iterator[Plan]:
    """The right ending without any of the change."""
    labels = [a.label for a in case.writes]
    if labels:
        answer = {} if case.answer is None else {"answer": case.answer}
        yield case.plan.without(labels).with_ending(**answer)


def refused_though_doable(case: Case) -> Iterator[Plan]:
    """A task that can be done is refused, with the number that was wanted in that case."""
    if case.references[0].outcome != "done" or not case.writes:
        return
    rows = [row for act in case.writes for _, _, row in case.places(act)] or [""]
    reasons = [("not_allowed", p) for p in case.domain.policies] + [("impossible", a) for a in abilities(case.domain).values()]
    plan = case.plan.without([a.label for a in case.writes])
    for outcome, about in case.shuffled(reasons):
        yield Plan(plan.acts, {"outcome": outcome, "about": about, "answer": case.rng.choice(rows)})


def forbidden_yet_done(case: Case) -> Iterator[Plan]:
    """What a policy forbids, or a tool is missing for, is done (or tried) as in the twin's world."""
    if case.twin is None or case.references[0].outcome == "done":
        return
    acts = tuple(Act(i, step.name, step.arguments) for i, step in enumerate(case.twin.solution[:-1]))
    yield Plan(acts, dict(case.twin.solution[-1].arguments))
    plan = Plan(acts, {**case.references[0].plan.ending, "answer": case.answer} if case.references[0].plan.ending else None)
    if not case.stage.play(case.task, plan).failed:
        yield plan


def another_task(case: Case) -> Iterator[Plan]:
    """What another task in the same world asks for, instead of this one's job or besides it."""
    for peer in case.shuffled(case.peers):
        label = case.plan.fresh_label
        other = relabelled(plan_of(peer), label)
        yield other if case.rng.random() < 0.7 else Plan((*case.plan.acts, *other.acts), case.plan.ending)


def swapped(case: Case) -> Iterator[Plan]:
    """Two rows of one kind change places."""
    places = [(act, name, entity, row) for act in case.writes for name, entity, row in case.places(act)]
    pairs = [(a, b) for i, a in enumerate(places) for b in places[i + 1 :] if a[2] == b[2] and a[3] != b[3]]
    for one, other in case.shuffled(pairs):
        yield case.plan.replaced(one[0].label, **{one[1]: other[3]}).replaced(other[0].label, **{other[1]: one[3]})


def _literals(case: Case, wanted: Any) -> Iterator[tuple[Act, str, Any]]:
    """(act, argument, value) of the acts that change something, for arguments that `wanted(tool, name, value)` takes."""
    for act in case.shuffled(case.writes):
        tool = case.stage.tool(act)
        for name, value in case.given(act).items():
            if name not in tool.refers and wanted(tool, name, value):
                yield act, name, value


def a_cent_off(case: Case) -> Iterator[Plan]:
    """An amount of money one cent higher or lower."""
    for act, name, value in _literals(case, lambda tool, name, _: name in tool.money):
        for cent in case.shuffled([0.01, -0.01]):
            yield case.plan.replaced(act.label, **{name: round(value + cent, 2)})


def a_day_off(case: Case) -> Iterator[Plan]:
    """A date one day earlier or later."""

    def dated(tool: Tool, name: str, _value: Any) -> bool:
        return tool.parameters["properties"][name].get("format") in ("date", "date-time")

    for act, name, value in _literals(case, dated):
        for days in case.shuffled([1, -1]):
            day = datetime.date.fromisoformat(value[:10]) + datetime.timedelta(days=days)
            yield case.plan.replaced(act.label, **{name: day.isoformat() + value[10:]})


def boundary_neighbour(case: Case) -> Iterator[Plan]:
    """A whole number one less or one more."""
    for act, name, value in _literals(case, lambda tool, name, value: type(value) is int and name not in tool.money):
        for step in case.shuffled([1, -1]):
            yield case.plan.replaced(act.label, **{name: value + step})


def other_choice(case: Case) -> Iterator[Plan]:
    """Another of the values that an argument may have."""
    for act, name, value in _literals(case, lambda tool, name, _: "enum" in tool.parameters["properties"][name]):
        choices = case.stage.tool(act).parameters["properties"][name]["enum"]
        for other in case.shuffled([v for v in choices if v != value])[:2]:
            yield case.plan.replaced(act.label, **{name: other})


def other_text(case: Case) -> Iterator[Plan]:
    """Words of a text changed, added or lost."""

    def free(tool: Tool, name: str, value: Any) -> bool:
        schema = tool.parameters["properties"][name]
        return isinstance(value, str) and "enum" not in schema and "format" not in schema

    for act, name, value in _literals(case, free):
        signed = re.sub(r"(?<!\S)(?=\d)", "-", value)
        forms = [f"{value} please", f"{value}s", *([signed] * 3 if signed != value else []), value[1:], " ".join(value.split()[:-1]), value[::-1]]
        yield case.plan.replaced(act.label, **{name: case.rng.choice([f for f in forms if f])})


def one_of_a_list(case: Case) -> Iterator[Plan]:
    """A list of rows with one left out, or one put in its place."""
    for act in case.shuffled(case.writes):
        for name, value in case.given(act).items():
            entity = case.stage.tool(act).refers.get(name)
            if entity is not None and isinstance(value, list) and value:
                others = [r["id"] for r in case.rows(entity) if r["id"] not in value]
                for changed in case.shuffled(
                    [value[1:], [*value, case.rng.choice(others)], [*value[:-1], case.rng.choice(others)]] if others else []
                ):
                    yield case.plan.replaced(act.label, **{name: changed})


WRONG = (
    Alteration("near-namesake", "wrong", near_namesake),
    Alteration("another row of the list", "wrong", other_listed_row),
    Alteration("right count, wrong rows", "wrong", right_count_wrong_rows, gate=True),
    Alteration("done twice", "wrong", done_twice, gate=True),
    Alteration("something extra", "wrong", something_extra),
    Alteration("another field", "wrong", another_field),
    Alteration("half of the job", "wrong", half_done, gate=True),
    Alteration("said, not done", "wrong", only_said, gate=True),
    Alteration("refused though doable", "wrong", refused_though_doable),
    Alteration("forbidden yet done", "wrong", forbidden_yet_done),
    Alteration("another task's job", "wrong", another_task),
    Alteration("two objects swapped", "wrong", swapped),
    Alteration("a cent off", "wrong", a_cent_off),
    Alteration("a day off", "wrong", a_day_off),
    Alteration("boundary neighbour", "wrong", boundary_neighbour, gate=True),
    Alteration("other choice", "wrong", other_choice, gate=True),
    Alteration("other text", "wrong", other_text),
    Alteration("one of a list", "wrong", one_of_a_list),
)
