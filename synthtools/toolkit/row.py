"""A state as tables of rows, and the net change between two states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from synthtools.goal import Change, Changes
from synthtools.tool import Scalar
from synthtools.toolkit import sqlite
from synthtools.toolkit.state import TAG, View

Row = dict[str, Scalar]
Raw = Mapping[str, Any]
"""Key → a row as the state holds it."""
_GONE = object()
"""Where one of two states has nothing."""


def rows(plain: Mapping[str, Any]) -> dict[str, dict[str, Row]]:
    """Table → key → row of a state without aliases.

    A mapping whose values are all mappings is a table named by its path; so is a list of mappings that share a unique first `id` or
    `…_id`, and so is a table of SQLite. Everything else is one row of the table `state`. In a row, nested mappings are dotted columns
    and lists are JSON text; `id` is the key; a value that is absent is null.
    """
    parts = _split(plain, plain, None)
    found = {name: {key: flat(raw, key) for key, raw in after.items()} for name, (_, after, _) in parts.tables.items()}
    if parts.after:
        found[parts.cells] = {parts.cells: {"id": parts.cells, **parts.after}}
    return found


def difference(before: Mapping[str, Any], after: Mapping[str, Any], view: View | None = None) -> Changes:
    """The net change from one state to another, sorted by (table, op, key): do-then-undo is none.

    `before` is plain, and so is `after` unless a view is given through which it is seen: then only what differs is looked at closely.
    """
    parts = _split(before, after, view)
    changes = [change for name, (old, new, live) in parts.tables.items() for change in _changed(name, old, new, view if live else None)]
    cells = _compared({"id": "", **parts.before}, {"id": "", **parts.after})
    if cells is not None:
        changes.append(Change(parts.cells, "update", parts.cells, *cells))
    return tuple(sorted(changes, key=lambda change: (change.table, change.op, change.key)))


def _changed(table: str, old: Raw, new: Raw, view: View | None) -> Iterator[Change]:
    for key, raw in old.items():
        now = new.get(key, _GONE)
        if now is _GONE:
            yield Change(table, "delete", key, flat(raw, key), {})
        elif now is not raw and now != raw:
            cells = _compared(flat(raw, key), flat(_plain(now, view), key))
            if cells is not None:
                yield Change(table, "update", key, *cells)
    for key, raw in new.items():
        if key not in old:
            yield Change(table, "insert", key, {}, flat(_plain(raw, view), key))


def _plain(value: Any, view: View | None) -> Any:
    """A part as plain data; what is tagged already came out of the view."""
    return value if view is None or value is _GONE or (type(value) is dict and TAG in value) else view.deep(value)


def _opened(value: Any, view: View | None) -> Any:
    """A part that is live made plain, itself and its direct parts."""
    return value if view is None or value is _GONE or (type(value) is dict and TAG in value) else view.shallow(value)


def _compared(old: Row, new: Row) -> tuple[Row, Row] | None:
    """The cells that differ, before and after."""
    names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    return ({n: old.get(n) for n in names}, {n: new.get(n) for n in names}) if names else None


@dataclass(slots=True)
class _Parts:
    """Two states taken apart alike."""

    view: View | None
    """Through which the state after is seen, where it is live."""
    cells: str
    """Name of the table of what is in no other."""
    tables: dict[str, tuple[Raw, Raw, bool]] = field(default_factory=dict)
    before: Row = field(default_factory=dict)
    after: Row = field(default_factory=dict)


def _split(before: Mapping[str, Any], after: Mapping[str, Any], view: View | None) -> _Parts:
    parts = _Parts(view, "self" if "state" in before or "state" in after else "state")
    _space(parts, "", before, after if view is None else view.shallow(dict(after)), live=view is not None)
    return parts


def _space(parts: _Parts, path: str, before: Mapping[str, Any], after: Mapping[str, Any], *, live: bool) -> None:
    for name in {**before, **after}:
        _walk(parts, join(path, name), before.get(name, _GONE), after.get(name, _GONE), live=live)


def _walk(parts: _Parts, path: str, before: Any, after: Any, *, live: bool) -> None:
    """Sort one part of both states into tables and cells."""
    live = live and after is not _GONE and not (type(after) is dict and TAG in after)
    view, raw = parts.view if live else None, after
    after = _opened(after, view)
    if type(after) is dict and TAG in after:
        live, raw, view = False, after, None
    shape = _common_shape(before, after, view)
    if shape == "sqlite":
        _databases(parts, path, before, after)
    elif shape == "table":
        parts.tables[path] = fields(before) or {}, fields(after) or {}, live
    elif shape == "list":
        parts.tables[path] = _listed(before), _listed(after), live
    elif shape == "space":
        _space(parts, path, fields(before) or {}, fields(after) or {}, live=live)
    else:
        _cell(parts.before, path, before, empty=shape == "nothing" and before != after)
        _cell(parts.after, path, _plain(raw, view), empty=shape == "nothing" and before != after)
        return
    if (before is _GONE and _shape(after) == "nothing") or (after is _GONE and _shape(before) == "nothing"):
        _cell(parts.before, path, before, empty=True)
        _cell(parts.after, path, after, empty=True)


def _common_shape(before: Any, after: Any, view: View | None) -> str:
    """What a part is, the state before says, unless it was empty; `cell` where both cannot be one thing."""
    shape, other = _shape(before), _shape(after, view)
    if shape == "nothing":
        return other
    if other in (shape, "nothing"):
        return shape
    if {shape, other} == {"table", "space"}:
        rows = (fields(after) or {}).values()
        return "table" if shape == "table" and all(type(row) is dict and fields(row) is not None for row in rows) else "space"
    return "cell"


def _cell(row: Row, path: str, value: Any, *, empty: bool) -> None:
    if value is not _GONE and (empty or _shape(value) != "nothing"):
        row[path] = cell(value)


def _databases(parts: _Parts, path: str, before: Any, after: Any) -> None:
    old = sqlite.tables(before["image"]) if _shape(before) == "sqlite" else {}
    new = sqlite.tables(after["image"]) if _shape(after) == "sqlite" else {}
    for name in {**old, **new}:
        parts.tables[join(path, name)] = old.get(name, {}), new.get(name, {}), False


def _shape(value: Any, view: View | None = None) -> str:
    """`nothing`, `table`, `list`, `space`, `sqlite` or `cell`."""
    if value is _GONE or value == {} or value == []:
        return "nothing"
    if type(value) is list:
        return "list" if _listed(value) else "cell"
    held = fields(value)
    if held is None:
        return "sqlite" if type(value) is dict and value[TAG] == "sqlite" else "cell"
    if TAG in value and value[TAG] == "object":
        return "space"
    if not held:
        return "nothing"
    if any(type(row) is not dict or fields(row) is None for row in held.values()):
        return "space"
    return "space" if _holds_tables(held, view) else "table"


def _holds_tables(held: Mapping[str, Any], view: View | None) -> bool:
    """Whether the values are tables rather than rows: they hold only mappings, and share no key."""
    common: set[str] | None = None
    for value in held.values():
        inner = fields(_opened(value, view)) or {}
        if (TAG in value and value[TAG] == "object") or any(fields(v) is None and not _listed(_opened(v, view)) for v in inner.values()):
            return False
        common = set(inner) if common is None else common & set(inner)
    return not common or len(held) == 1


def fields(value: Any) -> Mapping[str, Any] | None:
    """What a mapping or an object holds, by text; None for anything else."""
    if type(value) is not dict:
        return None
    tag = value.get(TAG)
    if tag is None:
        return value
    if tag == "object":
        held: Mapping[str, Any] = value["fields"]
        return held
    if tag in ("map", "ordered", "counter", "default"):
        return {key if isinstance(key, str) else str(cell(key)): item for key, item in value["items"]}
    return None


def _listed(value: Any) -> Raw:
    """A list of mappings by their shared, unique, first id; empty where it is none."""
    if type(value) is not list or not value:
        return {}
    held = [fields(item) for item in value]
    first = held[0]
    if first is None:
        return {}
    name = next((n for n in first if isinstance(n, str) and (n == "id" or n.endswith("_id"))), "")
    keys = [h.get(name) if h is not None else None for h in held] if name else []
    if not keys or any(type(key) not in (str, int) for key in keys):
        return {}
    found = {str(key): item for key, item in zip(keys, value, strict=True)}
    return found if len(found) == len(value) else {}


def flat(raw: Any, key: str) -> Row:
    """A row as cells; `id` is its key."""
    row: Row = {"id": key}
    for name, value in (fields(raw) or {}).items():
        if name != "id" or str(value) != key:
            _flatten(row, escaped(name) if name != "id" else "id.own", value)
    return row


def _flatten(row: Row, path: str, value: Any) -> None:
    held = fields(value)
    if not held:
        row[path] = cell(value)
        return
    for name, inner in held.items():
        _flatten(row, join(path, name), inner)


def cell(value: Any) -> Scalar:
    """A value as one cell: numbers and text as they are, the rest as JSON text."""
    if type(value) is bool:
        return int(value)
    if value is None or type(value) in (str, int, float):
        scalar: Scalar = value
        return scalar
    if type(value) is dict and "value" in value and TAG in value:
        return str(value["value"])
    return orjson.dumps(_told(value), option=orjson.OPT_SORT_KEYS).decode()


def _told(value: Any) -> Any:
    """Nested data without its tags."""
    held = fields(value)
    if held is not None:
        return {name: _told(inner) for name, inner in held.items()}
    if type(value) is list:
        return [_told(inner) for inner in value]
    if type(value) is dict:
        return _told(value["items"]) if "items" in value else value.get("value", value)
    return value


def join(path: str, name: str) -> str:
    r"""A path one step longer; a dot inside a name is written `\.`."""
    return f"{path}.{escaped(name)}" if path else escaped(name)


def escaped(name: str) -> str:
    """A name as part of a path."""
    return name.replace("\\", "\\\\").replace(".", "\\.") if "." in name or "\\" in name else name
