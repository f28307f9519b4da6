"""From a tool's definition to a Tool: schema, bound statements, what it reads and writes, which errors it can give."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import apsw

from synthtools.blueprint import Blueprint, FieldSpec, Parameter
from synthtools.domain import Invariant, Table
from synthtools.entity import called, is_money
from synthtools.everyday import Definition
from synthtools.order import refuse_partial_order
from synthtools.schema import choices, integer_choices
from synthtools.source import Place, Source
from synthtools.sql import Facts, SqlError, bind, examine, substitute, tokens
from synthtools.tool import Guard, Let, Program, Returns, Tool

_RESERVED = frozenset({"now", "today", "touched"})


@dataclass(slots=True)
class Linker:
    """What linking needs to know of the domain, and what it has gathered of the tool at hand."""

    blueprint: Blueprint
    tables: Mapping[str, Table]
    invariants: tuple[Invariant, ...]
    connection: apsw.Connection
    source: Source
    names: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    new_ids: bool = False

    def link(self, definition: Definition) -> Tool:
        """The tool of a definition. Raises BlueprintError at the line of whatever is not accepted."""
        tool, place = definition.tool, self._place(definition)
        self.names, self.reads, self.writes, self.new_ids = set(_RESERVED), set(), set(), False
        properties = {}
        for name, parameter in tool.parameters.items():
            properties[name] = self._schema((*place, "parameters", name), parameter)
            self.names.add(name)
        lets = tuple(self._let((*place, "let", name), name, sql) for name, sql in tool.let.items())
        guards = tuple(self._guard((*place, "guards", i), g.require, g.error, g.message, g.because or "") for i, g in enumerate(tool.guards))
        guard_sql = guard_query(guards)
        loops = [self._let((*place, "for_each", name), name, sql) for name, sql in tool.for_each.items()]
        effects = tuple(self._statement((*place, "effects", i), sql, write=True)[0] for i, sql in enumerate(tool.effects))
        queries = definition.tool.returns
        returns = self._returns(definition, place, {"": queries} if isinstance(queries, str) else queries)
        if not effects and self.new_ids:
            raise self.source.error(place, "new_id() in a tool without effects")
        checks = self._checks(definition, effects) if effects else ()
        program = Program(lets, guards, guard_sql, loops[0] if loops else None, effects, returns, checks, self.new_ids, definition.page)
        required = [name for name, p in tool.parameters.items() if not p.optional]
        schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
        return Tool(
            name=definition.name,
            key=definition.key,
            description=tool.description,
            parameters=schema,
            errors=self._errors(guards, checks),
            program=program,
            origin=definition.origin,
            reads=frozenset(self.reads),
            writes=frozenset(self.writes),
            money=frozenset(n for n, p in tool.parameters.items() if p.money or self._is_money(p)),
            refers={n: p.refers_to for n, p in tool.parameters.items() if p.refers_to}
            | {n: p.items.refers_to for n, p in tool.parameters.items() if p.items and p.items.refers_to},
            like={n: p.like for n, p in tool.parameters.items() if p.like},
            ensures=tuple(tool.ensures),
        )

    def relink(self, definition: Definition, tool: Tool, program: Program) -> Tool:
        """The tool with another program, and all that is derived from its SQL. Raises BlueprintError where it would not compile."""
        place = self._place(definition)
        self.names, self.reads, self.writes, self.new_ids = {*_RESERVED, *tool.parameters["properties"]}, set(), set(), False
        for let in (*program.lets, *(Let("", f"SELECT ({g.require})", ()) for g in program.guards), *filter(None, [program.for_each])):
            self._statement(place, let.sql, write=False)
            self.names |= {f"{let.name}__{column}" for column in let.columns}
        for sql in program.effects:
            self._statement(place, sql, write=True)
        linked = self._returns(definition, place, {key: returns.sql for key, returns in program.returns.items()})
        returns = {key: replace(linked[key], columns=old.columns) for key, old in program.returns.items()}
        checks = self._checks(definition, program.effects) if program.effects else ()
        program = replace(program, guard_sql=guard_query(program.guards), returns=returns, checks=checks, new_ids=self.new_ids)
        reads, writes = frozenset(self.reads), frozenset(self.writes)
        return replace(tool, program=program, errors=self._errors(program.guards, checks), reads=reads, writes=writes)

    def _place(self, definition: Definition) -> Place:
        return ("tools", definition.key) if definition.origin.kind == "hand" else ("entities", definition.origin.entity)

    def _is_money(self, parameter: Parameter) -> bool:
        entity, _, key = (parameter.like or ".").partition(".")
        return entity in self.blueprint.entities and is_money(self.blueprint, entity, key)

    def _schema(self, place: Place, parameter: Parameter) -> dict[str, Any]:
        """JSON Schema of one parameter."""
        schema: dict[str, Any] = {}
        if parameter.refers_to:
            if parameter.refers_to not in self.blueprint.entities:
                raise self.source.error(place, f"refers to {parameter.refers_to!r}, which is no entity")
            schema = {"type": "string", "minLength": 1, "maxLength": 40, "description": self._id_words(parameter.refers_to)}
        elif parameter.like:
            schema = self._like(place, parameter.like)
        elif parameter.money:
            schema = {"type": "number", "minimum": 0, "description": f"Amount in {self.blueprint.currency}."}
        schema.update(_plain(parameter))
        if parameter.items is not None:
            schema["items"] = self._schema((*place, "items"), parameter.items)
        if parameter.properties is not None:
            inner = {n: self._schema((*place, "properties", n), p) for n, p in parameter.properties.items()}
            required = [n for n, p in parameter.properties.items() if not p.optional]
            schema |= {"properties": inner, "required": required, "additionalProperties": False}
        if schema.get("type") == "array":
            schema.setdefault("maxItems", 50)
        if schema.get("type") == "string" and "enum" not in schema and "format" not in schema:
            schema.setdefault("maxLength", 400)
        return schema

    def _id_words(self, entity: str) -> str:
        definition, table = self.blueprint.entities[entity], self.tables[entity]
        codes = (definition.id.codes or [""])[0].partition("..")[0]
        example = f"{table.prefix}{'42'.zfill(table.digits)}" if table.digits else codes
        return f"Id of the {called(entity, definition)}, such as {example}."

    def _like(self, place: Place, like: str) -> dict[str, Any]:
        entity, _, key = like.partition(".")
        if entity in self.blueprint.entities and key == "state" and self.blueprint.entities[entity].lifecycle:
            return {"type": "string", "enum": list(self.blueprint.entities[entity].states)}
        if entity not in self.blueprint.entities or key not in self.blueprint.entities[entity].fields:
            raise self.source.error(place, f"is like {like!r}, which is no field")
        return field_schema(self.blueprint.entities[entity].fields[key], self.blueprint.currency)

    def _let(self, place: Place, name: str, sql: str) -> Let:
        text, facts = self._statement(place, sql, write=False)
        if self.names & {f"{name}__{c}" for c in facts.columns} or name in self.names:
            raise self.source.error(place, f"the name {name!r} is taken")
        self.names |= {f"{name}__{c}" for c in facts.columns}
        return Let(name, text, facts.columns)

    def _guard(self, place: Place, require: str, error: str, message: str, because: str) -> Guard:
        text, _ = self._statement((*place, "require"), f"SELECT ({require})", write=False)
        try:
            substitute(message, frozenset(self.names))
        except SqlError as problem:
            raise self.source.error((*place, "message"), str(problem)) from None
        return Guard(text[len("SELECT (") : -1], error, message, because)

    def _statement(self, place: Place, sql: str, *, write: bool) -> tuple[str, Facts]:
        """Bind and vet one statement; what it reads and writes is added to the tool's."""
        try:
            text, parameters = bind(sql)
            unknown = sorted(parameters - self.names)
            if unknown:
                raise SqlError(f":{unknown[0].replace('__', '.')} is not an argument or a column of a `let` row above")
            facts = examine(self.connection, text, write=write)
            refuse_partial_order(text)
        except SqlError as error:
            raise self.source.error(place, str(error)) from None
        self.reads |= facts.reads
        self.writes |= facts.writes
        self.new_ids = self.new_ids or "new_id" in facts.functions
        return text, facts

    def _returns(self, definition: Definition, place: Place, queries: Mapping[str, str]) -> dict[str, Returns]:
        made = {}
        for key, sql in queries.items():
            text, facts = self._statement((*place, "returns", key) if key else (*place, "returns"), sql, write=False)
            shown = tuple(self._shown(definition, c, o) for c, o in zip(facts.columns, facts.origins, strict=True))
            origins = tuple(o if o and o[0] in self.tables else None for o in facts.origins)
            made[key] = Returns(text, facts.columns, _ordered(text), shown, origins)
        return made

    def _shown(self, definition: Definition, column: str, origin: tuple[str, str] | None) -> str:
        if column in definition.tool.money:
            return "money"
        if origin is None or origin[0] not in self.tables:
            return ""
        if is_money(self.blueprint, *origin):
            return "money"
        return "truth" if self.tables[origin[0]].columns[origin[1]].kind == "bool" else ""

    def _checks(self, definition: Definition, effects: tuple[str, ...]) -> tuple[str, ...]:
        """The invariants that the writes could break."""
        exempt, origin = definition.tool.cannot_break, definition.origin
        names = []
        for invariant in self.invariants:
            if not invariant.enforced or invariant.error in exempt:
                continue
            columns = {w for w in self.writes if w in invariant.reads}
            states = {origin.state} if origin.state else _states_set(effects, invariant.table)
            if f"+{invariant.table}" in self.writes or (columns and not _leaves_it(columns, invariant, states)):
                names.append(invariant.name)
        unknown = set(exempt) - {i.error for i in self.invariants}
        if unknown:
            raise self.source.error((*self._place(definition), "cannot_break"), f"{sorted(unknown)[0]!r} is no invariant's error")
        return tuple(names)

    def _errors(self, guards: tuple[Guard, ...], checks: tuple[str, ...]) -> dict[str, str]:
        errors = {guard.error: guard.message for guard in guards}
        for invariant in self.invariants:
            if invariant.name in checks:
                errors.setdefault(invariant.error, invariant.message)
        return errors


