"""The tools every trade has, compiled from its entities: search, get, create, update, transitions, counts.

They come out as the same definitions that people write by hand, so everything after this treats both alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from synthtools.blueprint import Blueprint, Entity, FieldSpec, Guard, HandTool, Parameter
from synthtools.domain import Table
from synthtools.entity import argument_name, asked_fields, called, changeable_fields, is_money, plural
from synthtools.invariant import resolve_row, sum_expression
from synthtools.paging import page_condition, page_parameters
from synthtools.schema import choices
from synthtools.surface import Surface
from synthtools.tool import Origin

_CONTAINS = ("person", "company", "city", "email", "phone", "address", "pool", "text")
_SUMMARY = 6


@dataclass(frozen=True, slots=True)
class Definition:
    """A tool's definition on its way to being linked."""

    key: str
    name: str
    tool: HandTool
    origin: Origin
    page: tuple[str, str] = ("", "")
    limit: int = 0


@dataclass(frozen=True, slots=True)
class _Maker:
    blueprint: Blueprint
    tables: Mapping[str, Table]
    surface: Surface


def everyday_tools(blueprint: Blueprint, tables: Mapping[str, Table], surface: Surface) -> Iterator[Definition]:
    """Every compiled tool of a blueprint, entity by entity; a hand-written tool of the same name takes its place."""
    maker = _Maker(blueprint, tables, surface)
    for entity, definition in blueprint.entities.items():
        makers = {"search": _search, "get": _get, "create": _create, "update": _update, "count": _count}
        made = [makers[offer](maker, entity, definition) for offer in definition.offers if offer != "create" or definition.id.codes is None]
        made += [_transition(maker, entity, definition, state) for state in definition.verbs]
        yield from (_exempt(tool, definition) for tool in made if tool.key not in blueprint.tools)


def _exempt(made: Definition, definition: Entity) -> Definition:
    exempt = definition.cannot_break.get(made.key)
    return replace(made, tool=made.tool.model_copy(update={"cannot_break": exempt})) if exempt else made


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _parameter(entity: str, key: str, field: FieldSpec, *, optional: bool) -> Parameter:
    words: dict[str, Any] = {"optional": True} if optional else {}
    if field.about:
        words["description"] = field.about
    return Parameter(refers_to=field.ref, **words) if field.ref else Parameter(like=f"{entity}.{key}", **words)


def _q(name: str) -> str:
    return f'"{name}"'


def _search(maker: _Maker, entity: str, definition: Entity) -> Definition:
    table, surface = maker.tables[entity], maker.surface
    parameters: dict[str, Parameter] = {}
    conditions: list[str] = []
    fields: list[str] = []
    for key, field in _filters(definition):
        name = argument_name(key, field)
        fields.append(key)
        if field.kind in ("date", "datetime"):
            parameters[f"{key}_from"] = Parameter(like=f"{entity}.{key}", optional=True, description=f"Only from this {field.kind} on.")
            parameters[f"{key}_until"] = Parameter(like=f"{entity}.{key}", optional=True, description=f"Only up to this {field.kind}.")
            conditions += [f"(:{key}_from IS NULL OR t.{_q(key)} >= :{key}_from)", f"(:{key}_until IS NULL OR t.{_q(key)} <= :{key}_until)"]
        elif field.kind in _CONTAINS:
            words = f"Text that the {key.replace('_', ' ')} contains."
            parameters[name] = Parameter(type="string", optional=True, max_length=80, description=words)
            conditions.append(f"(:{name} IS NULL OR instr(lower(t.{_q(key)}), lower(:{name})) > 0)")
        else:
            parameters[name] = _parameter(entity, key, field, optional=True)
            conditions.append(f"(:{name} IS NULL OR t.{_q(key)} = :{name})")
    if definition.lifecycle:
        parameters["state"] = Parameter(enum=definition.states, optional=True)
        conditions.append("(:state IS NULL OR t.state = :state)")
        fields.append("state")
    shown = ", ".join(f"t.{_q(c)}" for c in _summary(table))
    where = " AND ".join(conditions) or "1"
    paging, clause = page_parameters(surface)
    parameters.update(paging)
    query = f"SELECT {shown} FROM {_q(entity)} AS t WHERE {where}{page_condition(surface)} ORDER BY t.id {clause}"
    returns: Any = query
    if surface.envelope:
        returns = {surface.envelope: query, "total": f"SELECT COUNT(*) AS value FROM {_q(entity)} AS t WHERE {where}"}
    noun = plural(entity, definition)
    tool = HandTool(
        description=f"List {noun.replace('_', ' ')} that match every filter given, {surface.page_size} at a time.",
        parameters=parameters,
        returns=returns,
    )
    page = {"page": "page", "offset": "offset", "cursor": "after"}[surface.paging]
    origin = Origin("search", entity, fields=tuple(fields))
    return Definition(f"search_{noun}", surface.tool_name(surface.search, noun), tool, origin, (surface.paging, page), surface.page_size)


