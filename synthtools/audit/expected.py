"""What a compiled tool must do, worked out from the blueprint in Python, row by row, never from the tool's SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from synthtools.audit.probe import Probe, Seen
from synthtools.blueprint import Entity, FieldSpec
from synthtools.entity import argument_name, is_money
from synthtools.goal import Change
from synthtools.invariant import resolve_row
from synthtools.schema import choices

Row = dict[str, Any]

_BY_WORDS = ("person", "company", "city", "email", "phone", "address", "pool", "text")
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def departures(probe: Probe, seen: Seen) -> Iterator[str]:
    """How an accepted call of a compiled tool differs from what the blueprint says it does."""
    expectations: dict[str, Callable[[Probe, Seen], Iterator[str]]] = {
        "search": _search,
        "get": _get,
        "create": _create,
        "update": _update,
        "transition": _transition,
        "count": _count,
    }
    yield from expectations[seen.tool.origin.kind](probe, seen)


def table_rows(probe: Probe, entity: str) -> list[Row]:
    """Every row of a table, in id order."""
    names = list(probe.domain.tables[entity].columns)
    listed = ", ".join(f'"{name}"' for name in names)
    rows = [dict(zip(names, row, strict=True)) for row in probe.connection.execute(f'SELECT {listed} FROM "{entity}"')]
    return sorted(rows, key=lambda row: str(row["id"]))


def shown(probe: Probe, entity: str, column: str, value: Any) -> Any:
    """A cell as a result shows it."""
    if value is None:
        return None
    if is_money(probe.domain.blueprint, entity, column):
        return (
            value / 100
            if probe.domain.surface.money == "number"
            else f"{'-' if value < 0 else ''}{abs(value) // 100}.{abs(value) % 100:02d}"
        )
    return bool(value) if probe.domain.tables[entity].columns[column].kind == "bool" else value


def _shown_row(probe: Probe, entity: str, row: Row, columns: Iterator[str] | list[str]) -> Row:
    return {column: shown(probe, entity, column, row[column]) for column in columns}


def _search(probe: Probe, seen: Seen) -> Iterator[str]:
    entity, scope = seen.tool.origin.entity, seen.scope or {}
    definition, surface = probe.domain.blueprint.entities[entity], probe.domain.surface
    found = [row for row in table_rows(probe, entity) if _matches(definition, seen.tool.origin.fields, row, scope)]
    total, size = len(found), surface.page_size
    if surface.paging == "cursor":
        page = [row for row in found if scope.get("after") is None or str(row["id"]) > scope["after"]][:size]
    elif surface.paging == "offset":
        skipped = scope.get("offset") or 0
        page = found[skipped : skipped + (scope.get("limit") or size)]
    else:
        skipped = ((scope.get("page") or 1) - 1) * size
        page = found[skipped : skipped + size]
    value = seen.value
    listed = value[surface.envelope] if surface.envelope else value
    columns = list(next(r for r in seen.tool.program.returns.values() if r.many).columns)
    if "id" not in columns:
        yield "rows come without their id"
    if [row.get("id") for row in listed] != [row["id"] for row in page]:
        yield f"lists {[row.get('id') for row in listed]}, where {[row['id'] for row in page]} match"
    elif listed != [_shown_row(probe, entity, row, columns) for row in page]:
        yield "shows other values than the rows hold"
    if surface.envelope and value.get("total") != total:
        yield f"says total {value.get('total')}, where {total} match"


def _matches(definition: Entity, fields: tuple[str, ...], row: Row, scope: Mapping[str, Any]) -> bool:
    for key in fields:
        spec, value = definition.fields.get(key), row[key]
        if spec is not None and spec.kind in ("date", "datetime"):
            low, high = scope.get(f"{key}_from"), scope.get(f"{key}_until")
            if (low is not None and (value is None or value < low)) or (high is not None and (value is None or value > high)):
                return False
            continue
        wanted = scope.get(argument_name(key, spec) if spec is not None else key)
        if wanted is None:
            continue
        if spec is not None and spec.kind in _BY_WORDS:
            if value is None or wanted.translate(_LOWER) not in value.translate(_LOWER):
                return False
        elif value != wanted:
            return False
    return True


def _get(probe: Probe, seen: Seen) -> Iterator[str]:
    entity = seen.tool.origin.entity
    wanted = seen.arguments[f"{entity}_id"]
    row = next((row for row in table_rows(probe, entity) if row["id"] == wanted), None)
    expected = None if row is None else _shown_row(probe, entity, row, list(row))
    if row is None or seen.value != expected:
        yield f"returns {seen.value}, where the row is {expected}"


def _create(probe: Probe, seen: Seen) -> Iterator[str]:
    entity, scope = seen.tool.origin.entity, seen.scope or {}
    definition = probe.domain.blueprint.entities[entity]
    added = [change for change in seen.changes if change.table == entity and change.op == "insert"]
    if len(added) != 1:
        yield f"adds {len(added)} rows of {entity}, not one"
        return
    row = dict(added[0].after)
    for key, expected in _new_values(probe, definition, entity, row, scope).items():
        if row[key] != expected:
            yield f"the new row has {key} {row[key]!r}, not {expected!r}"
    yield from _others(probe, seen, added)
    if seen.value != _shown_row(probe, entity, row, list(row)):
        yield "returns other values than the new row holds"


def _new_values(probe: Probe, definition: Entity, entity: str, row: Row, scope: Mapping[str, Any]) -> Row:
    """What the columns of a new row must hold, apart from its id."""
    values: Row = {}
    for key, spec in definition.fields.items():
        expression = spec.int if isinstance(spec.int, str) else spec.money
        if isinstance(expression, str):
            sql = resolve_row(expression, probe.domain.tables[entity], probe.domain.tables)
            values[key] = probe.connection.execute(f'SELECT CAST(({sql}) AS INTEGER) FROM "{entity}" AS t WHERE t.id = ?', (row["id"],)).get
        elif key in asked_keys(definition):
            values[key] = scope.get(argument_name(key, spec))
        else:
            values[key] = _unasked(probe, spec)
    if definition.lifecycle:
        values["state"] = definition.states[0]
    return values


def asked_keys(definition: Entity) -> set[str]:
    """The fields whose values a create is asked for."""
    return {
        key
        for key, spec in definition.fields.items()
        if not spec.computed and not spec.only_in and not spec.incidental and spec.default is None
    }


def _unasked(probe: Probe, spec: FieldSpec) -> Any:
    """What a field holds that nobody is asked for."""
    if spec.default is not None:
        return spec.default if isinstance(spec.default, str) else int(spec.default)
    if spec.nullable:
        return None
    if spec.kind in ("date", "datetime"):
        now = probe.backend.world.now
        return now[:10] if spec.kind == "date" else now
    if spec.kind in ("int", "money", "sum_of", "bool"):
        return 0
    return next(iter(choices(spec)), "")


def _others(probe: Probe, seen: Seen, own: list[Change]) -> Iterator[str]:
    """Changes beside the tool's own that are not sums following it."""
    entities = probe.domain.blueprint.entities
    for change in seen.changes:
        if change in own:
            continue
        sums = {key for key, spec in entities[change.table].fields.items() if spec.sum_of == seen.tool.origin.entity}
        if change.op != "update" or not set(change.after) <= sums:
            yield f"also changes {change.table} {change.key}: {change.op} {dict(change.after)}"


