"""Tools with one small fault each: what an audit must tell from the sound ones.

Faults are made in the bound SQL's own tokens, so that all but the fault stays as it was written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import apsw
import apsw.ext

from synthtools.domain import Domain
from synthtools.everyday import Definition, everyday_tools
from synthtools.link import Linker
from synthtools.source import BlueprintError, Source
from synthtools.sql import Token, tokens
from synthtools.tool import Program, Tool

KINDS = ("guard dropped", "guard flipped", "off by one", "wrong column", "wrong constant", "wrong parameter", "missing effect")
_COMPARISONS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A tool with one fault."""

    kind: str
    where: str
    """`guard 2`, `let stay`, `effect 0`, `returns`."""
    change: str
    """What was written → what stands there now."""
    tool: Tool


@dataclass(frozen=True, slots=True)
class _Site:
    """One statement of a program, and how to put another in its place."""

    where: str
    sql: str
    whole: Callable[[str], str]
    """The statement to prepare for a text at this site."""
    put: Callable[[str], Program]


def mutants(domain: Domain, tool: Tool, connection: apsw.Connection) -> Iterator[Mutant]:
    """Every mutant of a tool that compiles, in a fixed order, each with what the compiler derives from its SQL."""
    linker = Linker(domain.blueprint, domain.tables, domain.invariants, connection, Source(domain.source, domain.name))
    definition = _definition(domain, tool)
    for kind, where, change, program in _programs(domain, tool, connection):
        try:
            mutant = linker.relink(definition, tool, program)
        except BlueprintError:
            continue
        yield Mutant(kind, where, change, mutant)


def _definition(domain: Domain, tool: Tool) -> Definition:
    """What a tool was linked from."""
    if tool.origin.kind == "hand":
        return Definition(tool.key, tool.name, domain.blueprint.tools[tool.key], tool.origin)
    return next(d for d in everyday_tools(domain.blueprint, domain.tables, domain.surface) if d.key == tool.key)


def _programs(domain: Domain, tool: Tool, connection: apsw.Connection) -> Iterator[tuple[str, str, str, Program]]:
    """(kind, where, change, program) of every fault that leaves statements which SQLite takes."""
    program = tool.program
    for index, guard in enumerate(program.guards):
        rest = (*program.guards[:index], *program.guards[index + 1 :])
        yield "guard dropped", f"guard {index}", guard.require, replace(program, guards=rest)
        flipped = replace(guard, require=f"NOT ({guard.require})")
        guards = (*program.guards[:index], flipped, *program.guards[index + 1 :])
        yield "guard flipped", f"guard {index}", guard.require, replace(program, guards=guards)
    for index, effect in enumerate(program.effects):
        rest_effects = (*program.effects[:index], *program.effects[index + 1 :])
        yield "missing effect", f"effect {index}", effect, replace(program, effects=rest_effects)
    swaps = _Swaps(domain, tool)
    for site in _sites(program):
        pieces = list(tokens(site.sql))
        for kind, index, length, text in swaps.of(pieces):
            changed = "".join(t.text for t in pieces[:index]) + text + "".join(t.text for t in pieces[index + length :])
            if _prepares(connection, site.whole(changed), site.whole(site.sql)):
                old = "".join(t.text for t in pieces[index : index + length])
                yield kind, site.where, f"{old} → {text} in {_around(pieces, index)}", site.put(changed)


def _around(pieces: list[Token], index: int) -> str:
    return " ".join("".join(t.text for t in pieces[max(0, index - 8) : index + 9]).split())


def _sites(program: Program) -> Iterator[_Site]:
    for index, guard in enumerate(program.guards):
        yield _Site(f"guard {index}", guard.require, "SELECT ({})".format, _Put(program, "guard", index))
    for index, let in enumerate(program.lets):
        yield _Site(f"let {let.name}", let.sql, str, _Put(program, "let", index))
    if program.for_each is not None:
        yield _Site("for_each", program.for_each.sql, str, _Put(program, "for_each", 0))
    for index, effect in enumerate(program.effects):
        yield _Site(f"effect {index}", effect, str, _Put(program, "effect", index))
    for key, returns in program.returns.items():
        yield _Site(f"returns {key}".strip(), returns.sql, str, _Put(program, "returns", 0, key))


@dataclass(frozen=True, slots=True)
class _Put:
    """Puts another text in the place of one statement."""

    program: Program
    part: str
    index: int
    key: str = ""

    def __call__(self, text: str) -> Program:
        program, index = self.program, self.index
        if self.part == "guard":
            guards = list(program.guards)
            guards[index] = replace(guards[index], require=text)
            return replace(program, guards=tuple(guards))
        if self.part == "let":
            lets = list(program.lets)
            lets[index] = replace(lets[index], sql=text)
            return replace(program, lets=tuple(lets))
        if self.part == "for_each" and program.for_each is not None:
            return replace(program, for_each=replace(program.for_each, sql=text))
        if self.part == "effect":
            return replace(program, effects=(*program.effects[:index], text, *program.effects[index + 1 :]))
        return replace(program, returns={**program.returns, self.key: replace(program.returns[self.key], sql=text)})


