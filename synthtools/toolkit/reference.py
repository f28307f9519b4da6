"""What a state's tables look like: their columns, what refers to what, and which ids are made up by the tools."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from synthtools.toolkit.row import Row

SAMPLES = 24
"""Values of a column that are shown as examples; the same rows for all columns of a table."""
COLUMNS = 100
"""Columns of a table that are named; others may come and go."""
_LONGEST = 200
_GENERATED = re.compile(r"(\D*)(\d{1,18})")
Tables = Mapping[str, Mapping[str, Row]]


@dataclass(slots=True)
class SeenColumn:
    """One column as the start worlds show it."""

    name: str
    type: str
    """`TEXT`, `INTEGER` or `REAL`."""
    nullable: bool
    ref: str
    """The table whose key it holds; its own table where it repeats the row's key."""
    samples: list[str]


@dataclass(slots=True)
class SeenTable:
    """One table as the start worlds show it."""

    name: str
    columns: list[SeenColumn]
    prefix: str
    digits: int
    """Of ids that tools make up; 0 where keys are names of things, or another table's keys."""
    rows: int


def survey_tables(worlds: Iterable[Tables]) -> list[SeenTable]:
    """The tables of all start worlds together."""
    merged: dict[str, dict[str, Row]] = {}
    for tables in worlds:
        for name, rows in tables.items():
            merged.setdefault(name, {}).update(rows)
    keys = {name: frozenset(rows) for name, rows in merged.items()}
    owners: dict[str, list[str]] = {}
    for name, held in keys.items():
        for key in held:
            owners.setdefault(key, []).append(name)
    seen: list[SeenTable] = []
    for name, rows in merged.items():
        parent = _parent(name, keys, owners)
        prefix, digits = ("", 0) if parent else _generated(keys[name])
        columns = [_column(column, name, rows, parent, keys, owners) for column in _names(rows)]
        seen.append(SeenTable(name, columns, prefix, digits, len(rows)))
    return seen


def _names(rows: Mapping[str, Row]) -> list[str]:
    """The columns that a fiftieth of the rows have, in their order; what is keyed by things of its own has too many to name."""
    counts = Counter(name for row in rows.values() for name in row)
    most = {name for name, _ in counts.most_common(COLUMNS)}
    return [name for name, count in counts.items() if name in most and 50 * count >= len(rows)]


def _parent(name: str, keys: Mapping[str, frozenset[str]], owners: Mapping[str, list[str]]) -> str:
    """An earlier or larger table whose keys a table's own keys are: then they name that table's rows."""
    order = list(keys)
    first = next(iter(keys[name]), "")
    for other in owners.get(first, ()):
        larger = len(keys[other]) > len(keys[name]) or order.index(other) < order.index(name)
        if other != name and larger and keys[name] <= keys[other]:
            return other
    return ""


def _generated(keys: Iterable[str]) -> tuple[str, int]:
    """Prefix and digits that all keys share, or ("", 0)."""
    found = [_GENERATED.fullmatch(key) for key in keys]
    prefixes = {m[1] for m in found if m}
    if not found or any(m is None for m in found) or len(prefixes) != 1:
        return "", 0
    return prefixes.pop(), min(len(m[2]) for m in found if m)


def _column(  # noqa: PLR0913 - all that a column is judged by
    name: str, table: str, rows: Mapping[str, Row], parent: str, keys: Mapping[str, frozenset[str]], owners: Mapping[str, list[str]]
) -> SeenColumn:
    cells = [row.get(name) for row in rows.values()]
    filled = [value for value in cells if value is not None]
    kinds = {type(value) for value in filled}
    kind = "TEXT" if str in kinds or not kinds else "REAL" if float in kinds else "INTEGER"
    if name == "id":
        ref = parent
    elif kind == "TEXT" and filled and all(row.get(name) == key for key, row in rows.items()):
        ref = table
    else:
        ref = _referred(name, filled, keys, owners)
    step = max(1, len(cells) // SAMPLES)
    return SeenColumn(name, kind, len(filled) < len(cells), ref, [_sample(value) for value in cells[::step][:SAMPLES]])


def _referred(name: str, filled: list[Any], keys: Mapping[str, frozenset[str]], owners: Mapping[str, list[str]]) -> str:
    """The table of which every value is a key; whole numbers count where the column is named so."""
    if not filled or not all(type(value) is str or (type(value) is int and name.endswith("id")) for value in filled):
        return ""
    texts = {str(value) for value in filled}
    for table in owners.get(next(iter(texts)), ()):
        if texts <= keys[table]:
            return table
    return ""


def _sample(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _LONGEST else ""
