"""Invariants: from a blueprint's `keeps` and sums to queries that find the rows which break them."""

from __future__ import annotations

from collections.abc import Mapping

import apsw

from synthtools.blueprint import Blueprint, Keep
from synthtools.domain import Invariant, Table
from synthtools.source import Source
from synthtools.sql import SqlError, examine, resolve_paths, tokens

Touch = dict[str, str]


def make_invariants(blueprint: Blueprint, tables: Mapping[str, Table], connection: apsw.Connection, source: Source) -> tuple[Invariant, ...]:
    """Every invariant of a blueprint. Raises BlueprintError where its SQL is not accepted."""
    made = []
    for entity, definition in blueprint.entities.items():
        for name, keep in definition.keeps.items():
            place = ("entities", entity, "keeps", name)
            try:
                made.append(_from_keep(f"{entity}.{name}", tables[entity], tables, keep, connection))
            except (SqlError, KeyError) as error:
                raise source.error(place, str(error).strip('"')) from None
        for name, field in definition.fields.items():
            if field.sum_of:
                place = ("entities", entity, "fields", name)
                try:
                    made.append(_from_sum(tables[entity], name, sum_expression(blueprint, tables, entity, name), connection))
                except (SqlError, StopIteration) as error:
                    raise source.error(place, str(error) or f"{field.sum_of} has no reference to {entity}") from None
    return tuple(made)


def resolve_row(sql: str, table: Table, tables: Mapping[str, Table], row: str = "t") -> str:
    """An expression over a row of `table`, its dotted references turned into look-ups. Raises SqlError."""

    def target(path: tuple[str, ...]) -> tuple[str, ...] | None:
        if path[0] not in table.columns:
            if len(path) > 1 and path[0] != row and path[0] not in tables:
                raise SqlError(f"{'.'.join(path)}: {table.name} has no field {path[0]!r}")
            return None
        passed, here = [], table
        for step, following in zip(path, path[1:], strict=False):
            column = here.columns.get(step)
            if column is None or not column.ref:
                raise SqlError(f"{'.'.join(path)}: {step!r} of {here.name} is not a reference")
            here = tables[column.ref]
            if following not in here.columns:
                raise SqlError(f"{'.'.join(path)}: {here.name} has no field {following!r}")
            passed.append(here.name)
        return tuple(passed)

    return resolve_paths(sql, row, target)


def sum_expression(blueprint: Blueprint, tables: Mapping[str, Table], entity: str, name: str) -> str:
    """What a `sum_of` field equals, over row `t` of its table."""
    field = blueprint.entities[entity].fields[name]
    child = tables[str(field.sum_of)]
    link = next(c.name for c in child.columns.values() if c.ref == entity)
    each = resolve_row(str(field.each), child, tables, "c")
    return f'(SELECT COALESCE(SUM({each}), 0) FROM "{child.name}" AS c WHERE c."{link}" = t.id)'


def _from_sum(table: Table, name: str, expression: str, connection: apsw.Connection) -> Invariant:
    broken = f'SELECT t.id FROM "{table.name}" AS t WHERE t."{name}" IS NOT {expression}'
    reads = examine(connection, broken, write=False).reads
    message = f"{name} no longer equals the sum of its parts."
    return Invariant(f"{table.name}.{name}", table.name, f"{name}_wrong", message, broken, {}, reads, (), enforced=False)


def _from_keep(name: str, table: Table, tables: Mapping[str, Table], keep: Keep, connection: apsw.Connection) -> Invariant:
    states = tuple(keep.while_ or ())
    condition, touched = _form(table, tables, keep, _while("o", states))
    own = f"t.rowid IN ({_TOUCHED})"
    broken = f'SELECT t.id FROM "{table.name}" AS t WHERE {_while("t", states)}({condition})'
    reads = examine(connection, broken, write=False).reads
    needed = {read.partition(".")[0] for read in reads}
    near = {**touched, table.name: f"({own} OR {touched[table.name]})" if touched.get(table.name) else own}
    message = keep.message or name.partition(".")[2].replace("_", " ").capitalize() + " would no longer hold."
    return Invariant(name, table.name, keep.error, message, broken, {t: near.get(t, "") for t in sorted(needed | {table.name})}, reads, states, True)


_TOUCHED = "SELECT value FROM json_each(:touched)"


def _while(row: str, states: tuple[str, ...]) -> str:
    return f"{row}.state IN ({', '.join(repr(s) for s in states)}) AND " if states else ""


def _same(keep: Keep, fields: list[str]) -> str:
    return " AND ".join(f'o."{field}" = t."{field}"' for field in fields)


def _form(table: Table, tables: Mapping[str, Table], keep: Keep, while_o: str) -> tuple[str, Touch]:
    """The condition that row `t` breaks the invariant, and how rows of other tables lead to it."""
    per = [keep.per] if isinstance(keep.per, str) else list(keep.per or keep.only_one or [])
    for field in [*per, *(keep.no_overlap or ()), *([keep.rises, keep.by] if keep.rises else [])]:
        if field not in table.columns:
            raise SqlError(f"{table.name} has no field {field!r}")
    others = f'FROM "{table.name}" AS o WHERE {while_o}{_same(keep, per)}'
    if keep.sql is not None:
        return f"NOT ({resolve_row(keep.sql, table, tables)})", _reverse(keep.sql, table, tables)
    if keep.no_overlap is not None:
        start, end = keep.no_overlap
        return f'EXISTS (SELECT 1 {others} AND o.id <> t.id AND t."{start}" < o."{end}" AND t."{end}" > o."{start}")', {}
    if keep.rises is not None:
        value, by = keep.rises, keep.by
        earlier = f'(o."{by}", o.id) < (t."{by}", t.id) AND o."{value}" > t."{value}"'
        later = f'(o."{by}", o.id) > (t."{by}", t.id) AND o."{value}" < t."{value}"'
        return f"EXISTS (SELECT 1 {others} AND (({earlier}) OR ({later})))", {}
    if keep.only_one is not None:
        return f"EXISTS (SELECT 1 {others} AND o.id <> t.id)", {}
    limit = str(keep.at_most)
    return f"(SELECT COUNT(*) {others}) > {resolve_row(limit, table, tables)}", _reverse(limit, table, tables)


def _reverse(sql: str, table: Table, tables: Mapping[str, Table]) -> Touch:
    """For each table reached by a path from a row, the condition that finds the rows that reach a touched one."""
    found: Touch = {}
    for token in tokens(sql):
        path = token.text.split(".")
        if token.kind != "word" or len(path) < 2 or path[0] not in table.columns:
            continue
        here, links = table, []
        for step in path[:-1]:
            here = tables[here.columns[step].ref]
            links.append((step, here.name))
            inner = f'SELECT x.id FROM "{here.name}" AS x WHERE x.rowid IN ({_TOUCHED})'
            for (back, _), (_, owner) in zip(reversed(links[1:]), reversed(links[:-1]), strict=True):
                inner = f'SELECT x.id FROM "{owner}" AS x WHERE x."{back}" IN ({inner})'
            condition = f't."{links[0][0]}" IN ({inner})'
            found[here.name] = condition if here.name not in found or found[here.name] == condition else ""
    return found
