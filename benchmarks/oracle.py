"""An independent oracle: is an episode right? It compares whole final worlds with those of re-executed references.

It shares no code with the judge. Where the judge matches net changes by backtracking, the oracle reads every row of
every table, and names new rows by what they hold and what refers to them (colours refined until they are stable).
Ties it finds by itself: a workflow that takes the lowest is carried out again with every row that is as low.
It reads no answers: what an answer says is known to the alteration that wrote it, and the values are compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from episode import Plan, Played, Rows, Stage, plan_of, references

from synthtools.blueprint import Workflow
from synthtools.domain import Domain
from synthtools.task import Derived, Ref, Task

Node = tuple[str, str]
"""(table, id) of a row."""


@dataclass(frozen=True, slots=True)
class State:
    """How a final world differs from its start, generated ids replaced by names that only contents decide."""

    gone: frozenset[tuple[Any, ...]]
    fresh: tuple[str, ...]
    names: Mapping[str, str]
    """Generated id → its name."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One way that is right, carried out."""

    plan: Plan
    state: State
    outcome: str
    about: str
    answer: Any
    kind: str
    """The type of the answer; empty where none is asked for."""


class Oracle:
    """Says of any episode of a domain's tasks whether it is right."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.domain = stage, stage.domain
        tables = self.domain.tables.values()
        self._kept = {t.name: [(i, c.name, c.kind == "text") for i, c in enumerate(t.columns.values()) if not c.incidental] for t in tables}

    def references(self, task: Task) -> tuple[Reference, ...]:
        """The solution and, where it picks among equals, every other choice."""
        plan = plan_of(task)
        played = self.stage.play(task, plan)
        found = [self._reference(task, plan, played)]
        for other in tied_plans(self.domain, plan, played):
            again = self.stage.play(task, other)
            if not again.failed:
                found.append(self._reference(task, other, again))
        return tuple(found)

    def _reference(self, task: Task, plan: Plan, played: Played) -> Reference:
        if played.ending is None:
            raise ValueError(f"{task.id}: the reference does not end")
        kinds = {a.answer.type for a in task.goal.alternatives if a.answer is not None}
        ending = played.ending
        return Reference(plan, self.state(task, played.rows), ending.outcome, ending.about, ending.answer, kinds.pop() if kinds else "")

    def fault(self, task: Task, references: tuple[Reference, ...], played: Played) -> str:
        """What is wrong with an episode, compared with the reference that it comes nearest to; nothing when it is right."""
        if played.ending is None:
            return "never ended"
        state = self.state(task, played.rows)
        faults = [self._against(reference, state, played) for reference in references]
        order = ("", "answer", "about", "outcome")
        return min(faults, key=lambda f: order.index(f) if f in order else len(order))

    def _against(self, reference: Reference, state: State, played: Played) -> str:
        ending = played.ending
        if ending is None or (state.gone, state.fresh) != (reference.state.gone, reference.state.fresh):
            return "world"
        if ending.outcome != reference.outcome:
            return "outcome"
        if reference.outcome != "done" and _bare(ending.about) != _bare(reference.about):
            return "about"
        return (
            ""
            if not reference.kind or _said(reference.kind, played.says, state) == _said(reference.kind, reference.answer, reference.state)
            else "answer"
        )

    def state(self, task: Task, rows: Rows) -> State:
        """A final world against its start."""
        start = self.stage.start_rows(task)
        gone: set[tuple[Any, ...]] = set()
        fresh: dict[Node, dict[str, Any]] = {}
        for table, kept in self._kept.items():
            if rows[table] == start[table]:
                continue
            before = {row[0]: self._cells(kept, row) for row in start[table] - rows[table]}
            after = {row[0]: self._cells(kept, row) for row in rows[table] - start[table]}
            gone.update((table, *cells) for key, cells in before.items() if after.get(key) != cells)
            fresh.update({(table, key): self._tidy(kept, cells) for key, cells in after.items() if before.get(key) != cells})
        new = {node for node in fresh if self.domain.tables[node[0]].digits and node[1] not in {r[0] for r in start[node[0]]}}
        colours = self._colours(fresh, new)
        return State(frozenset(gone), tuple(sorted(colours.values())), {node[1]: colours[node] for node in new})

    def _cells(self, kept: list[tuple[int, str, bool]], row: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(row[i] for i, _, _ in kept)

    def _tidy(self, kept: list[tuple[int, str, bool]], cells: tuple[Any, ...]) -> dict[str, Any]:
        """A row's cells by column; of free text, the words."""
        return {name: _bare(cell) if free and isinstance(cell, str) else cell for (_, name, free), cell in zip(kept, cells, strict=True)}

    def _colours(self, fresh: Mapping[Node, dict[str, Any]], new: set[Node]) -> dict[Node, str]:
        """Names for rows that depend on what they hold, refer to and are referred to by, and on nothing else."""
        owner: dict[str, Node] = {node[1]: node for node in new}
        links: dict[Node, list[tuple[str, Node]]] = {node: [] for node in fresh}
        colours: dict[Node, str] = {}
        for node, cells in fresh.items():
            held = []
            for name, cell in cells.items():
                target = self._target(node[0], name, cell, owner, new)
                if target is not None and name != "id":
                    links[node].append((name, target))
                elif not (name == "id" and node in new):
                    held.append((name, cell))
            colours[node] = _digest(node[0], held)
        back: dict[Node, list[tuple[str, str, Node]]] = {node: [] for node in fresh}
        for node, targets in links.items():
            for name, target in targets:
                back[target].append((node[0], name, node))
        count = 0
        while new and len(set(colours.values())) > count:
            count = len(set(colours.values()))
            colours = {
                node: _digest(
                    colours[node],
                    [(name, colours[target]) for name, target in links[node]],
                    sorted((table, name, colours[source]) for table, name, source in back[node]),
                )
                for node in fresh
            }
        return colours

    def _target(self, table: str, name: str, cell: Any, owner: Mapping[str, Node], new: set[Node]) -> Node | None:
        if not isinstance(cell, str):
            return None
        ref = self.domain.tables[table].columns[name].ref
        if ref:
            return (ref, cell) if (ref, cell) in new else None
        return owner.get(cell)