def _prepares(connection: apsw.Connection, sql: str, original: str) -> bool:
    """Whether SQLite takes the statement, with as many result columns as before."""
    try:
        made = apsw.ext.query_info(connection, sql)
        was = apsw.ext.query_info(connection, original)
    except apsw.Error:
        return False
    return len(made.description or ()) == len(was.description or ())


class _Swaps:
    """What may stand in the place of a token."""

    def __init__(self, domain: Domain, tool: Tool) -> None:
        self.domain = domain
        self.columns: dict[str, list[str]] = {}
        for table in domain.tables.values():
            for column in table.columns.values():
                alike = [c.name for c in table.columns.values() if c.type == column.type and c.name != column.name]
                same = [c for c in alike if table.columns[c].kind == column.kind]
                self.columns.setdefault(column.name, []).extend(same or alike)
        self.binds = _like_binds(domain, tool)
        self.texts = _like_texts(domain)

    def of(self, pieces: list[Token]) -> Iterator[tuple[str, int, int, str]]:
        """(kind, index, how many tokens, replacement) for every fault of a statement."""
        for index, token in enumerate(pieces):
            following = pieces[index + 1].text if index + 1 < len(pieces) else ""
            before = pieces[index - 1].text if index else ""
            if token.kind == "other":
                yield from self._comparison(index, before, token.text, following)
            elif token.kind == "number" and token.text.isdigit():
                yield "off by one", index, 1, str(int(token.text) + 1)
                yield "wrong constant", index, 1, str(int(token.text) * 2 + 5)
            elif token.kind == "string":
                yield from (("wrong constant", index, 1, text) for text in self._text(token.text))
            elif token.kind == "bind":
                yield from (("wrong parameter", index, 1, f":{name}") for name in self.binds.get(token.text[1:], [])[:2])
            elif token.kind in ("word", "quoted") and following != "(":
                yield from self._column(index, token.text)

    def _comparison(self, index: int, before: str, text: str, following: str) -> Iterator[tuple[str, int, int, str]]:
        if text not in "<>" or before in ("<", ">", "=", "!"):
            return
        length = 2 if following in ("=", ">") else 1
        written = text + (following if length == 2 else "")
        if written in _COMPARISONS:
            yield "off by one", index, length, _COMPARISONS[written]

    def _column(self, index: int, text: str) -> Iterator[tuple[str, int, int, str]]:
        quoted = text.startswith('"')
        alias, dot, name = text.strip('"').rpartition(".")
        for other in dict.fromkeys(self.columns.get(name, ())[:2]):
            yield "wrong column", index, 1, f'"{other}"' if quoted else f"{alias}{dot}{other}"

    def _text(self, text: str) -> list[str]:
        value = text[1:-1]
        others = [f"'{other}'" for other in self.texts.get(value, [])[:2]]
        if others:
            return others
        if value.endswith((" day", " days")) and value.split()[0].lstrip("+-").isdigit():
            return [f"'{int(value.split()[0]) + 1:+d} days'"]
        return ["'" + value + "x'"] if value.replace("_", "").isalpha() else []


def _like_texts(domain: Domain) -> dict[str, list[str]]:
    """State or choice → the others among which it is chosen."""
    found: dict[str, list[str]] = {}
    for table in domain.tables.values():
        for column in table.columns.values():
            for value in column.choices:
                found.setdefault(value, []).extend(other for other in column.choices if other != value)
    return found


def _like_binds(domain: Domain, tool: Tool) -> Mapping[str, list[str]]:
    """Parameter or `let` column → others that hold the same kind of value."""
    kinds: dict[str, str] = {"today": "date", "now": "date-time"}
    for name, schema in tool.parameters["properties"].items():
        kinds[name] = "text" if name in tool.refers else str(schema.get("format") or schema["type"])
    for let in (*tool.program.lets, *([tool.program.for_each] if tool.program.for_each else [])):
        for column in let.columns:
            kinds[f"{let.name}__{column}"] = _column_kind(domain, column)
    return {name: [other for other, k in kinds.items() if k == kind and other != name] for name, kind in kinds.items()}


def _column_kind(domain: Domain, name: str) -> str:
    """The kind of value that columns of this name hold."""
    for table in domain.tables.values():
        column = table.columns.get(name)
        if column is not None:
            return {"date": "date", "datetime": "date-time", "stamp": "date-time"}.get(column.kind, "integer" if column.type == "INTEGER" else "text")
    return "integer"
