"""The SQL that a blueprint writes outside its tools' statements: in fields, starts, givens and policies' set-ups, vetted at its line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import apsw

from synthtools.blueprint import After, Blueprint, FieldSpec, Given
from synthtools.domain import Table
from synthtools.invariant import resolve_row
from synthtools.nearest import did_you_mean
from synthtools.source import Place, Source
from synthtools.spreads import check_days, check_pool, check_range
from synthtools.sql import SqlError, bind, examine, tokens

CLOCK = frozenset({"today", "now"})
MOMENT = re.compile(r"[+-]\d+d|\d{4}-\d{2}-\d{2}")
DAYS_AFTER = re.compile(r"\s*:(\w+)\s*([+-])\s*(\d+)\s*")
"""A given day and so many days: `:arrives + 4`."""
_NO_COLUMN = re.compile(r"no such column: (?:\w+\.)*(\w+)")


@dataclass(slots=True)
class Expressions:
    """Vets expressions against a domain's tables; whatever is not accepted is a BlueprintError at its line."""

    blueprint: Blueprint
    tables: Mapping[str, Table]
    connection: apsw.Connection
    source: Source

    def check(self) -> None:
        """Vet all that is not a tool's or an invariant's."""
        for name, entity in self.blueprint.entities.items():
            for key, spec in entity.fields.items():
                self._field(name, ("entities", name, "fields", key), spec)
            for state, start in entity.starts.items():
                if start.when is not None:
                    self.of_row(("entities", name, "starts", state, "when"), name, start.when, CLOCK)
        for key, tool in self.blueprint.tools.items():
            self._givens(("tools", key, "given"), tool.given, CLOCK)
        for key, workflow in self.blueprint.workflows.items():
            self._givens(("workflows", key, "given"), workflow.given, CLOCK)

    def check_policies(self, parameters: Mapping[str, Iterable[str]]) -> None:
        """Vet what a policy draws and sets up; `parameters`: tool's key → its arguments."""
        for name, policy in self.blueprint.policies.items():
            known = CLOCK | set(parameters.get(policy.tempts, ()))
            self._givens(("policies", name, "given"), policy.given, known)
            for part, statements in (("forbid", policy.forbid), ("allow", policy.allow)):
                for index, sql in enumerate(statements):
                    self._vet(("policies", name, part, index), sql, known, write=True)

    def _field(self, entity: str, place: Place, spec: FieldSpec) -> None:
        spread = getattr(spec, spec.kind)
        if spec.kind in ("int", "money", "date", "datetime") and isinstance(spread, str):
            self.of_row((*place, spec.kind), entity, spread, CLOCK)
        elif isinstance(spread, After):
            self.of_row((*place, spec.kind, "after"), entity, spread.after, CLOCK)
        if spec.where is not None:
            if spec.ref is None:
                raise self.source.error((*place, "where"), "belongs to a reference; write it beside `ref:`")
            self.of_row((*place, "where"), spec.ref, spec.where, CLOCK | self.tables[entity].columns.keys())

    def of_row(self, place: Place, entity: str, sql: str, known: frozenset[str]) -> None:
        """Vet an expression over a row of an entity and its references."""
        try:
            text = resolve_row(sql, self.tables[entity], self.tables)
        except SqlError as error:
            raise self.source.error(place, str(error)) from None
        self._value(place, text, known, entity)

    def _value(self, place: Place, sql: str, known: frozenset[str], entity: str = "") -> None:
        """Vet one expression, over row `t` of an entity or over nothing."""
        self._balanced(place, sql)
        self._vet(place, f'SELECT ({sql}) FROM "{entity}" AS t' if entity else f"SELECT ({sql})", known)

    def _balanced(self, place: Place, sql: str) -> None:
        """Refuse an expression that closes more than it opens: it would not stay where it is put."""
        depth = 0
        for token in tokens(sql):
            depth += (token.text == "(") - (token.text == ")")
            if depth < 0:
                raise self.source.error(place, "a ) closes nothing; take it out")

    def _vet(self, place: Place, sql: str, known: frozenset[str], *, write: bool = False) -> None:
        try:
            _, names = bind(sql)
            for name in sorted(names - known):
                raise SqlError(f":{name.replace('__', '.')} is unknown here; {did_you_mean(name, known)}")
            facts = examine(self.connection, sql, write=write)
        except SqlError as error:
            raise self.source.error(place, self._mended(str(error))) from None
        if not write and len(facts.columns) != 1:
            raise self.source.error(place, f"gives {len(facts.columns)} columns where one value was meant")

    def _mended(self, what: str) -> str:
        column = _NO_COLUMN.match(what)
        if column is None:
            return what
        return f"{what}; {did_you_mean(column.group(1), (c for table in self.tables.values() for c in table.columns))}"

    def _givens(self, place: Place, givens: Mapping[str, Given], known: frozenset[str]) -> None:
        """Vet givens in their order: each may use those before it."""
        for name, given in givens.items():
            self._given((*place, name), given, known)
            known |= {name}

    def _given(self, place: Place, given: Given, known: frozenset[str]) -> None:
        if given.entity is not None and given.entity not in self.tables:
            raise self.source.error((*place, "entity"), f"{given.entity!r} is no entity; {did_you_mean(given.entity, self.tables)}")
        if given.where is not None:
            if given.entity is None:
                raise self.source.error((*place, "where"), "says which rows qualify; name their `entity:`")
            self.of_row((*place, "where"), given.entity, given.where, known)
        if given.sql is not None:
            self._vet((*place, "sql"), given.sql, known)
        for key in ("int", "money", "date"):
            ends = getattr(given, key)
            if ends is not None:
                self._ends((*place, key), ends, known)
        for key in ("pool", "text"):
            check_pool((*place, key), getattr(given, key), self.blueprint, self.source)

    def _ends(self, place: Place, ends: tuple[int | str, int | str], known: frozenset[str]) -> None:
        """Vet the ends of a range, which may be numbers, days or SQL."""
        low, high = ends
        if isinstance(low, int) and isinstance(high, int):
            check_range(place, (low, high), self.source)
        if place[-1] == "date" and MOMENT.fullmatch(str(low)) and MOMENT.fullmatch(str(high)):
            check_days(place, (str(low), str(high)), self.blueprint.today, self.source)
        for index, end in enumerate(ends):
            if isinstance(end, int) or MOMENT.fullmatch(end):
                continue
            after = DAYS_AFTER.fullmatch(end) if place[-1] == "date" else None
            self._value((*place, index), f":{after.group(1)}" if after else end, known)
