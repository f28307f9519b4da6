"""Alterations meant to be right: other ways that sound agents take, carried out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from alterations import Alteration, Case
from episode import Act, Plan, Rows, references

from synthtools.tool import Tool


def as_it_is(case: Case) -> Iterator[Plan]:
    """The reference itself."""
    yield case.plan


def other_lookups(case: Case) -> Iterator[Plan]:
    """More searches, gets and reports, anywhere."""
    reads = [t for t in case.tools if t.read_only]
    for _ in range(2):
        plan = case.plan
        for _ in range(case.rng.randint(1, 3)):
            tool = case.rng.choice(reads)
            arguments = case.drawn(tool)
            if arguments is not None:
                plan = plan.inserted(case.rng.randint(0, len(plan.acts)), Act(plan.fresh_label, tool.name, arguments))
        yield plan


def error_mended(case: Case) -> Iterator[Plan]:
    """A call that fails, then the right one."""
    acts = case.writes or case.acts
    for act in case.shuffled(acts):
        for name, arguments in case.shuffled(_mistakes(case, act))[:2]:
            yield case.plan.inserted(case.plan.acts.index(act), Act(case.plan.fresh_label, name, arguments))


def _mistakes(case: Case, act: Act) -> list[tuple[str, dict[str, Any]]]:
    tool, given = case.stage.tool(act), dict(case.given(act))
    made: list[tuple[str, dict[str, Any]]] = [(f"{act.name}s", given), (act.name, {**given, "please": True})]
    for name in tool.parameters["required"]:
        made.append((act.name, {k: v for k, v in given.items() if k != name}))
    for name, value in given.items():
        made.append((act.name, {**given, name: {"value": value}}))
        if name in tool.refers and isinstance(value, str):
            made.append((act.name, {**given, name: f"{value[:-1]}??"}))
    return made


def refused_then_mended(case: Case) -> Iterator[Plan]:
    """The right tool for a row that refuses it, then for the right one."""
    for act in case.shuffled(case.writes):
        for name, entity, row in case.places(act):
            for other in case.shuffled([r["id"] for r in case.rows(entity) if r["id"] != row])[:4]:
                tried = Act(case.plan.fresh_label, act.name, {**case.given(act), name: other})
                plan = case.plan.inserted(case.plan.acts.index(act), tried)
                if case.stage.play(case.task, plan).failed:
                    yield plan


def _fields(case: Case, act: Act) -> list[str]:
    """The arguments of an update that say what changes."""
    tool = case.stage.tool(act)
    return [n for n in act.arguments if n not in tool.parameters["required"]] if tool.origin.kind == "update" else []


def split_update(case: Case) -> Iterator[Plan]:
    """An update of several fields made one field at a time."""
    for act in case.shuffled(case.writes):
        fields = _fields(case, act)
        if len(fields) < 2:
            continue
        label, place = case.plan.fresh_label, case.plan.acts.index(act)
        fixed = {k: v for k, v in act.arguments.items() if k not in fields}
        parts = [Act(label + i, act.name, {**fixed, f: act.arguments[f]}) for i, f in enumerate(case.shuffled(fields))]
        parts[-1] = replace(parts[-1], label=act.label)
        yield case.plan.without([act.label]).inserted(place, *parts)


def split_list(case: Case) -> Iterator[Plan]:
    """A call for several rows made once for each."""
    for act in case.shuffled(case.writes):
        for name, value in act.arguments.items():
            if isinstance(value, list | tuple) and len(value) > 1:
                label, place = case.plan.fresh_label, case.plan.acts.index(act)
                parts = [Act(label + i, act.name, {**act.arguments, name: [v]}) for i, v in enumerate(case.shuffled(list(value)))]
                parts[-1] = replace(parts[-1], label=act.label)
                yield case.plan.without([act.label]).inserted(place, *parts)


def list_in_other_order(case: Case) -> Iterator[Plan]:
    """The rows of a list argument the other way round."""
    for act in case.shuffled(case.writes):
        for name, value in act.arguments.items():
            if isinstance(value, list | tuple) and len(value) > 1:
                yield case.plan.replaced(act.label, **{name: list(value)[::-1]})


def corrected(case: Case) -> Iterator[Plan]:
    """An update first made with a wrong value, then with the right one."""
    for act in case.shuffled(case.writes):
        drawn = case.drawn(case.stage.tool(act)) or {}
        for name in case.shuffled([f for f in _fields(case, act) if f in drawn]):
            first = Act(case.plan.fresh_label, act.name, {**act.arguments, name: drawn[name]})
            yield case.plan.inserted(case.plan.acts.index(act), first)


def changed_and_put_back(case: Case) -> Iterator[Plan]:
    """Another row updated by mistake, and put back as it was."""
    for tool in case.shuffled([t for t in case.tools if t.origin.kind == "update"]):
        drawn = case.drawn(tool) or {}
        own = f"{tool.origin.entity}_id"
        row = next((r for r in case.rows(tool.origin.entity) if r["id"] == drawn.get(own)), None)
        if row is None:
            continue
        for name in case.shuffled([n for n in drawn if n != own and row.get(n) is not None]):
            label, place = case.plan.fresh_label, case.rng.randint(0, len(case.plan.acts))
            wrong = Act(label, tool.name, {own: row["id"], name: drawn[name]})
            back = Act(label + 1, tool.name, {own: row["id"], name: _as_given(tool, name, row[name])})
            yield case.plan.inserted(place, wrong, back)
            break


def _as_given(tool: Tool, name: str, stored: Any) -> Any:
    if name in tool.money:
        return stored / 100
    return bool(stored) if tool.parameters["properties"][name]["type"] == "boolean" else stored


_inverses: dict[tuple[str, str, str], list[bool]] = {}
"""(domain, tool, other tool) → whether the other undid it, each time it was tried."""
_GIVEN_UP = 3


def undone_and_redone(case: Case) -> Iterator[Plan]:
    """An act taken back and done again, where some tool takes it back."""
    for act in case.shuffled(case.writes):
        place = case.plan.acts.index(act)
        before = case.stage.play(case.task, Plan(case.plan.acts[:place], None)).rows
        for other in case.shuffled([t for t in case.tools if not t.read_only and t.name != act.name]):
            tried = _inverses.setdefault((case.domain.digest, act.name, other.name), [])
            arguments = _same_rows(case, act, other)
            if arguments is None or (len(tried) >= _GIVEN_UP and not any(tried)):
                continue
            label = case.plan.fresh_label
            undone = Act(label, other.name, arguments)
            after = case.stage.play(case.task, Plan((*case.plan.acts[: place + 1], undone), None)).rows
            tried.append(_same_world(case, before, after))
            if tried[-1]:
                yield case.plan.inserted(place + 1, undone, Act(label + 1, act.name, act.arguments))


def _same_rows(case: Case, act: Act, other: Tool) -> dict[str, Any] | None:
    """The required arguments of another tool, filled with the rows that an act named; None where that is not enough."""
    tool, given = case.stage.tool(act), case.given(act)
    rows = {tool.refers[n]: v for n, v in given.items() if n in tool.refers}
    filled: dict[str, Any] = {}
    for name in other.parameters["required"]:
        entity, many = other.refers.get(name), other.parameters["properties"][name]["type"] == "array"
        if entity not in rows:
            return None
        value = rows[entity]
        filled[name] = (value if isinstance(value, list) else [value]) if many else (value[0] if isinstance(value, list) else value)
    return filled or None


def _same_world(case: Case, one: Rows, other: Rows) -> bool:
    """Whether two worlds differ in bookkeeping at most."""
    kept = {t.name: [i for i, c in enumerate(t.columns.values()) if not c.incidental] for t in case.domain.tables.values()}
    return all(
        {tuple(r[i] for i in kept[t]) for r in one[t] - other[t]} == {tuple(r[i] for i in kept[t]) for r in other[t] - one[t]} for t in one
    )


def other_order(case: Case) -> Iterator[Plan]:
    """The calls in another order in which each still comes after what it needs."""
    acts = case.plan.acts
    needs = {a.label: {r.step for v in a.arguments.values() for r in references(v)} for a in acts}
    for _ in range(3):
        left, order = list(acts), list[Act]()
        while left:
            ready = [a for a in left if needs[a.label] <= {done.label for done in order}]
            order.append(case.rng.choice(ready))
            left.remove(order[-1])
        if tuple(order) != acts:
            yield Plan(tuple(order), case.plan.ending)


def other_tie(case: Case) -> Iterator[Plan]:
    """Another row that is as good."""
    for reference in case.shuffled(case.references[1:]):
        yield reference.plan


def as_json_text(case: Case) -> Iterator[Plan]:
    """Arguments handed over as JSON text, keys in other order, whole amounts as floats."""
    acts = []
    for act in case.plan.acts:
        money = case.stage.tool(act).money if act in case.acts else frozenset[str]()
        arguments = {k: float(v) if k in money and isinstance(v, int) else v for k, v in reversed(act.arguments.items())}
        acts.append(Act(act.label, act.name, arguments, as_text=True))
    yield Plan(tuple(acts), case.plan.ending)


def text_in_other_case(case: Case) -> Iterator[Plan]:
    """Free text written in capitals or with other punctuation."""
    columns = [(c, n) for c in case.played.changes for n in c.after if case.domain.tables[c.table].columns[n].kind == "text"]
    texts = {change.after[name] for change, name in columns}
    for act in case.shuffled(case.writes):
        for name, value in case.given(act).items():
            if isinstance(value, str) and value in texts:
                forms = [value.upper(), value.capitalize(), f"{value}.", f" '{value}'! "]
                yield case.plan.replaced(act.label, **{name: case.rng.choice(forms)})


RIGHT = (
    Alteration("as it is", "right", as_it_is, gate=True),
    Alteration("other look-ups", "right", other_lookups, gate=True),
    Alteration("an error made and mended", "right", error_mended),
    Alteration("refused, then mended", "right", refused_then_mended),
    Alteration("an update split in two", "right", split_update),
    Alteration("a list split", "right", split_list),
    Alteration("a list in other order", "right", list_in_other_order),
    Alteration("a wrong value corrected", "right", corrected),
    Alteration("another row put back", "right", changed_and_put_back),
    Alteration("undone and redone", "right", undone_and_redone),
    Alteration("calls in other order", "right", other_order, gate=True),
    Alteration("another tie", "right", other_tie),
    Alteration("arguments as text", "right", as_json_text),
    Alteration("free text in other case", "right", text_in_other_case),
)