def _filters(definition: Entity) -> list[tuple[str, FieldSpec]]:
    """The fields one can search by: at most eight, references and names first."""
    rank = {"ref": 0, "choice": 2, "bool": 3, "date": 2, "datetime": 4, "int": 5}
    usable = [(rank.get(f.kind, 1), i, k, f) for i, (k, f) in enumerate(definition.fields.items()) if f.kind not in ("money", "stamp", "sum_of")]
    usable = [entry for entry in usable if not entry[3].incidental and not (entry[3].kind == "int" and entry[3].computed)]
    chosen = sorted(sorted(usable, key=lambda entry: entry[:2])[:8], key=lambda entry: entry[1])
    return [(key, field) for _, _, key, field in chosen]


def _summary(table: Table) -> list[str]:
    """The columns that a list shows: the id, the first few, and the state."""
    names = [c.name for c in table.columns.values() if not c.incidental and c.kind not in ("text", "state")]
    return names[:_SUMMARY] + (["state"] if "state" in table.columns else [])


def _id_parameter(entity: str) -> dict[str, Parameter]:
    return {f"{entity}_id": Parameter(refers_to=entity)}


def _not_found(entity: str, definition: Entity, row: str) -> Guard:
    noun = called(entity, definition)
    return Guard(require=f":{row}.id IS NOT NULL", error="not_found", message=f"There is no {noun} {{{entity}_id}}.")


def _get(maker: _Maker, entity: str, definition: Entity) -> Definition:
    noun = called(entity, definition)
    columns = ", ".join(_q(c) for c in maker.tables[entity].columns)
    tool = HandTool(
        description=f"Everything on record about {_article(noun)}.",
        parameters=_id_parameter(entity),
        let={"row": f"SELECT id FROM {_q(entity)} WHERE id = :{entity}_id"},
        guards=[_not_found(entity, definition, "row")],
        returns=f"SELECT {columns} FROM {_q(entity)} WHERE id = :{entity}_id",
    )
    return Definition(f"get_{entity}", maker.surface.tool_name(maker.surface.get, entity), tool, Origin("get", entity))


def _create(maker: _Maker, entity: str, definition: Entity) -> Definition:
    table, noun = maker.tables[entity], called(entity, definition)
    asked = asked_fields(definition)
    parameters = {argument_name(k, f): _parameter(entity, k, f, optional=f.optional is not None) for k, f in asked.items()}
    guards = [guard for k, f in asked.items() for guard in _reference_guards(maker, k, f) + _unique_guards(entity, k, f, "")]
    values = {"id": ":new.id"} | {k: f":{argument_name(k, f)}" for k, f in asked.items()}
    values |= {k: _default(f) for k, f in definition.fields.items() if k not in asked}
    if definition.lifecycle:
        values["state"] = f"'{definition.states[0]}'"
    effects = [f"INSERT INTO {_q(entity)} ({', '.join(map(_q, values))}) VALUES ({', '.join(values.values())})"]
    effects += _computed(maker, entity, definition) + _sums(maker, entity, ":new.id")
    tool = HandTool(
        description=f"Record a new {noun}.",
        parameters=parameters,
        let={"new": f"SELECT new_id('{entity}') AS id"},
        guards=guards,
        effects=effects,
        returns=f"SELECT {', '.join(map(_q, table.columns))} FROM {_q(entity)} WHERE id = :new.id",
    )
    name = maker.surface.tool_name(maker.surface.create, entity)
    return Definition(f"create_{entity}", name, tool, Origin("create", entity, fields=tuple(asked)))


