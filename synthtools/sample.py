"""Arguments for a tool in the world as it stands: sensible ones as people would give, or wide ones that sit on boundaries."""

from __future__ import annotations

import datetime
import random
from collections.abc import Mapping, Sequence
from typing import Any

import apsw

from synthtools.backend import LocalBackend
from synthtools.blueprint import Given
from synthtools.connection import Connection
from synthtools.domain import Domain
from synthtools.expressions import DAYS_AFTER, MOMENT
from synthtools.fuzz import Fuzzer, Slot, as_bound, slots_of, to_agent
from synthtools.invariant import resolve_row
from synthtools.pools import pool
from synthtools.sql import SqlError, bind
from synthtools.tool import Tool
from synthtools.usual import Usual
from synthtools.values import day_number

Scope = dict[str, Any]
"""Argument → value as SQL sees it (cents, 0 and 1, ISO days, lists)."""

_MAX_CACHED = 4000
_UNIQUE_TRIES = 20
_WIDE = 4


def first_column(connection: Connection, sql: str, values: Mapping[str, Any]) -> list[Any]:
    """The first column of a query that a blueprint wrote. Raises SqlError where it takes more than a call may."""
    try:
        with connection.bounded():
            return [row[0] for row in connection.execute(sql, values)]
    except apsw.InterruptError:
        raise SqlError(f"takes more steps than a call may take: {sql}") from None


