"""Values that sit on boundaries: equal, one above, one below, none, many, unknown."""

from __future__ import annotations

import datetime
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import apsw
import orjson

from synthtools.blueprint import Parameter
from synthtools.domain import Domain
from synthtools.tool import Tool

if TYPE_CHECKING:
    from synthtools.sample import CallSampler

_NUMBERS = {"int": "integer", "money": "number", "sum_of": "number"}
_WORDS = ("A", "the gate is stuck", "x" * 30)


@dataclass(frozen=True, slots=True)
class Slot:
    """What one argument, item or property takes."""

    schema: Mapping[str, Any]
    refers: str = ""
    """The entity whose id it takes."""
    like: str = ""
    """The `entity.field` whose values it resembles."""
    required: bool = True
    item: Slot | None = None
    properties: Mapping[str, Slot] = field(default_factory=dict)

    @property
    def few(self) -> tuple[int, int]:
        """How many items a usual list has."""
        low = max(1, self.schema.get("minItems", 1))
        return low, max(low, min(3, self.schema.get("maxItems", 3)))

    @property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest number, as SQL sees them."""
        unit = 100 if self.schema["type"] == "number" else 1
        return self.schema.get("minimum", -(10**6)) * unit, self.schema.get("maximum", 10**6) * unit

    def plain(self, rng: random.Random, now: str) -> Any:
        """A value that fits the schema, whatever the world holds."""
        if "enum" in self.schema:
            return rng.choice(self.schema["enum"])
        kind = self.schema["type"]
        if kind == "boolean":
            return rng.randint(0, 1)
        if kind in ("integer", "number"):
            low, high = self.bounds
            return rng.randint(max(low, 0), max(low, 0, min(high, max(low, 0) + (40 if kind == "integer" else 20000))))
        if "format" in self.schema:
            return _moment(self.schema["format"], now, rng.randint(0, 30), rng)
        return rng.choice(_WORDS)[: self.schema.get("maxLength", 400)]


def _moment(form: str, now: str, days: int, rng: random.Random) -> str:
    if form == "time":
        return f"{rng.randint(7, 19):02d}:{rng.choice(('00', '15', '30', '45'))}"
    day = shifted(now[:10], days)
    return day if form == "date" else f"{day}T{rng.choice((now[11:], '09:30', '13:00', '15:45'))}"


_DATED = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(T\d\d:\d\d)?", re.ASCII)


def is_moment(value: Any) -> bool:
    """Whether a value looks like a day or a date-time."""
    return isinstance(value, str) and _DATED.fullmatch(value) is not None


def shifted(moment: str, days: int) -> str:
    """The same time some days later, kept between the years 1000 and 9999."""
    ordinal = datetime.date.fromisoformat(moment[:10]).toordinal() + days
    return datetime.date.fromordinal(min(max(ordinal, 365_000), 3_652_000)).isoformat() + moment[10:]


def slots_of(domain: Domain, tool: Tool) -> dict[str, Slot]:
    """The slots of a tool's arguments."""
    written = domain.blueprint.tools[tool.key].parameters if tool.origin.kind == "hand" else {}
    required = tool.parameters["required"]
    slots = {}
    for name, schema in tool.parameters["properties"].items():
        if name in written:
            slots[name] = _slot(schema, written[name])
        else:
            slots[name] = Slot(schema, tool.refers.get(name, ""), tool.like.get(name, ""), name in required)
    return slots


def _slot(schema: Mapping[str, Any], parameter: Parameter) -> Slot:
    item = _slot(schema["items"], parameter.items) if parameter.items else None
    properties = {name: _slot(schema["properties"][name], inner) for name, inner in (parameter.properties or {}).items()}
    return Slot(schema, parameter.refers_to or "", parameter.like or "", not parameter.optional, item, properties)


