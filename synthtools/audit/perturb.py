"""Worlds made for one call: rows near its arguments nudged onto other states, days and amounts, while every invariant holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import apsw

from synthtools.audit.probe import Probe
from synthtools.audit.world import broken_invariants
from synthtools.backend import Snapshot
from synthtools.domain import Column, Domain, Table
from synthtools.fuzz import is_moment, shifted, slots_of
from synthtools.invariant import sum_expression
from synthtools.sample import CallSampler
from synthtools.setup import SetupError
from synthtools.sql import examine
from synthtools.tool import Guard, Tool

_HOPS = 2
_FOCUSED = 0.7


@dataclass(slots=True)
class Perturber:
    """Makes set-ups after which a call may be refused for another reason."""

    probe: Probe
    sampler: CallSampler

    def nudge(self, start: Snapshot, tool: Tool, arguments: Mapping[str, Any], errors: Sequence[str] = ()) -> bool:
        """Stand at `start` with one to three cells near the arguments changed; False, at `start`, where that breaks what always holds.

        `errors`: what one would like to see; mostly, only cells on which one of these errors depends are changed.
        """
        rng, domain, backend = self.sampler.rng, self.probe.domain, self.probe.backend
        matter = (self._focus(tool, rng.choice(errors)) if errors and rng.random() < _FOCUSED else set()) or self._matter(tool)
        cells = self._cells(tool, arguments, matter)
        if not cells:
            return False
        said = [*self._said(tool, arguments)]
        setup: list[str] = []
        for column in rng.sample(list(cells), min(len(cells), rng.choice((1, 2, 2, 3)))):
            setup += self._change(*rng.choice(cells[column]), said)
        try:
            backend.reset(replace(start, setup=(*setup, *sums(domain))))
        except SetupError:
            backend.reset(start)
            return False
        if broken_invariants(self.probe):
            backend.reset(start)
            return False
        return True

    def _cells(self, tool: Tool, arguments: Mapping[str, Any], matter: set[str]) -> dict[str, list[tuple[str, str, Column]]]:
        """The cells near the arguments by the column that they are in."""
        cells: dict[str, list[tuple[str, str, Column]]] = {}
        for table, key in sorted({*self._near(tool, arguments), *self._anywhere(matter)}):
            for column in self.probe.domain.tables[table].columns.values():
                if f"{table}.{column.name}" in matter:
                    cells.setdefault(f"{table}.{column.name}", []).append((table, key, column))
        return cells

    def _said(self, tool: Tool, arguments: Mapping[str, Any]) -> Iterator[Any]:
        """Every value of the arguments, and of the rows that they name."""
        for name, slot in slots_of(self.probe.domain, tool).items():
            entity = slot.refers or (slot.item.refers if slot.item else "")
            value = arguments.get(name)
            for item in value if isinstance(value, list) else [value]:
                yield item
                if entity and isinstance(item, str):
                    yield from self.probe.connection.execute(f'SELECT * FROM "{entity}" WHERE id = ?', (item,)).fetchone() or ()

    def _anywhere(self, matter: set[str]) -> Iterator[tuple[str, str]]:
        """Two rows of each table that matters."""
        for table in sorted({column.partition(".")[0] for column in matter}):
            ids = self.sampler.ids(table) if table in self.probe.domain.tables else []
            yield from ((table, key) for key in self.sampler.rng.sample(ids, min(2, len(ids))))

    def _focus(self, tool: Tool, error: str) -> set[str]:
        """The columns on which one error depends: those that its invariants read, or that reach its guards through `let` rows."""
        found: set[str] = set().union(*(i.reads for i in self.probe.domain.invariants if i.error == error))
        for guard in tool.program.guards:
            if guard.error == error:
                found |= self._guarded(tool, guard)
        return {column for column in found if not column.endswith(".id")}

    def _guarded(self, tool: Tool, guard: Guard) -> set[str]:
        connection = self.probe.connection
        found = set(examine(connection, f"SELECT ({guard.require})", write=False).reads)
        for let in tool.program.lets:
            facts = examine(connection, let.sql, write=False)
            for column, origin in zip(facts.columns, facts.origins, strict=True):
                if f":{let.name}__{column}" in guard.require:
                    found |= {".".join(origin)} if origin else facts.reads
        return found

    def _matter(self, tool: Tool) -> set[str]:
        """The columns on which the tool's answer may depend."""
        names = set(tool.program.checks)
        found = set(tool.reads).union(*(i.reads for i in self.probe.domain.invariants if i.name in names))
        return {column for column in found if not column.endswith(".id")}

    def _near(self, tool: Tool, arguments: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """(table, id) of the rows that the arguments name, of those they refer to, and of those that refer to them."""
        for name, slot in slots_of(self.probe.domain, tool).items():
            entity = slot.refers or (slot.item.refers if slot.item else "")
            value = arguments.get(name)
            if entity and value is not None:
                for key in value if isinstance(value, list) else [value]:
                    yield from self._around(entity, str(key), _HOPS)

    def _around(self, entity: str, key: str, hops: int) -> Iterator[tuple[str, str]]:
        connection, tables = self.probe.connection, self.probe.domain.tables
        yield entity, key
        if not hops:
            return
        for column in tables[entity].columns.values():
            sql = f'SELECT "{column.name}" FROM "{entity}" WHERE id = ?'
            if column.ref and (other := connection.execute(sql, (key,)).get) is not None:
                yield from self._around(column.ref, str(other), hops - 1)
        if hops == _HOPS:
            for table in tables.values():
                for column in table.columns.values():
                    if column.ref == entity:
                        found = connection.execute(f'SELECT id FROM "{table.name}" WHERE "{column.name}" = ? ORDER BY id LIMIT 5', (key,))
                        yield from ((table.name, str(row[0])) for row in found.fetchall())

    def _change(self, table: str, key: str, column: Column, said: Sequence[Any]) -> Iterator[str]:
        """Statements that give one cell another value; with a state go the fields that belong to it."""
        value = self._value(table, key, column, said)
        yield f'UPDATE "{table}" SET "{column.name}" = {apsw.format_sql_value(value)} WHERE id = {apsw.format_sql_value(key)}'
        if column.kind == "state":
            yield from self._belonging(self.probe.domain.tables[table], key, str(value))

    def _belonging(self, table: Table, key: str, state: str) -> Iterator[str]:
        for name, spec in self.probe.domain.blueprint.entities[table.name].fields.items():
            if spec.only_in and state not in spec.only_in:
                yield f'UPDATE "{table.name}" SET "{name}" = NULL WHERE id = {apsw.format_sql_value(key)}'
            elif spec.only_in or spec.stamp == state:
                values = self.sampler.values(f"{table.name}.{name}") or [self.probe.domain.now if spec.stamp else None]
                value = apsw.format_sql_value(self.sampler.rng.choice(values))
                yield f'UPDATE "{table.name}" SET "{name}" = COALESCE("{name}", {value}) WHERE id = {apsw.format_sql_value(key)}'

    def _value(self, table: str, key: str, column: Column, said: Sequence[Any]) -> Any:
        """Another value for a cell: any choice, or one at or beside what the world or the arguments (`said`) hold."""
        rng, now = self.sampler.rng, self.probe.domain.now
        if column.choices:
            return rng.choice(column.choices)
        if column.kind == "bool":
            return rng.randint(0, 1)
        present = self.probe.connection.execute(f'SELECT "{column.name}" FROM "{table}" WHERE id = ?', (key,)).get
        if column.ref:
            ids = self.sampler.ids(column.ref) or [present]
            named = [value for value in said if value in ids]
            return rng.choice(named if named and rng.random() < 0.6 else ids)
        if column.kind in ("date", "datetime", "stamp"):
            return self._moment(column, present, [v for v in said if is_moment(v)] or [now])
        found = self.sampler.values(f"{table}.{column.name}")
        if column.type == "INTEGER":
            numbers = [v for v in said if type(v) is int]
            picked = rng.choice([0, *found[:1], *found[-1:], present or 0, rng.choice(found or [0]), *numbers])
            return rng.choice((picked, picked, picked + 1, picked - 1, picked * 2))
        return rng.choice(found) if found else present

    def _moment(self, column: Column, present: str | None, said: Sequence[str]) -> str:
        rng, now = self.sampler.rng, self.probe.domain.now
        base = rng.choice((present, now, rng.choice(said))) or now
        whole = base if len(base) > 10 else base[:10] + now[10:]
        return shifted(whole[:10] if column.kind == "date" else whole, rng.choice((-3, -2, -1, -1, 0, 0, 0, 1, 1, 2, 3)))


def sums(domain: Domain) -> Iterator[str]:
    """Statements that bring every sum up to date."""
    for parent, definition in domain.blueprint.entities.items():
        for name, field in definition.fields.items():
            if field.sum_of:
                yield f'UPDATE "{parent}" AS t SET "{name}" = {sum_expression(domain.blueprint, domain.tables, parent, name)}'