def _default(field: FieldSpec) -> str:
    if field.default is not None:
        return "'" + field.default.replace("'", "''") + "'" if isinstance(field.default, str) else str(int(field.default))
    if field.nullable:
        return "NULL"
    if field.kind in ("date", "datetime"):
        return ":today" if field.kind == "date" else ":now"
    first = next(iter(choices(field)), None)
    return f"'{first}'" if first is not None else ("0" if field.kind in ("int", "money", "sum_of", "bool") else "''")


def _computed(maker: _Maker, entity: str, definition: Entity) -> list[str]:
    """The update that fills computed columns of the new row."""
    sets = []
    for key, field in definition.fields.items():
        expression = field.int if isinstance(field.int, str) else field.money
        if isinstance(expression, str):
            sets.append(f"{_q(key)} = {resolve_row(expression, maker.tables[entity], maker.tables)}")
    return [f"UPDATE {_q(entity)} AS t SET {', '.join(sets)} WHERE t.id = :new.id"] if sets else []


def _sums(maker: _Maker, entity: str, row_id: str) -> list[str]:
    """Updates that bring the sums over this entity's rows up to date, after row `row_id` changed."""
    effects = []
    for parent, definition in maker.blueprint.entities.items():
        for key, field in definition.fields.items():
            if field.sum_of == entity:
                link = next(c.name for c in maker.tables[entity].columns.values() if c.ref == parent)
                expression = sum_expression(maker.blueprint, maker.tables, parent, key)
                effects.append(
                    f"UPDATE {_q(parent)} AS t SET {_q(key)} = {expression} WHERE t.id = (SELECT {_q(link)} FROM {_q(entity)} WHERE id = {row_id})"
                )
    return effects


def _reference_guards(maker: _Maker, key: str, field: FieldSpec) -> list[Guard]:
    if not field.ref:
        return []
    name = argument_name(key, field)
    exists = f"(SELECT 1 FROM {_q(field.ref)} WHERE id = :{name}) IS NOT NULL"
    noun = called(field.ref, maker.blueprint.entities[field.ref])
    return [Guard(require=f":{name} IS NULL OR {exists}", error=f"no_such_{field.ref}", message=f"There is no {noun} {{{name}}}.")]


def _unique_guards(entity: str, key: str, field: FieldSpec, own: str) -> list[Guard]:
    if not field.unique:
        return []
    name = argument_name(key, field)
    free = f"NOT EXISTS (SELECT 1 FROM {_q(entity)} WHERE {_q(key)} = :{name}{own})"
    message = f"Another one already has {key.replace('_', ' ')} {{{name}}}."
    return [Guard(require=f":{name} IS NULL OR {free}", error=f"{key}_taken", message=message)]