def guard_query(guards: tuple[Guard, ...]) -> str:
    """One query that gives the number of the first guard that is not true, or -1; empty without guards."""
    cases = " ".join(f"WHEN ({g.require}) IS NOT TRUE THEN {i}" for i, g in enumerate(guards))
    return f"SELECT CASE {cases} ELSE -1 END" if guards else ""


def _leaves_it(columns: set[str], invariant: Invariant, states: set[str]) -> bool:
    """Whether writes that change only the state take the row out of the invariant's reach."""
    return columns == {f"{invariant.table}.state"} and bool(states) and bool(invariant.states) and not states & set(invariant.states)


def _states_set(effects: tuple[str, ...], table: str) -> set[str]:
    """The states that updates of a table set, where all of them are literals; else nothing."""
    found: set[str] = set()
    for sql in effects:
        if not re.match(rf"\s*UPDATE\s+\"?{table}\b", sql, re.IGNORECASE):
            continue
        setting = re.search(r"\bstate\s*=\s*('(\w+)')?", sql)
        if setting and not setting.group(2):
            return set()
        found |= {setting.group(2)} if setting else set()
    return found


def _ordered(sql: str) -> bool:
    """Whether the statement itself (not a subquery) is ordered: then its result is a list."""
    depth, words = 0, []
    for token in tokens(sql):
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.kind == "word":
            words.append(token.text.upper())
    return any(a == "ORDER" and b == "BY" for a, b in zip(words, words[1:], strict=False))


