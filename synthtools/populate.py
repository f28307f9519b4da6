"""Start worlds from the seed: rows drawn from a blueprint's distributions, related rows agreeing, every invariant true."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import apsw
import orjson

from synthtools.blueprint import After, Entity, FieldSpec
from synthtools.cache import code_version, remembered
from synthtools.connection import open_connection
from synthtools.domain import Domain, Table
from synthtools.execute import make_checks
from synthtools.history import enter_state
from synthtools.identifier import identifiers
from synthtools.invariant import resolve_row, sum_expression
from synthtools.reference import Reference
from synthtools.seed import generator
from synthtools.sql import tokens
from synthtools.values import Draw, Drawer, Row
from synthtools.world import Image

DEFAULT_ROWS = 1000
WORLDS = 4
"""Start worlds of a domain, numbered from 0; numbers below 0 are the audit's dense worlds."""
_TRIES = 40
_STEPS_PER_WORLD, _STEPS_PER_ROW = 100_000_000, 40_000
"""Virtual-machine steps that drawing a world may take."""
_MEMORY = 1 << 32
_MISSES = 6
"""Rows in succession that cannot be drawn, after which a table is full."""
_DENSE_SHARE = 0.06


class PopulationError(ValueError):
    """A blueprint whose own distributions cannot satisfy its invariants."""


def world_image(domain: Domain, number: int, rows: int = DEFAULT_ROWS) -> Image:
    """Start world `number` of a domain with about `rows` rows; built once and kept in the cache folder."""
    return _build(domain.digest, _Keyed(domain), number, rows)


class _Keyed:
    """A domain as a cache key's companion: equal whatever the object, since the digest is the key."""

    __slots__ = ("domain",)

    def __init__(self, domain: Domain) -> None:
        self.domain = domain

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Keyed)


@lru_cache(maxsize=256)
def _build(digest: str, keyed: _Keyed, number: int, rows: int) -> Image:
    def build() -> bytes:
        image = build_world(keyed.domain, number, rows)
        counters = orjson.dumps(image.counters)
        return len(counters).to_bytes(4, "big") + counters + image.data

    kept = remembered("worlds", f"{code_version()}/{digest}/{number}/{rows}", build)
    end = 4 + int.from_bytes(kept[:4], "big")
    return Image(kept[end:], tuple((name, first) for name, first in orjson.loads(kept[4:end])))


def build_world(domain: Domain, number: int, rows: int) -> Image:
    """Build a start world. Raises PopulationError, naming the entity, when too few rows can be drawn or drawing takes too long."""
    connection = open_connection()
    for statement in domain.ddl:
        connection.execute(statement)
    counters: dict[str, int] = {}
    with connection, connection.bounded(_STEPS_PER_WORLD + _STEPS_PER_ROW * rows, _MEMORY):
        try:
            _fill(domain, connection, counters, (number, rows))
        except apsw.InterruptError:
            table = next(t for t in domain.tables if t not in counters)
            raise PopulationError(f"{domain.name}: drawing the rows of {table} takes too long; simplify the SQL of its fields") from None
    connection.execute("ANALYZE")
    return Image(connection.serialize("main"), tuple(sorted(counters.items())))


def _fill(domain: Domain, connection: apsw.Connection, counters: dict[str, int], which: tuple[int, int]) -> None:
    """Draw all rows; `counters` takes the first free id number of each table as it is done."""
    for table in domain.tables.values():
        counters[table.name] = _Filler(domain, table, connection, *which).fill()
        connection.execute(f'ANALYZE "{table.name}"')
    for parent, definition in domain.blueprint.entities.items():
        for name, field in definition.fields.items():
            if field.sum_of:
                connection.execute(_sum_update(domain, parent, name))


def _sum_update(domain: Domain, parent: str, name: str) -> str:
    expression = sum_expression(domain.blueprint, domain.tables, parent, name)
    return f'UPDATE "{parent}" AS t SET "{name}" = {expression}'


@dataclass(slots=True)
class _Computed:
    """Values that follow from the row drawn so far, by one query."""

    sql: str
    names: tuple[str, ...]