class CallSampler:
    """Draws arguments in whatever world its backend stands; candidates are looked up once for each start."""

    def __init__(self, domain: Domain, backend: LocalBackend, rng: random.Random) -> None:
        self.domain, self.backend, self.rng = domain, backend, rng
        self._cache: dict[tuple[Any, ...], list[Any]] = {}
        self._slots: dict[str, dict[str, Slot]] = {}
        self._fuzzer, self._usual = Fuzzer(self), Usual(self)
        self._selects: dict[tuple[str, str | None], str] = {}
        self._bound: dict[str, tuple[str, tuple[str, ...]]] = {}

    def sample(self, tool: Tool, *, sensible: bool = True) -> dict[str, Any] | None:
        """Arguments as an agent gives them; None when nothing in this world fits."""
        scope = self.scope()
        chosen = self._sensible(tool, scope)
        if not sensible:
            chosen = self._fuzzer.widen(tool, chosen)
        if chosen is None:
            return None
        properties = tool.parameters["properties"]
        return {name: to_agent(properties[name], value) for name, value in chosen.items() if name in properties and value is not None}

    def oddities(self, tool: Tool) -> list[dict[str, Any]]:
        """Calls that people get wrong or make seldom: nothing optional, one optional argument alone, a cent, yesterday, an unknown row."""
        base = self.sample(tool) or self.sample(tool, sensible=False) or {}
        bare = {name: value for name, value in base.items() if name in tool.parameters["required"]}
        wide = {name: value for _ in range(_WIDE) for name, value in (self.sample(tool, sensible=False) or {}).items()}
        alone = [{**bare, name: value} for name, value in wide.items() if name not in bare]
        small = [{**base, name: 0.01} for name in base if name in tool.money]
        now = datetime.date.fromisoformat(self.scope()["today"])
        days = [now.isoformat(), (now - datetime.timedelta(days=1)).isoformat()]
        dated = [name for name in base if tool.parameters["properties"][name].get("format") == "date"]
        timed = [{**base, name: day} for name in dated for day in days]
        return [bare, *alone, *small, *timed, *(self._fuzzer.stranger(tool, name, base) for name in tool.refers)]

    def scope(self) -> Scope:
        """What every draw may refer to."""
        now = self.backend.world.now
        return {"now": now, "today": now[:10]}

    def draw(self, given: Given, scope: Mapping[str, Any]) -> Any:
        """One value in SQL's terms (a list where `many` is asked for); None when nothing fits. `scope` holds earlier values."""
        known = {**self.scope(), **scope}
        if given.int is not None or given.money is not None:
            return self._number(given, known)
        if given.date is not None:
            return self._day(given.date, known)
        candidates = self._candidates(given, known)
        if given.many is not None:
            low, high = given.many
            wanted = min(self.rng.randint(low, high), len(candidates))
            return self.rng.sample(candidates, wanted) if wanted >= low else None
        return self.rng.choice(candidates) if candidates else None

    def options(self, sql: str, scope: Mapping[str, Any]) -> list[Any]:
        """The first column of a query over the world; remembered while the world stands at its start."""
        if sql not in self._bound:
            text, names = bind(sql)
            self._bound[sql] = (text, tuple(sorted(names)))
        text, names_used = self._bound[sql]
        values = {name: as_bound(scope.get(name)) for name in names_used}
        world, start = self.backend.world, self.backend.start
        if not world.untouched:
            return first_column(world.connection, text, values)
        key = (start.world, start.setup, world.now, sql, *values.values())
        found = self._cache.get(key)
        if found is None:
            if len(self._cache) >= _MAX_CACHED:
                self._cache.clear()
            found = self._cache[key] = first_column(world.connection, text, values)
        return found

    def ids(self, entity: str, where: str | None = None, scope: Mapping[str, Any] | None = None) -> list[str]:
        """The ids of the rows for which `where` holds, in their order."""
        sql = self._selects.get((entity, where))
        if sql is None:
            condition = resolve_row(where, self.domain.tables[entity], self.domain.tables) if where else "1"
            sql = self._selects[entity, where] = f'SELECT t.id FROM "{entity}" AS t WHERE ({condition}) ORDER BY t.id'
        return self.options(sql, scope or {})

    def values(self, like: str) -> list[Any]:
        """The different values of `entity.field`, in order."""
        entity, _, key = like.partition(".")
        return self.options(f'SELECT DISTINCT "{key}" FROM "{entity}" WHERE "{key}" IS NOT NULL ORDER BY 1', {})

    def _candidates(self, given: Given, scope: Scope) -> Sequence[Any]:
        if given.entity is not None:
            return self.ids(given.entity, given.where, scope)
        if given.sql is not None:
            return self.options(given.sql, scope)
        named = given.pool if given.pool is not None else given.text
        if given.choice is not None or isinstance(named, list):
            return given.choice or named or ()
        return self.domain.blueprint.pools.get(str(named)) or pool(str(named))

    def _number(self, given: Given, scope: Scope) -> int | None:
        low, high = (self._end(end, scope) for end in given.int or given.money or (0, 0))
        if low is None or high is None or low > high:
            return None
        step = given.step or 1
        first = -(-int(low) // step)
        return self.rng.randint(first, max(first, int(high) // step)) * step if step > 1 else self.rng.randint(int(low), int(high))

    def _end(self, end: int | str, scope: Scope) -> Any:
        return end if isinstance(end, int) else self.one(f"SELECT ({end})", scope)

    def _day(self, days: tuple[str, str], scope: Scope) -> str | None:
        low, high = (self._ordinal(end, scope) for end in days)
        if low is None or high is None or low > high:
            return None
        return datetime.date.fromordinal(self.rng.randint(low, high)).isoformat()

    def _ordinal(self, end: str, scope: Scope) -> int | None:
        if MOMENT.fullmatch(end):
            return day_number(end, datetime.date.fromisoformat(scope["today"]))
        after = DAYS_AFTER.fullmatch(end)
        value = scope.get(after.group(1)) if after else self.one(f"SELECT ({end})", scope)
        if not isinstance(value, str):
            return None
        shift = int(after.group(2) + after.group(3)) if after else 0
        return datetime.date.fromisoformat(value[:10]).toordinal() + shift

    def one(self, sql: str, scope: Mapping[str, Any]) -> Any:
        """The first value of a query; None where there is none."""
        found = self.options(sql, scope)
        return found[0] if found else None

    def _sensible(self, tool: Tool, scope: Scope) -> Scope | None:
        if tool.origin.kind != "hand":
            return self._usual.arguments(tool, scope)
        givens = self.domain.blueprint.tools[tool.key].given
        properties = tool.parameters["properties"]
        for name, given in givens.items():
            if given.skip and name in properties and self.rng.random() < given.skip:
                scope[name] = None
                continue
            value = self.draw(given, scope)
            if value is None:
                return None
            scope[name] = self._timed(properties.get(name, {}), value)
        for name in properties:
            if name not in givens and not self.fill(tool, name, scope):
                return None
        return scope

    def _timed(self, schema: Mapping[str, Any], value: Any) -> Any:
        """A day, where a date-time is wanted, with an hour at which people are about."""
        if schema.get("format") == "date-time" and isinstance(value, str) and len(value) == 10:
            return f"{value}T{int(self.domain.now[11:13]) + self.rng.randint(0, 8):02d}:{self.rng.choice(('00', '15', '30', '45'))}"
        return value

    def fill(self, tool: Tool, name: str, scope: Scope) -> bool:
        """A usual value for an argument that nothing is said about; False when there is none."""
        required = name in tool.parameters["required"]
        if not required and self.rng.random() < 0.5:
            scope[name] = None
            return True
        scope[name] = self.usual(self.slots(tool)[name])
        return not required or scope[name] is not None

    def slots(self, tool: Tool) -> dict[str, Slot]:
        """What each argument of a tool takes."""
        if tool.key not in self._slots:
            self._slots[tool.key] = slots_of(self.domain, tool)
        return self._slots[tool.key]

    def usual(self, slot: Slot) -> Any:
        """A value of the kind that an argument takes, from the world where it can be; None where there is none."""
        if slot.item is not None:
            items = [self.usual(slot.item) for _ in range(self.rng.randint(*slot.few))]
            return [item for index, item in enumerate(items) if item is not None and item not in items[:index]] or None
        if slot.properties:
            return {name: value for name, inner in slot.properties.items() if (value := self.usual(inner)) is not None}
        if slot.refers:
            ids = self.ids(slot.refers)
            return self.rng.choice(ids) if ids else None
        if slot.like and "enum" not in slot.schema:
            found = self.values(slot.like)
            if found:
                return self.rng.choice(found)
        return slot.plain(self.rng, self.scope()["now"])