def _plain(parameter: Parameter) -> dict[str, Any]:
    """The JSON Schema keys that a parameter states itself."""
    names = {"min_length": "minLength", "max_length": "maxLength", "min_items": "minItems", "max_items": "maxItems"}
    schema: dict[str, Any] = {}
    if parameter.enum is not None or parameter.format is not None:
        schema["type"] = "string"
    for key in ("type", "format", "enum", "minimum", "maximum", "min_length", "max_length", "min_items", "max_items", "description"):
        value = getattr(parameter, key)
        if value is not None:
            schema[names.get(key, key)] = value
    return schema


def field_schema(spec: FieldSpec, currency: str) -> dict[str, Any]:
    """JSON Schema of a value of a field."""
    schema: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 400 if spec.kind == "text" else 120}
    if spec.kind == "choice":
        schema = {"type": "integer", "enum": list(spec.choice or [])} if integer_choices(spec) else {"type": "string", "enum": list(choices(spec))}
    elif spec.kind == "bool":
        schema = {"type": "boolean"}
    elif spec.kind in ("date", "datetime", "stamp"):
        schema = {"type": "string", "format": "date" if spec.kind == "date" else "date-time"}
    elif spec.kind == "int":
        schema = {"type": "integer"} | _bounds(spec.int, 1)
    elif spec.kind in ("money", "sum_of"):
        schema = {"type": "number", "description": f"Amount in {currency}."} | _bounds(spec.money, 100)
    if spec.about:
        schema["description"] = spec.about
    return schema


def _bounds(spread: Any, unit: int) -> dict[str, Any]:
    if not isinstance(spread, tuple):
        return {}
    low, high = spread
    return {"minimum": low // unit if unit > 1 else low, "maximum": -(-high // unit) if unit > 1 else high}