class _Filler:
    """Fills one table of one world."""

    def __init__(self, domain: Domain, table: Table, connection: apsw.Connection, number: int, rows: int) -> None:
        self.domain, self.table, self.connection = domain, table, connection
        self.entity: Entity = domain.blueprint.entities[table.name]
        self.dense = number < 0
        self.rng = generator("world", domain.name, number, rows, table.name)
        scale = _DENSE_SHARE if self.dense else rows / DEFAULT_ROWS
        self.wanted = max(6 if self.dense else 1, round(self.entity.rows * scale))
        today = datetime.date.fromisoformat(domain.today)
        opens = int(domain.now[11:13])
        self.drawer = Drawer(domain.blueprint, self.rng, today, opens, self.dense)
        self.constants = {"today": domain.today, "now": domain.now}
        self.draws: list[tuple[str, Draw | _Computed]] = list(self._plan())
        self.starts = self._starts()
        checks = make_checks(domain, tuple(i.name for i in domain.invariants if i.enforced and i.table == table.name))
        self.check = checks.get(table.name, ("", []))[0]
        self.sums = [
            (f"{_sum_update(domain, parent, name)} WHERE t.id = ?", next(c.name for c in table.columns.values() if c.ref == parent))
            for parent, definition in domain.blueprint.entities.items()
            for name, field in definition.fields.items()
            if field.sum_of == table.name and self.check
        ]

    def _plan(self) -> Iterator[tuple[str, Draw | _Computed]]:
        """Fields in an order in which each can be drawn: as written, then computed ones."""
        later: list[tuple[str, _Computed]] = []
        for key, spec in self.entity.fields.items():
            moment = spec.date if spec.kind == "date" else spec.datetime
            if spec.kind == "ref":
                yield key, self._reference(key, spec)
            elif spec.kind in ("sum_of", "stamp"):
                continue
            elif isinstance(moment, After):
                yield moment.after, self._expression(moment.after)
                draw = self.drawer.draw(key, spec)
                assert draw is not None
                yield key, draw
            elif (draw := self.drawer.draw(key, spec)) is not None:
                yield key, draw
            else:
                later.append((key, self._expression(getattr(spec, spec.kind))))
        yield from later

    def _expression(self, sql: str) -> _Computed:
        text = resolve_row(sql, self.table, self.domain.tables)
        bound = "".join(":" + t.text[2:] if t.kind == "word" and t.text.startswith("t.") else t.text for t in tokens(text))
        names = tuple(t.text[1:] for t in tokens(bound) if t.kind == "bind")
        return _Computed(f"SELECT ({bound})", names)

    def _value(self, row: Row, computed: _Computed) -> Any:
        scope = {name: row[name] if name in row else self.constants.get(name) for name in computed.names}
        return self.connection.execute(computed.sql, scope).get

    def _reference(self, key: str, spec: FieldSpec) -> Draw:
        target = self.domain.tables[str(spec.ref)]
        where = resolve_row(spec.where, target, self.domain.tables) if spec.where else "1"
        reference = Reference(self.connection, self.rng, target.name, where, self.constants)
        own, rng = target.name == self.table.name, self.rng
        if not own:
            reference.weigh(dense=self.dense, skew=spec.skew)
        draw = reference.near if own else reference.draw
        share = 0.0 if spec.only_in and not own else spec.optional or 0.0
        return lambda row: None if share and rng.random() < share else draw(row)

    def _starts(self) -> tuple[list[str], list[float], _Computed | None]:
        """States a row may begin in, their shares, and the query that says which are possible."""
        if not self.entity.lifecycle:
            return [], [], None
        starts = self.entity.starts
        states = list(starts) or self.entity.states
        shares = [starts[s].share if s in starts else 1.0 for s in states]
        whens = [self._expression((starts[s].when if s in starts else None) or "1") for s in states]
        columns = ", ".join(f"{w.sql[7:]}" for w in whens)
        names = tuple({name for w in whens for name in w.names})
        return states, shares, _Computed(f"SELECT json_array({columns})", names)

    def fill(self) -> int:
        """Insert the rows; returns the first free id number."""
        columns = [c for c in self.table.columns]
        insert = f'INSERT INTO "{self.table.name}" ({", ".join(map(_q, columns))}) VALUES ({", ".join("?" * len(columns))})'
        ids = identifiers(self.entity, self.rng, self.wanted)
        made, missed, last = 0, 0, ""
        for identifier in ids:
            if missed == _MISSES:
                break
            missed += 1
            for _ in range(_TRIES):
                row = self._row()
                row["id"] = identifier
                if row.get("state", "") is None:
                    continue
                if self._insert(insert, row):
                    made, missed, last = made + 1, 0, identifier
                    break
        if made < max(1, min(self.wanted, self.entity.rows) // 3) and not self.dense:
            raise PopulationError(
                f"{self.domain.name}: only {made} of {self.wanted} rows of {self.table.name} could be drawn that keep its invariants"
            )
        digits = re.search(r"(\d+)$", last)
        return int(digits.group(1)) + 1 if digits else 1

    def _insert(self, insert: str, row: Row) -> bool:
        """Insert a row unless it would break an invariant; sums over these rows are kept true meanwhile."""
        try:
            self.connection.execute(insert, [row.get(c) for c in self.table.columns])
        except apsw.ConstraintError:
            return False
        if not self.check:
            return True
        rowid = self.connection.last_insert_rowid()
        self._sum(row)
        if self.connection.execute(self.check, {"touched": orjson.dumps([rowid]).decode(), **self.constants}).get < 0:
            return True
        self.connection.execute(f'DELETE FROM "{self.table.name}" WHERE rowid = ?', (rowid,))
        self._sum(row)
        return False

    def _sum(self, row: Row) -> None:
        for sql, link in self.sums:
            self.connection.execute(sql, (row.get(link),))

    def _row(self) -> Row:
        row: Row = {}
        for key, draw in self.draws:
            row[key] = self._value(row, draw) if isinstance(draw, _Computed) else draw(row)
        for key, spec in self.entity.fields.items():
            if spec.kind == "sum_of":
                row[key] = 0
        states, shares, query = self.starts
        if query is not None:
            possible = orjson.loads(self._value(row, _Computed(query.sql, query.names)))
            usable = [(s, share) for s, share, ok in zip(states, shares, possible, strict=True) if ok and share > 0]
            row["state"] = self.rng.choices([s for s, _ in usable], [w for _, w in usable])[0] if usable else None
            enter_state(row, self.entity, self.domain.now, self.rng)
        return row


def _q(name: str) -> str:
    return f'"{name}"'
