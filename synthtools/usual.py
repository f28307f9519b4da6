"""Sensible arguments for the tools that every trade has, drawn as the blueprint spreads its values."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from synthtools.blueprint import After
from synthtools.entity import argument_name
from synthtools.invariant import resolve_row
from synthtools.sql import tokens
from synthtools.tool import Tool
from synthtools.values import Draw, Drawer

if TYPE_CHECKING:
    from synthtools.sample import CallSampler, Scope

_UNIQUE_TRIES = 20


@dataclass(slots=True)
class Usual:
    """Draws arguments of compiled tools."""

    sampler: CallSampler
    draws: dict[str, dict[str, Draw | None]] = field(default_factory=dict)
    """Entity → field → how its values are drawn."""

    def arguments(self, tool: Tool, scope: Scope) -> Scope | None:
        """Arguments of a sensible call, added to the scope; None when nothing fits."""
        kind = tool.origin.kind
        if kind == "search":
            return self._search(tool, scope)
        if kind == "create":
            return self._create(tool, scope)
        if kind == "count":
            return scope if all(self.sampler.fill(tool, name, scope) for name in tool.parameters["properties"]) else None
        where = None
        if kind == "transition":
            lifecycle = self.sampler.domain.blueprint.entities[tool.origin.entity].lifecycle
            before = ", ".join(f"'{s}'" for s, later in lifecycle.items() if tool.origin.state in later)
            where = f"state IN ({before})"
        ids = self.sampler.ids(tool.origin.entity, where)
        if not ids:
            return None
        scope[f"{tool.origin.entity}_id"] = self.sampler.rng.choice(ids)
        return self._update(tool, scope) if kind == "update" else scope

    def _search(self, tool: Tool, scope: Scope) -> Scope | None:
        """Filters that some row meets."""
        entity, fields = tool.origin.entity, self.sampler.domain.blueprint.entities[tool.origin.entity].fields
        ids = self.sampler.ids(entity)
        if not ids:
            return None
        chosen = self.sampler.rng.choice(ids)
        for key in self.sampler.rng.sample(tool.origin.fields, min(len(tool.origin.fields), self.sampler.rng.choice((1, 1, 2)))):
            value = self.sampler.one(f'SELECT "{key}" FROM "{entity}" WHERE id = :id', {"id": chosen})
            name = argument_name(key, fields[key]) if key in fields else key
            if value is None:
                continue
            if name in tool.parameters["properties"]:
                scope[name] = value
            else:
                scope.update({f"{key}_{end}": value for end in self.sampler.rng.choice((("from",), ("until",), ("from", "until")))})
        return scope

    def _create(self, tool: Tool, scope: Scope) -> Scope | None:
        entity = tool.origin.entity
        row: dict[str, Any] = {}
        for key in tool.origin.fields:
            spec = self.sampler.domain.blueprint.entities[entity].fields[key]
            name = argument_name(key, spec)
            if spec.ref:
                where = spec.where if spec.where and not spec.optional else None
                ids = self.sampler.ids(spec.ref, where, {**row, **scope})
                if not ids and not spec.nullable:
                    return None
                row[key] = self.sampler.rng.choice(ids) if ids and (not spec.optional or self.sampler.rng.random() > spec.optional) else None
            else:
                row[key] = self._field(entity, key, row)
                if row[key] is None and not spec.nullable:
                    row[key] = self.sampler.usual(self.sampler.slots(tool)[name])
            scope[name] = row[key]
        return scope

    def _update(self, tool: Tool, scope: Scope) -> Scope | None:
        fields = self.sampler.domain.blueprint.entities[tool.origin.entity].fields
        count = min(len(tool.origin.fields), self.sampler.rng.choice((1, 1, 2)))
        for key in self.sampler.rng.sample(tool.origin.fields, count):
            value = self._field(tool.origin.entity, key, {})
            scope[argument_name(key, fields[key])] = self.sampler.usual(self.sampler.slots(tool)[key]) if value is None else value
        return scope

    def _field(self, entity: str, key: str, row: dict[str, Any]) -> Any:
        """A new value of a field, spread as the blueprint spreads it."""
        spec = self.sampler.domain.blueprint.entities[entity].fields[key]
        moment = spec.date if spec.kind == "date" else spec.datetime
        if isinstance(moment, After):
            table = self.sampler.domain.tables[entity]
            text = resolve_row(moment.after, table, self.sampler.domain.tables)
            text = "".join(":" + t.text[2:] if t.kind == "word" and t.text.startswith("t.") else t.text for t in tokens(text))
            names = {t.text[1:] for t in tokens(text) if t.kind == "bind"}
            if not names <= row.keys() | {"now", "today"}:
                return None
            row[moment.after] = self.sampler.one(f"SELECT ({text})", {**self.sampler.scope(), **row})
        today = datetime.date.fromisoformat(self.sampler.domain.today)
        made = Drawer(self.sampler.domain.blueprint, self.sampler.rng, today, int(self.sampler.domain.now[11:13]), False).draw(key, spec)
        if made is None:
            return None
        value = made(row)
        taken = f'SELECT id FROM "{entity}" WHERE "{key}" = :value'
        for _ in range(_UNIQUE_TRIES if spec.unique else 0):
            if not self.sampler.options(taken, {"value": value}):
                break
            value = made(row)
        return value