@dataclass(slots=True)
class Fuzzer:
    """Turns sensible arguments into ones at and around every boundary that can be seen from outside or in a guard."""

    sampler: CallSampler
    edges: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    """Tool → argument → expressions that a guard compares it with."""

    def widen(self, tool: Tool, base: dict[str, Any] | None) -> dict[str, Any]:
        """Arguments of which one or more are changed to a boundary, an unknown id, nothing or anything else that the schema allows."""
        sampler, rng = self.sampler, self.sampler.rng
        slots = sampler.slots(tool)
        scope = base if base is not None and rng.random() < 0.8 else sampler.scope()
        for name, slot in slots.items():
            if name not in scope:
                scope[name] = sampler.usual(slot) if slot.required or rng.random() < 0.4 else None
        if not slots:
            return scope
        names = list(slots)
        count = rng.choice((0, 1, 1, 1, 2, 2, len(names)))
        for name in rng.sample(names, min(count, len(names))):
            slot = slots[name]
            if not slot.required and rng.random() < 0.3:
                scope[name] = None
                continue
            value = self._at_edge(tool, name, slot, scope) if rng.random() < 0.5 else None
            scope[name] = self._wide(tool, slot, scope[name]) if value is None else value
        for name, slot in slots.items():
            if slot.required and scope[name] is None:
                scope[name] = self._wide(tool, slot, None)
        return scope

    def stranger(self, tool: Tool, name: str, base: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments of which one names a row that does not exist (as the only one, or among others, where it is a list)."""
        entity = tool.refers[name]
        table = self.sampler.domain.tables[entity]
        unknown = f"{table.prefix}{'9' * table.digits}" if table.digits else "ZZ99"
        value = base.get(name)
        return {**base, name: [*value[:-1], unknown] if isinstance(value, list) else unknown}

    def _at_edge(self, tool: Tool, name: str, slot: Slot, scope: Mapping[str, Any]) -> Any:
        """A value equal to, or one off, what a guard compares the argument with."""
        if tool.key not in self.edges:
            self.edges[tool.key] = guard_edges(tool)
        expressions = self.edges[tool.key].get(name)
        if not expressions:
            return None
        world = self.sampler.backend.world
        known = {key: as_bound(value) for key, value in scope.items()}
        counters = dict(world.counters)
        try:
            with world.connection.bounded():
                for let in tool.program.lets:
                    row = world.connection.execute(let.sql, known).fetchone() or (None,) * len(let.columns)
                    known.update({f"{let.name}__{column}": value for column, value in zip(let.columns, row, strict=True)})
                value = world.connection.execute(f"SELECT {self.sampler.rng.choice(expressions)}", known).get
        except apsw.Error:
            return None
        finally:
            world.counters = counters
        return _fitting(slot, _beside(value, self.sampler.rng))

    def _wide(self, tool: Tool, slot: Slot, value: Any) -> Any:
        sampler, rng = self.sampler, self.sampler.rng
        if slot.item is not None:
            low, high = slot.schema.get("minItems", 0), min(4, slot.schema.get("maxItems", 4))
            return [self._wide(tool, slot.item, None) for _ in range(rng.randint(low, max(low, high)))]
        if slot.properties:
            inner = {name: self._wide(tool, part, None) for name, part in slot.properties.items() if part.required or rng.random() < 0.6}
            return inner if rng.random() < 0.6 or not isinstance(value, dict) else {**value, **inner}
        if slot.refers:
            return self._some_id(slot.refers)
        if "enum" in slot.schema or slot.schema["type"] == "boolean":
            return slot.plain(rng, sampler.scope()["now"])
        return _fitting(slot, self._near(tool, slot, value))

    def _some_id(self, entity: str) -> str:
        sampler, rng = self.sampler, self.sampler.rng
        ids = sampler.ids(entity)
        if ids and rng.random() < 0.85:
            return rng.choice(ids)
        table = sampler.domain.tables[entity]
        unknown = f"{table.prefix}{'9' * table.digits}" if table.digits else "ZZ99"
        others = sampler.ids(rng.choice(list(sampler.domain.tables)))
        return rng.choice((unknown, unknown, rng.choice(others) if others else unknown))

    def _near(self, tool: Tool, slot: Slot, value: Any) -> Any:
        """A value beside the present one, one in the world, an end of the schema's range, or today."""
        sampler, rng = self.sampler, self.sampler.rng
        kind, form = slot.schema["type"], slot.schema.get("format")
        places = [slot.like] if slot.like and rng.random() < 0.5 else like_columns(sampler.domain, tool, kind, form)
        found = sampler.values(rng.choice(places)) if places else []
        if rng.random() < 0.3 and value is not None:
            return _beside(value, rng)
        if found and rng.random() < 0.6:
            return _beside(rng.choice((found[0], found[-1], rng.choice(found))), rng)
        if kind in ("integer", "number"):
            low, high = slot.bounds
            return _beside(rng.choice((low, high, 0, 1, 2, 5)), rng)
        if form in ("date", "date-time"):
            return _moment(form, sampler.scope()["now"], rng.choice((-400, -7, -2, -1, 0, 0, 1, 2, 7, 400)), rng)
        return slot.plain(rng, sampler.scope()["now"])


def like_columns(domain: Domain, tool: Tool, kind: str, form: str | None) -> list[str]:
    """The columns read by a tool that hold the same kind of value."""
    wanted = {"date": ("date",), "date-time": ("datetime", "stamp")}.get(form or "", ())
    found = []
    for read in sorted(tool.reads):
        table, _, name = read.partition(".")
        column = domain.tables[table].columns.get(name) if table in domain.tables else None
        if column is not None and (column.kind in wanted if form else _NUMBERS.get(column.kind) == kind):
            found.append(read)
    return found


def _beside(value: Any, rng: random.Random) -> Any:
    """The value itself or the next one on either side."""
    step = rng.choice((-1, 0, 0, 1))
    if isinstance(value, float):
        value = int(value)
    if isinstance(value, int):
        return value + step
    if is_moment(value):
        return shifted(value, step)
    return value


def _fitting(slot: Slot, value: Any) -> Any:
    """The value if the schema takes it, perhaps cut to its range."""
    kind, form = slot.schema["type"], slot.schema.get("format")
    if kind in ("integer", "number") and isinstance(value, int):
        low, high = slot.bounds
        return min(max(value, low), high)
    if kind == "string" and isinstance(value, str):
        wanted = {"date": 10, "date-time": 16, "time": 5}.get(form or "")
        if wanted is None:
            low = slot.schema.get("minLength", 0)
            return value[: slot.schema.get("maxLength", 400)].ljust(low, "x")
        return value if len(value) == wanted else None
    return None


def guard_edges(tool: Tool) -> dict[str, tuple[str, ...]]:
    """Argument → the expressions, free of columns, that guards compare it with."""
    import sqlglot
    from sqlglot import exp

    found: dict[str, list[str]] = {}
    for guard in tool.program.guards:
        try:
            tree = sqlglot.parse_one(f"SELECT ({guard.require})", dialect="sqlite")
        except sqlglot.errors.SqlglotError:
            continue
        for comparison in tree.find_all(exp.GT, exp.GTE, exp.LT, exp.LTE, exp.EQ, exp.NEQ):
            for one, other in ((comparison.left, comparison.right), (comparison.right, comparison.left)):
                bare = not other.find(exp.Column) or other.find(exp.Select)
                if isinstance(one, exp.Placeholder) and one.name in tool.parameters["properties"] and bare:
                    found.setdefault(one.name, []).append(other.sql(dialect="sqlite"))
    return {name: tuple(dict.fromkeys(expressions)) for name, expressions in found.items()}


def to_agent(schema: Mapping[str, Any], value: Any) -> Any:
    """A value as SQL sees it, as an agent gives it: amounts in whole units, true and false, lists and objects."""
    kind = schema["type"]
    if value is None:
        return None
    if kind in ("array", "object") and isinstance(value, str):
        value = orjson.loads(value)
    if kind == "array":
        return [to_agent(schema["items"], item) for item in value]
    if kind == "object":
        return {name: to_agent(schema["properties"][name], item) for name, item in value.items() if item is not None}
    if kind == "number":
        return value / 100
    return bool(value) if kind == "boolean" else value


def as_bound(value: Any) -> Any:
    """A value as a statement takes it: lists and objects as JSON text."""
    return orjson.dumps(value).decode() if isinstance(value, list | dict) else value
