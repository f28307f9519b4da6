"""Execute one tool in one world: guards, effects in a savepoint, invariants of what was touched, the result as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

import apsw
import orjson

from synthtools.arguments import ArgumentError, ArgumentParser
from synthtools.connection import UNCOUNTED, Connection
from synthtools.domain import Domain, Invariant
from synthtools.sql import substitute
from synthtools.tool import Let, Returns, Tool, ToolResult
from synthtools.world import World

MAX_LOOPS = 5000
MAX_RESULT_BYTES = 262_144


_ROWS = 8
"""Rows fetched at once; only beyond them is it looked at how much there is already."""
_MAX_LOOP_BYTES = 1 << 24


class CallTooLarge(RuntimeError):
    """A call that goes beyond what one call may do; the backend answers it with a limit, in these words."""


class CallFailed(RuntimeError):
    """A call whose result cannot be shown: bytes, or text that is no Unicode. The tool should have guarded against it."""


class InvariantBroken(RuntimeError):
    """Our bug: a world no longer holds what a domain says always holds."""


class ToolProgram:
    """One tool made ready to run in any world of its domain."""

    __slots__ = (
        "_checks",
        "_domain",
        "_effects",
        "_for_each",
        "_guard_sql",
        "_lets",
        "_messages",
        "_new_ids",
        "_parser",
        "_plain",
        "_returns",
        "tool",
    )

    def __init__(self, domain: Domain, tool: Tool) -> None:
        program = tool.program
        self.tool = tool
        self._domain = domain
        self._parser = ArgumentParser(tool)
        self._lets = program.lets
        self._guard_sql = program.guard_sql
        names = frozenset(tool.parameters["properties"]) | {f"{let.name}__{c}" for let in program.lets for c in let.columns} | {"now", "today"}
        self._messages = tuple((g.error, tuple(substitute(g.message, names))) for g in program.guards)
        self._effects = program.effects
        self._for_each = program.for_each
        self._new_ids = program.new_ids
        self._checks = make_checks(domain, program.checks, tool.writes)
        self._returns = tuple((key, r, _renderer(r, domain.surface.money)) for key, r in program.returns.items())
        self._plain = len(self._returns) == 1 and self._returns[0][0] == ""

    def run(self, world: World, arguments: Mapping[str, Any] | str) -> ToolResult:
        """One call. The agent's mistakes come back as results; an exception is our bug."""
        try:
            scope = self._parser.parse(arguments)
        except ArgumentError as error:
            return self._error(error.kind, error.kind, error.message)
        scope["now"] = now = world.now
        scope["today"] = now[:10]
        connection = world.connection
        connection.ticks = 0
        try:
            return self._change(world, scope) if self._effects else self._read(connection, scope)
        finally:
            connection.ticks = UNCOUNTED

    def _change(self, world: World, scope: dict[str, Any]) -> ToolResult:
        connection = world.connection
        counters = world.counters.copy() if self._new_ids else None
        connection.execute("SAVEPOINT call")
        world.touched.clear()
        try:
            result = self._write(world, scope)
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK TO call")
                connection.execute("RELEASE call")
            if counters is not None:
                world.counters = counters
            raise
        if result.error is not None:
            connection.execute("ROLLBACK TO call")
            if counters is not None:
                world.counters = counters
        connection.execute("RELEASE call")
        return result

    def _read(self, connection: Connection, scope: dict[str, Any]) -> ToolResult:
        refusal = self._refusal(connection, scope)
        return refusal if refusal is not None else ToolResult(self.render(connection, scope))

    def _write(self, world: World, scope: dict[str, Any]) -> ToolResult:
        connection = world.connection
        refusal = self._refusal(connection, scope)
        if refusal is not None:
            return refusal
        try:
            self.run_effects(connection, scope)
        except apsw.ConstraintError as error:
            return self._error("refused", "constraint", _constraint(error))
        if world.touched and self._checks:
            for table, (sql, invariants) in self._checks.items():
                if table in world.touched:
                    broken = connection.execute(
                        sql, {"touched": orjson.dumps(world.touched[table]).decode(), "now": scope["now"], "today": scope["today"]}
                    ).get
                    if broken >= 0:
                        return self._error("refused", *invariants[broken])
        return ToolResult(self.render(connection, scope))

    def scope(self, connection: apsw.Connection, scope: dict[str, Any]) -> None:
        """Add the `let` rows to the scope."""
        for let in self._lets:
            _bring(connection, let, scope)

    def _refusal(self, connection: apsw.Connection, scope: dict[str, Any]) -> ToolResult | None:
        for let in self._lets:
            _bring(connection, let, scope)
        if self._guard_sql:
            failed = connection.execute(self._guard_sql, scope).get
            if failed >= 0:
                code, parts = self._messages[failed]
                message = "".join(text if kind == "text" else str(scope[text]) for kind, text in parts)
                return self._error("refused", code, message)
        return None

    def run_effects(self, connection: apsw.Connection, scope: dict[str, Any]) -> None:
        """The effects, whatever the guards say: for calls they let through, and for the audit's forced effect."""
        if self._for_each is None:
            for sql in self._effects:
                connection.execute(sql, scope)
            return
        rows = fetched(connection.execute(self._for_each.sql, scope), _MAX_LOOP_BYTES)
        if len(rows) > MAX_LOOPS:
            raise CallTooLarge("The call took more than a call may take.")
        for row in rows:
            for column, value in zip(self._for_each.columns, row, strict=True):
                scope[f"{self._for_each.name}__{column}"] = value
            for sql in self._effects:
                connection.execute(sql, scope)

    def render(self, connection: apsw.Connection, scope: dict[str, Any]) -> str:
        """The result as canonical JSON text, from the world as the effects left it. Raises CallTooLarge or CallFailed."""
        try:
            if self._plain:
                _, returns, render = self._returns[0]
                value = render(connection.execute(returns.sql, scope))
            else:
                value = {key: render(connection.execute(r.sql, scope)) for key, r, render in self._returns}
            text = orjson.dumps(value).decode()
        except (TypeError, UnicodeError) as error:
            raise CallFailed(f"{self.tool.name}: {error}") from error
        if len(text) > MAX_RESULT_BYTES:
            raise CallTooLarge(_TOO_LONG)
        return text

    def _error(self, kind: Any, code: str, message: str) -> ToolResult:
        return ToolResult(self._domain.surface.error_content(code, message), kind, code if kind == "refused" else "")