def _digest(*parts: Any) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def _said(kind: str, value: Any, state: State) -> Any:
    """A value as values of its kind are compared; None for none."""
    if value is None or isinstance(value, list) != (kind == "ids"):
        return None
    if kind == "ids":
        return {state.names.get(str(v), str(v)) for v in value}
    if kind in ("number", "money"):
        return _worth(value)
    return str(value)[:10] if kind == "date" else state.names.get(str(value), str(value).casefold())


def _bare(text: str) -> str:
    """A text's words, and the signs before its numbers; nothing else."""
    plain = text.casefold()
    kept = [c if c.isalnum() or (c == "-" and plain[i + 1 : i + 2].isdigit() and not plain[:i][-1:].isalnum()) else " " for i, c in enumerate(plain)]
    return " ".join("".join(kept).split())


def tied_plans(domain: Domain, plan: Plan, played: Played) -> Iterator[Plan]:
    """The reference with another, equally good, row at each place where a workflow takes the lowest or highest."""
    for workflow in domain.blueprint.workflows.values():
        if not _follows(domain, plan, workflow):
            continue
        for step in workflow.steps:
            how, by = next(iter((step.pick or {"": ""}).items()))
            if how not in ("lowest", "highest"):
                continue
            for act in plan.acts:
                if domain.tools[act.name].key == step.call:
                    yield from _other_rows(plan, played, act.label, (how, str(by)))


def _follows(domain: Domain, plan: Plan, workflow: Workflow) -> bool:
    """Whether a plan makes a workflow's calls in their order, look-ups left aside."""
    keys = iter([domain.tools[act.name].key for act in plan.acts])
    return all(step.call in keys for step in workflow.steps)


def _other_rows(plan: Plan, played: Played, label: int, pick: tuple[str, str]) -> Iterator[Plan]:
    how, by = pick
    chosen = {r.path[: _index_at(r.path) + 1] for r in _all_references(plan) if r.step == label and _index_at(r.path) >= 0}
    if len(chosen) != 1:
        return
    path = chosen.pop()
    rows = played.values[label]
    for part in path[:-1]:
        rows = rows[part]
    worth = [_worth(row[by]) for row in rows]
    taken = worth[int(path[-1])]
    if taken != (min(worth) if how == "lowest" else max(worth)):
        return
    for index, value in enumerate(worth):
        if value == taken and index != path[-1]:
            yield moved_reference(plan, label, path, (*path[:-1], index))


def _all_references(plan: Plan) -> Iterator[Ref]:
    for act in plan.acts:
        for value in act.arguments.values():
            yield from references(value)
    for value in (plan.ending or {}).values():
        yield from references(value)


def _index_at(path: tuple[str | int, ...]) -> int:
    return next((i for i, part in enumerate(path) if isinstance(part, int)), -1)


def _worth(cell: Any) -> Any:
    """What rows are compared by: amounts as amounts, also where they are shown as text."""
    try:
        return (0, Decimal(str(cell)), "")
    except InvalidOperation:
        return (1, Decimal(0), str(cell))


def moved_reference(plan: Plan, label: int, old: tuple[str | int, ...], new: tuple[str | int, ...]) -> Plan:
    """The plan with references into one row of a result pointing into another."""

    def moved(argument: Any) -> Any:
        if isinstance(argument, Ref) and argument.step == label and argument.path[: len(old)] == old:
            return Ref(label, (*new, *argument.path[len(old) :]))
        if isinstance(argument, Derived):
            return Derived(argument.sql, {k: moved(v) for k, v in argument.uses.items()})
        return [moved(v) for v in argument] if isinstance(argument, list | tuple) else argument

    return plan.mapped(moved)