def _update(probe: Probe, seen: Seen) -> Iterator[str]:
    entity, scope = seen.tool.origin.entity, seen.scope or {}
    definition, wanted = probe.domain.blueprint.entities[entity], scope.get(f"{entity}_id")
    own = [c for c in seen.changes if c.table == entity and c.op == "update" and c.key == wanted]
    row = next((row for row in table_rows(probe, entity) if row["id"] == wanted), None)
    if row is None:
        yield f"accepts {wanted!r}, which does not exist"
        return
    given = {k: scope.get(argument_name(k, s)) for k, s in definition.fields.items() if scope.get(argument_name(k, s)) is not None}
    if not given:
        yield "accepts a call that changes nothing"
    for key, value in given.items():
        if row[key] != value:
            yield f"leaves {key} at {row[key]!r}, not {value!r}"
    extra = {key for change in own for key in change.after} - given.keys()
    if extra:
        yield f"also changes {', '.join(sorted(extra))}"
    yield from _others(probe, seen, own)
    if not isinstance(seen.value, dict) or seen.value != _shown_row(probe, entity, row, list(seen.value)):
        yield "returns other values than the row holds"


def _transition(probe: Probe, seen: Seen) -> Iterator[str]:
    origin, scope = seen.tool.origin, seen.scope or {}
    definition, wanted = probe.domain.blueprint.entities[origin.entity], scope.get(f"{origin.entity}_id")
    own = [c for c in seen.changes if c.table == origin.entity and c.op == "update" and c.key == wanted]
    if len(own) != 1 or own[0].after.get("state") != origin.state:
        yield f"does not bring {wanted} into {origin.state}"
        return
    if origin.state not in definition.lifecycle.get(str(own[0].before["state"]), []):
        yield f"goes from {own[0].before['state']} to {origin.state}"
    stamps = {key for key, spec in definition.fields.items() if spec.stamp == origin.state}
    extra = set(own[0].after) - stamps - {"state"}
    if extra:
        yield f"also changes {', '.join(sorted(extra))}"
    row = next(row for row in table_rows(probe, origin.entity) if row["id"] == wanted)
    if any(row[key] != probe.backend.world.now for key in stamps):
        yield "does not stamp the time"
    yield from _others(probe, seen, own)
    if not isinstance(seen.value, dict) or seen.value != _shown_row(probe, origin.entity, row, list(seen.value)):
        yield "returns other values than the row holds"


def _count(probe: Probe, seen: Seen) -> Iterator[str]:
    entity, scope = seen.tool.origin.entity, seen.scope or {}
    groups: dict[Any, list[Row]] = {}
    for row in table_rows(probe, entity):
        if scope.get("state") is None or row.get("state") == scope["state"]:
            groups.setdefault(row[scope["by"]], []).append(row)
    expected = []
    for key in sorted(groups, key=lambda k: (k is not None, k)):
        line: Row = {"group": key, "count": len(groups[key])}
        for column in probe.domain.tables[entity].columns.values():
            if column.kind in ("money", "sum_of") and not column.nullable:
                line[f"total_{column.name}"] = shown(probe, entity, column.name, sum(row[column.name] for row in groups[key]))
        expected.append(line)
    if seen.value != expected:
        yield f"counts {seen.value}, where the rows give {expected}"