def _update(maker: _Maker, entity: str, definition: Entity) -> Definition:
    noun, fields = called(entity, definition), changeable_fields(definition)
    parameters = _id_parameter(entity) | {argument_name(k, f): _parameter(entity, k, f, optional=True) for k, f in fields.items()}
    names = [argument_name(k, f) for k, f in fields.items()]
    guards = [_not_found(entity, definition, "row")]
    some = " OR ".join(f":{name} IS NOT NULL" for name in names)
    because = "An update says what changes."
    guards.append(Guard(require=some, error="nothing_to_change", message="Give at least one value to change.", because=because))
    guards += [guard for k, f in fields.items() for guard in _unique_guards(entity, k, f, f" AND id <> :{entity}_id")]
    sets = ", ".join(f"{_q(k)} = COALESCE(:{argument_name(k, f)}, {_q(k)})" for k, f in fields.items())
    tool = HandTool(
        description=f"Change what is on record about {_article(noun)}; what is not given stays.",
        parameters=parameters,
        let={"row": f"SELECT id FROM {_q(entity)} WHERE id = :{entity}_id"},
        guards=guards,
        effects=[f"UPDATE {_q(entity)} SET {sets} WHERE id = :{entity}_id", *_sums(maker, entity, f":{entity}_id")],
        returns=f"SELECT {', '.join(map(_q, ['id', *fields]))} FROM {_q(entity)} WHERE id = :{entity}_id",
    )
    name = maker.surface.tool_name(maker.surface.update, entity)
    return Definition(f"update_{entity}", name, tool, Origin("update", entity, fields=tuple(fields)))


def _transition(maker: _Maker, entity: str, definition: Entity, state: str) -> Definition:
    noun, key = called(entity, definition), definition.verbs[state]
    before = [s for s, later in definition.lifecycle.items() if state in later]
    stamps = [k for k, f in definition.fields.items() if f.stamp == state]
    sets = ", ".join([f"state = '{state}'", *(f"{_q(k)} = :now" for k in stamps)])
    listed = ", ".join(f"'{s}'" for s in before)
    words = " or ".join(s.replace("_", " ") for s in before)
    tool = HandTool(
        description=f"Mark {_article(noun)} that is {words} as {state.replace('_', ' ')}.",
        parameters=_id_parameter(entity),
        let={"row": f"SELECT id, state FROM {_q(entity)} WHERE id = :{entity}_id"},
        guards=[
            _not_found(entity, definition, "row"),
            Guard(require=f":row.state IN ({listed})", error="wrong_state", message=f"{noun.capitalize()} {{{entity}_id}} is {{row.state}}."),
        ],
        effects=[f"UPDATE {_q(entity)} SET {sets} WHERE id = :{entity}_id"],
        returns=f"SELECT {', '.join(map(_q, ['id', 'state', *stamps]))} FROM {_q(entity)} WHERE id = :{entity}_id",
    )
    return Definition(key, key, tool, Origin("transition", entity, state, tuple(stamps)))


def _count(maker: _Maker, entity: str, definition: Entity) -> Definition:
    table, noun = maker.tables[entity], plural(entity, definition)
    groups = [c.name for c in table.columns.values() if (c.kind in ("state", "choice", "bool") or c.ref) and not c.incidental]
    sums = [c.name for c in table.columns.values() if c.kind in ("money", "sum_of") and not c.nullable]
    case = " ".join(f"WHEN '{g}' THEN t.{_q(g)}" for g in groups)
    shown = [f'CASE :by {case} END AS "group"', "COUNT(*) AS count", *(f"SUM(t.{_q(s)}) AS total_{s}" for s in sums)]
    parameters = {"by": Parameter(enum=groups, description="What to group by.")}
    where = ""
    if definition.lifecycle:
        parameters["state"] = Parameter(enum=definition.states, optional=True, description="Only these.")
        where = " WHERE (:state IS NULL OR t.state = :state)"
    tool = HandTool(
        description=f"Count {noun.replace('_', ' ')} in groups.",
        parameters=parameters,
        returns=f"SELECT {', '.join(shown)} FROM {_q(entity)} AS t{where} GROUP BY 1 ORDER BY 1",
        money=[f"total_{s}" for s in sums if is_money(maker.blueprint, entity, s)],
    )
    return Definition(f"count_{noun}", maker.surface.tool_name("count", noun), tool, Origin("count", entity, fields=tuple(groups)))
