"""Arguments for a toolkit's tools, drawn from their schemas, from the start worlds' rows, and from what calls have answered."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from synthtools.domain import Domain
from synthtools.tool import Tool

_RECENT = 40
_WORDS = ("a", "blue", "12", "Main Street 4", "x@example.org", "1 + 2", "no such thing")
_TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,)}


class Sampler:
    """Draws calls; what it has seen in results it uses again."""

    def __init__(self, domain: Domain, rng: random.Random) -> None:
        self.domain, self.rng = domain, rng
        self._rows = [list(_rows(domain, name)) for name in domain.tables]
        self._rows = [rows for rows in self._rows if rows]
        self._keys = {
            name.rpartition(".")[2]: [key for key in domain.tables[column.ref].columns["id"].choices if key]
            for table in domain.tables.values()
            for name, column in table.columns.items()
            if column.ref and name != "id"
        }
        """Column → keys of the table that it refers to, beside those that it holds."""
        self._recent: deque[dict[str, list[Any]]] = deque(maxlen=_RECENT)
        self._last: dict[str, list[Any]] = {}

    def learn(self, value: Any) -> None:
        """Keep what a result holds."""
        found: dict[str, list[Any]] = {}
        _gather(value, "", found)
        if found:
            self._recent.append(found)
            self._last = found

    def sample(self, tool: Tool) -> dict[str, Any]:
        """Arguments that fit the tool's schema; most of them mean something in the world."""
        focus = {name: [value] for rows in self._rows for name, value in self.rng.choice(rows).items()}
        focus |= {name: [self.rng.choice(keys)] for name, keys in self._keys.items() if keys and self.rng.random() < 0.3}
        near = self._last if self.rng.random() < 0.6 else self.rng.choice(self._recent) if self._recent else {}
        required = tool.parameters["required"]
        properties = tool.parameters["properties"]
        taken = [name for name in properties if name in required or self.rng.random() < 0.4]
        arguments = {name: self._value(name, properties[name], (near, focus)) for name in taken}
        if taken and self.rng.random() < 0.2:
            strange = self.rng.choice(taken)
            arguments[strange] = self._value(strange, properties[strange], ())
        return arguments

    def _value(self, name: str, schema: Mapping[str, Any], sources: tuple[Mapping[str, list[Any]], ...]) -> Any:
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.rng.choice(schema["enum"])
        if "anyOf" in schema:
            return self._value(name, self.rng.choice(schema["anyOf"]), sources)
        kind = schema.get("type", "string")
        if kind == "array":
            low, high = schema.get("minItems", 0), schema.get("maxItems", 3)
            count = max(low, min(high, self.rng.choice((1, 1, 1, 2, 0))))
            return [self._value(name.removesuffix("s"), schema["items"], sources) for _ in range(count)]
        if kind == "object":
            return {key: self._value(key, inner, sources) for key, inner in schema.get("properties", {}).items()}
        if kind == "null":
            return None
        for source in sources if self.rng.random() < 0.9 else ():
            found = [v for key, values in source.items() if alike(key, name) for v in values if type(v) in _TYPES[kind]]
            if found:
                return self.rng.choice(found)
        return self._made_up(kind, schema)

    def _made_up(self, kind: str, schema: Mapping[str, Any]) -> Any:
        if kind == "boolean":
            return self.rng.random() < 0.5
        if kind == "string":
            if "format" in schema:
                return {"date": self.domain.today, "date-time": f"{self.domain.today}T10:00", "time": "10:00"}[schema["format"]]
            text = self.rng.choice(_WORDS)
            return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength", 4000)]
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + ("exclusiveMinimum" in schema))
        return min(low + self.rng.choice((0, 1, 2, 7)), schema.get("maximum", low + 7))


def alike(key: str, name: str) -> bool:
    """Whether a result's key and a parameter seem to mean one thing: `method_id` and `payment_method_id`."""
    return key == name or key.endswith(f"_{name}") or name.endswith(f"_{key}")


def _rows(domain: Domain, table: str) -> Iterator[dict[str, Any]]:
    """The sampled rows of a table, by the last part of each column's name; the key also by the table's name."""
    columns = domain.tables[table].columns
    stem = table.rpartition(".")[2].removesuffix("s")
    for index, key in enumerate(columns["id"].choices):
        row: dict[str, Any] = {}
        for name, column in columns.items():
            text = column.choices[index] if index < len(column.choices) else ""
            if text:
                row[name.rpartition(".")[2]] = int(text) if column.type == "INTEGER" and text.lstrip("-").isdigit() else text
        yield row | {f"{stem}_id": key, stem: key}


def _gather(value: Any, name: str, found: dict[str, list[Any]]) -> None:
    """Every plain value of a result under its nearest key; keys that name things count as values of the key above, in the singular."""
    if isinstance(value, dict):
        for key, inner in value.items():
            found.setdefault(name.removesuffix("s"), []).append(key)
            _gather(inner, key, found)
    elif isinstance(value, list):
        for inner in value[:50]:
            _gather(inner, name, found)
    elif value is not None:
        found.setdefault(name, []).append(value)