def fetched(cursor: apsw.Cursor, size: int) -> list[Any]:
    """The rows of a query, given up where they come to more than twice so many bytes of JSON. Raises CallTooLarge."""
    rows = list(islice(cursor, _ROWS))
    more, bytes_ = rows, 0
    while len(more) == _ROWS:
        bytes_ += len(orjson.dumps(more))
        if bytes_ > 2 * size:
            cursor.close(True)
            raise CallTooLarge(_TOO_LONG)
        more = list(islice(cursor, _ROWS))
        rows += more
    return rows


_TOO_LONG = "The result is too long; ask for less."


def _only(cursor: apsw.Cursor, of: str) -> Any:
    """The one row of a query, or None."""
    row = cursor.fetchone()
    if row is not None and cursor.fetchone() is not None:
        cursor.close(True)
        raise InvariantBroken(f"several rows where one was meant: {of}")
    return row


def _bring(connection: apsw.Connection, let: Let, scope: dict[str, Any]) -> None:
    name = let.name
    row = _only(connection.execute(let.sql, scope), name) or (None,) * len(let.columns)
    for column, value in zip(let.columns, row, strict=True):
        scope[f"{name}__{column}"] = value


def _constraint(error: apsw.ConstraintError) -> str:
    return "The database refused the change: " + str(error).partition(": ")[2].split(":")[0].replace("constraint failed", "a constraint failed") + "."


def _renderer(returns: Returns, money: str) -> Callable[[apsw.Cursor], Any]:
    """How the rows of a query become JSON values."""
    columns = returns.columns
    amount = _as_text if money == "text" else _as_number
    special = [(i, amount if shown == "money" else _as_truth) for i, shown in enumerate(returns.shown) if shown]

    def one(row: tuple[Any, ...]) -> dict[str, Any]:
        if special:
            cells = list(row)
            for index, show in special:
                cells[index] = show(cells[index])
            return dict(zip(columns, cells, strict=True))
        return dict(zip(columns, row, strict=True))

    if returns.many:
        return lambda cursor: [one(row) for row in fetched(cursor, MAX_RESULT_BYTES)]

    def single(cursor: apsw.Cursor) -> Any:
        row = _only(cursor, returns.sql)
        return None if row is None else one(row)

    if columns == ("value",):
        return lambda cursor: (single(cursor) or {}).get("value")
    return single


def _as_number(value: Any) -> Any:
    return None if value is None else value / 100


def _as_text(value: Any) -> Any:
    return None if value is None else f"{'-' if value < 0 else ''}{abs(value) // 100}.{abs(value) % 100:02d}"


def _as_truth(value: Any) -> Any:
    return None if value is None else bool(value)


def make_checks(domain: Domain, names: tuple[str, ...], writes: frozenset[str] | None = None) -> dict[str, tuple[str, list[tuple[str, str]]]]:
    """Table → one query over its `:touched` rows giving the number of the first invariant broken (or -1), and these invariants.

    Where the `writes` are known, tables whose rows cannot come to break an invariant by it are left out.
    """
    grouped: dict[str, list[tuple[str, tuple[str, str]]]] = {}
    for invariant in domain.invariants:
        if invariant.name in names:
            for table, near in invariant.touched.items():
                if writes is None or not writes.isdisjoint(_matters(invariant, table)):
                    sql = f"{invariant.broken} AND {near}" if near else invariant.broken
                    grouped.setdefault(table, []).append((sql, (invariant.error, invariant.message)))
    checks = {}
    for table, entries in grouped.items():
        cases = " ".join(f"WHEN EXISTS ({sql}) THEN {i}" for i, (sql, _) in enumerate(entries))
        checks[table] = (f"SELECT CASE {cases} ELSE -1 END", [meaning for _, meaning in entries])
    return checks


def _matters(invariant: Invariant, table: str) -> set[str]:
    """The writes to a table that an invariant could notice."""
    return {f"+{table}", f"-{table}", *(read for read in invariant.reads if read.startswith(f"{table}."))}
