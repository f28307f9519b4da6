"""One call under observation: what it answered, what it changed, what stood before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import apsw
import orjson

from synthtools.arguments import ArgumentError, ArgumentParser
from synthtools.backend import LocalBackend, programs
from synthtools.connection import Connection
from synthtools.domain import Domain
from synthtools.execute import ToolProgram
from synthtools.goal import Changes
from synthtools.promise import full_rows
from synthtools.tool import Returns, Tool, ToolResult
from synthtools.world import decode_changes

CRASHES = (apsw.Error, RuntimeError, ValueError, LookupError, TypeError, ArithmeticError, AttributeError)
"""What a call must never raise."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A call and all that came of it."""

    tool: Tool
    arguments: Mapping[str, Any]
    place: str
    """World, and the calls before this one."""
    scope: Mapping[str, Any] | None
    """Arguments as SQL sees them and the `let` rows, from before the call; None where the arguments were not taken."""
    result: ToolResult | None
    """None when the call raised."""
    crash: str
    changes: Changes
    touched: Mapping[str, tuple[int, ...]]

    @property
    def value(self) -> Any:
        """The result as data."""
        return orjson.loads(self.result.content) if self.result else None


@dataclass(slots=True)
class Probe:
    """Calls tools of a domain one by one and records what each did."""

    domain: Domain
    backend: LocalBackend
    programs: dict[str, ToolProgram] = field(default_factory=dict)
    """Tools that are run in place of the domain's own (mutants)."""
    _parsers: dict[str, ArgumentParser] = field(default_factory=dict)

    @property
    def connection(self) -> Connection:
        """Of the world as it stands."""
        return self.backend.world.connection

    def program(self, tool: Tool) -> ToolProgram:
        """The tool made ready, or what stands in its place."""
        return self.programs.get(tool.name) or programs(self.domain)[tool.name]

    def observe(self, tool: Tool, arguments: Mapping[str, Any], place: str) -> Seen:
        """Call a tool on the present world; never raises for what the tool does."""
        program, world = self.program(tool), self.backend.world
        scope: dict[str, Any] | None = None
        result, crash = None, ""
        with self.recording() as recorded:
            try:
                scope = self.scope(tool, arguments)
                result = program.run(world, arguments)
            except ArgumentError:
                result = program.run(world, arguments)
            except CRASHES as error:
                crash = f"{type(error).__name__}: {error}"
        touched = {table: tuple(rows) for table, rows in world.touched.items()} if result and not result.error else {}
        return Seen(program.tool, arguments, place, scope, result, crash, recorded.changes, touched)

    def scope(self, tool: Tool, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """What a tool's statements see before its guards. Raises ArgumentError."""
        parser = self._parsers.get(tool.name)
        if parser is None:
            parser = self._parsers[tool.name] = ArgumentParser(tool)
        scope = parser.parse(arguments)
        scope["now"] = self.backend.world.now
        scope["today"] = scope["now"][:10]
        counters = dict(self.backend.world.counters)
        try:
            with self.connection.bounded():
                self.program(tool).scope(self.connection, scope)
        finally:
            self.backend.world.counters = counters
        return scope

    def recording(self) -> Recording:
        """Records the net changes made inside a `with` block."""
        return Recording(self.domain, self.connection)

    def rows(self, seen: Seen) -> dict[str, list[dict[str, Any]]]:
        """The row sets of a promise: `added_x`, `changed_x`, `removed_x`."""
        return full_rows(self.connection, self.domain, seen.changes)


class Recording:
    """The net changes made inside a `with` block."""

    def __init__(self, domain: Domain, connection: apsw.Connection) -> None:
        self.domain, self.connection = domain, connection
        self.changes: Changes = ()

    def __enter__(self) -> Recording:
        self._session = apsw.Session(self.connection, "main")
        for table in self.domain.tables:
            self._session.attach(table)
        return self

    def __exit__(self, *_: object) -> None:
        if not self._session.is_empty:
            self.changes = decode_changes(self.domain, self._session.changeset())
        self._session.close()


def sql_rows(tool: Tool, value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A result in SQL's terms: the row set `result` with its columns, and the values called `:result.column`."""
    parts = tool.program.returns
    found = [(key, r, _cells(r, value[key] if key else value)) for key, r in parts.items() if not key or isinstance(value, Mapping)]
    columns = list(dict.fromkeys(c for _, r, _ in found if r.many for c in r.columns)) or list(
        dict.fromkeys(c for _, r, _ in found for c in r.columns)
    )
    lists = [(r, rows) for _, r, rows in found if r.many] or [(r, rows) for _, r, rows in found]
    listed = [dict.fromkeys(columns) | row for _, rows in lists for row in rows]
    values: dict[str, Any] = {}
    for key, returns, rows in found:
        first = rows[0] if rows else dict.fromkeys(returns.columns)
        for column in returns.columns:
            values.setdefault(f"result__{column}", first[column])
            if key:
                values[f"result__{key}__{column}"] = first[column]
    return {"result": listed, "result_columns": columns}, values


def _cells(returns: Returns, part: Any) -> list[dict[str, Any]]:
    """The rows of one part of a result, amounts as cents and truths as 0 and 1."""
    if part is None:
        return []
    if not returns.many and returns.columns == ("value",):
        part = {"value": part}
    rows = part if returns.many else [part]
    plain = {c: shown for c, shown in zip(returns.columns, returns.shown, strict=True) if shown}
    return [{c: _plain(plain[c], v) if c in plain else v for c, v in row.items()} for row in rows]


def _plain(shown: str, value: Any) -> Any:
    if value is None:
        return None
    return round(float(value) * 100) if shown == "money" else int(value)
