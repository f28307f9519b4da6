"""Describing one row among many, so that the words fit exactly that one."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from synthtools.domain import Column, Domain, Table
from synthtools.entity import called, is_money
from synthtools.invariant import resolve_row
from synthtools.language import mark, say
from synthtools.number import agreeing_with_ones

_PLACE = re.compile(r"\{([a-z0-9_.]+)\}")
_DEPTH = 3


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that a description says of a row: the value reached by a path, whole or as a part of it."""

    path: tuple[str, ...]
    value: Any
    """As stored."""
    part: bool = False
    """The value is contained in the stored text."""
    said: str = ""
    """How the request says it."""


@dataclass(frozen=True, slots=True)
class Description:
    """Words that fit exactly one row."""

    entity: str
    id: str
    text: str
    """With marks around the values."""
    claims: tuple[Claim, ...]


class Describer:
    """Describes rows of one world; reads the connection, changes nothing."""

    def __init__(self, domain: Domain, connection: apsw.Connection, rng: random.Random) -> None:
        self.domain, self.connection, self.rng = domain, connection, rng

    def describe(self, entity: str, row: str, *, by_id: bool = False) -> Description | None:
        """Words that fit only this row, or None. `by_id`: name it by its number, as people do who have it at hand."""
        definition = self.domain.blueprint.entities[entity]
        if by_id:
            noun = self.rng.choice([called(entity, definition), *definition.called])
            forms = ("{noun} {id}", "{noun} number {id}", "{id}", "{noun} no. {id}")
            words = self.rng.choice(forms).replace("{noun}", noun).replace("{id}", mark(row))
            return Description(entity, row, words, (Claim(("id",), row, said=row),))
        templates = list(definition.described_by)
        self.rng.shuffle(templates)
        for template in templates:
            made = self._fill(entity, row, template, 0)
            if made is not None and self.count(entity, made.claims) == 1:
                return made
        return None

    def _fill(self, entity: str, row: str, template: str, depth: int) -> Description | None:
        claims: list[Claim] = []
        text, position = "", 0
        paths = _PLACE.findall(template)
        counted = [p for p in paths if self.column(entity, tuple(p.split(".")))[1].kind == "int"]
        template = agreeing_with_ones(template, {p: self.value(entity, row, tuple(p.split("."))) for p in counted})
        for place in _PLACE.finditer(template):
            said = self._place(entity, row, tuple(place.group(1).split(".")), claims, depth)
            if said is None:
                return None
            text += template[position : place.start()] + said
            position = place.end()
        return Description(entity, row, text + template[position:], tuple(claims))

    def _place(self, entity: str, row: str, path: tuple[str, ...], claims: list[Claim], depth: int) -> str | None:
        """The words of one placeholder; what they claim is added to `claims`."""
        value = self.value(entity, row, path)
        if value is None:
            return None
        table, column = self.column(entity, path)
        if column.ref and self.domain.tables[column.ref].digits and depth < _DEPTH:
            templates = list(self.domain.blueprint.entities[column.ref].described_by)
            self.rng.shuffle(templates)
            for template in templates:
                inner = self._fill(column.ref, value, template, depth + 1)
                if inner is not None:
                    claims += [Claim((*path, *c.path), c.value, c.part, c.said) for c in inner.claims]
                    return inner.text
            return None
        part = column.kind == "person" and self.rng.random() < 0.3
        shown = value.split()[-1] if part else value
        said = self.say(table.name, column, shown)
        claims.append(Claim(path, shown, part, said))
        return mark(said)

    def say(self, table: str, column: Column, value: Any) -> str:
        """A stored value of a column in words."""
        if is_money(self.domain.blueprint, table, column.name):
            return say(self.domain, value / 100, "money", self.rng)
        return say(self.domain, value, "plain" if column.kind == "text" else column.kind, self.rng)

    def column(self, entity: str, path: tuple[str, ...]) -> tuple[Table, Column]:
        """The table and column at the end of a path."""
        table = self.domain.tables[entity]
        for step in path[:-1]:
            table = self.domain.tables[table.columns[step].ref]
        return table, table.columns[path[-1]]

    def value(self, entity: str, row: str, path: tuple[str, ...]) -> Any:
        """The stored value that a path reaches from a row."""
        text = self._resolved(entity, path)
        return self.connection.execute(f'SELECT {text} FROM "{entity}" AS t WHERE t.id = ?', (row,)).get

    def _resolved(self, entity: str, path: tuple[str, ...]) -> str:
        return resolve_row(".".join(path), self.domain.tables[entity], self.domain.tables)

    def count(self, entity: str, claims: Sequence[Claim]) -> int:
        """How many rows fit what is claimed."""
        conditions, values = [], []
        for claim in claims:
            text = self._resolved(entity, claim.path)
            conditions.append(f"instr(lower({text}), lower(?)) > 0" if claim.part else f"{text} IS ?")
            values.append(claim.value)
        where = " AND ".join(conditions) or "1"
        found: int = self.connection.execute(f'SELECT COUNT(*) FROM "{entity}" AS t WHERE {where}', values).get
        return found
