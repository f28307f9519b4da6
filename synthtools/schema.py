"""From a blueprint's entities to tables: columns, constraints and indexes."""

from __future__ import annotations

from synthtools.blueprint import Blueprint, Entity, FieldSpec
from synthtools.domain import Column, Table
from synthtools.source import Source

_DATE = "'[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'"
_MINUTE = "'[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]'"
_INTEGERS = ("int", "money", "bool", "sum_of")


def make_tables(blueprint: Blueprint, source: Source) -> dict[str, Table]:
    """Tables by name, parents before children. Raises BlueprintError for an unknown or circular reference."""
    order = _parents_first(blueprint, source)
    return {name: _table(name, blueprint.entities[name]) for name in order}


def make_ddl(blueprint: Blueprint, tables: dict[str, Table]) -> tuple[str, ...]:
    """CREATE TABLE and CREATE INDEX statements, in the tables' order."""
    ddl: list[str] = []
    for table in tables.values():
        entity = blueprint.entities[table.name]
        ddl.append(_create(table, entity))
        ddl += _indexes(table, entity)
    return tuple(ddl)


def integer_choices(field: FieldSpec) -> bool:
    """Whether a choice is among whole numbers."""
    return isinstance(field.choice, list) and bool(field.choice) and all(isinstance(v, int) for v in field.choice)


def choices(field: FieldSpec) -> tuple[str, ...]:
    """The texts among which a choice field chooses; empty for other fields and for whole numbers."""
    return () if field.choice is None or integer_choices(field) else tuple(str(value) for value in field.choice)


def _parents_first(blueprint: Blueprint, source: Source) -> list[str]:
    done: list[str] = []

    def visit(name: str, seen: tuple[str, ...]) -> None:
        if name in done:
            return
        for key, field in blueprint.entities[name].fields.items():
            if field.ref is None or field.ref == name:
                continue
            if field.ref not in blueprint.entities:
                raise source.error(("entities", name, "fields", key), f"refers to {field.ref!r}, which is no entity")
            if field.ref in seen:
                raise source.error(("entities", name, "fields", key), f"circular references: {' → '.join([*seen, field.ref])}")
            visit(field.ref, (*seen, field.ref))
        done.append(name)

    for name in blueprint.entities:
        visit(name, (name,))
    return done


def _table(name: str, entity: Entity) -> Table:
    columns = {"id": Column("id", "id", "TEXT")}
    for key, field in entity.fields.items():
        integer = field.kind in _INTEGERS or integer_choices(field)
        columns[key] = Column(
            key, field.kind, "INTEGER" if integer else "TEXT", field.nullable, field.ref or "", choices(field), bool(field.incidental)
        )
    if entity.lifecycle:
        columns["state"] = Column("state", "state", "TEXT", choices=tuple(entity.states))
    return Table(name, columns, entity.id.prefix or "", entity.id.digits or 0)


def _create(table: Table, entity: Entity) -> str:
    parts = []
    for column in table.columns.values():
        text = f'"{column.name}" {column.type}'
        if column.kind == "id":
            text += " PRIMARY KEY"
        if not column.nullable:
            text += " NOT NULL"
        if column.ref:
            text += f' REFERENCES "{column.ref}"(id)'
        field = entity.fields.get(column.name)
        if field is not None and field.unique:
            text += " UNIQUE"
        check = _check(column, field)
        parts.append(text + (f" CHECK ({check})" if check else ""))
    return f'CREATE TABLE "{table.name}" ({", ".join(parts)}) STRICT'


def _check(column: Column, field: FieldSpec | None) -> str:
    name = f'"{column.name}"'
    if column.choices:
        quoted = ", ".join("'" + value.replace("'", "''") + "'" for value in column.choices)
        return f"{name} IN ({quoted})"
    if field is None:
        return ""
    if integer_choices(field):
        return f"{name} IN ({', '.join(str(v) for v in field.choice or [])})"
    if column.kind == "bool":
        return f"{name} IN (0, 1)"
    if column.kind == "date":
        return f"{name} GLOB {_DATE}"
    if column.kind in ("datetime", "stamp"):
        return f"{name} GLOB {_MINUTE}"
    spread = field.int if field.int is not None else field.money
    if isinstance(spread, tuple) and isinstance(spread[0], int) and spread[0] >= 0:
        return f"{name} >= 0"
    return ""


def _indexes(table: Table, entity: Entity) -> list[str]:
    wanted: list[tuple[str, ...]] = [(c.name,) for c in table.columns.values() if c.ref]
    for keep in entity.keeps.values():
        for group in (keep.per, keep.only_one):
            if group:
                wanted.append((group,) if isinstance(group, str) else tuple(group))
    names = list(dict.fromkeys(wanted))
    return [f'CREATE INDEX "{table.name}_{"_".join(group)}" ON "{table.name}" ({", ".join(chr(34) + g + chr(34) for g in group)})' for group in names]
