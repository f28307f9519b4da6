"""SQL over what a call changed: the promises of tools (`ensures`) and the machine checks of policies (`broken_when`).

Both see, besides the final tables, `added_x`, `changed_x` (id, before_…, after_…) and `removed_x` rows of table x;
a promise also `result` (its rows, with `nth`, from 0) and `:result.column`; a policy also `calls` (number, name, arguments, error).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import apsw
import orjson

from synthtools.arguments import readable
from synthtools.connection import Connection
from synthtools.domain import Domain, Table
from synthtools.goal import Change
from synthtools.nearest import did_you_mean
from synthtools.source import Source
from synthtools.sql import SqlError, bind, examine, tokens
from synthtools.tool import ToolCall, ToolResult

_CALLS = ("number", "name", "arguments", "error")


def full_rows(connection: apsw.Connection, domain: Domain, changes: Iterable[Change]) -> dict[str, list[dict[str, Any]]]:
    """The rows of `added_x`, `changed_x` and `removed_x`, whole, from net changes and the world after them."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for change in changes:
        if change.op == "insert":
            rows.setdefault(f"added_{change.table}", []).append(dict(change.after))
        elif change.op == "delete":
            rows.setdefault(f"removed_{change.table}", []).append(dict(change.before))
        else:
            names = list(domain.tables[change.table].columns)
            listed = ", ".join(f'"{n}"' for n in names)
            values: Any = connection.execute(f'SELECT {listed} FROM "{change.table}" WHERE id = ?', (change.key,)).fetchone()
            after = dict(zip(names, values, strict=True))
            before = after | dict(change.before)
            row = {"id": change.key} | {f"before_{n}": before[n] for n in names} | {f"after_{n}": after[n] for n in names}
            rows.setdefault(f"changed_{change.table}", []).append(row)
    return rows


def holds(connection: Connection, domain: Domain, sql: str, rows: Mapping[str, Any], scope: Mapping[str, Any]) -> bool:
    """Whether a promise is true (null is not). `rows` may hold `result`, the result's rows, and `result_columns`, for when there are none."""
    text, values = with_rows(domain, f"SELECT ({sql})", rows, scope)
    with connection.bounded(), connection.long_values():
        return bool(connection.execute(text, values).get)


def listed(calls: Iterable[tuple[ToolCall, ToolResult]], domain: Domain) -> list[tuple[str, Any, str]]:
    """An episode's calls as policies see them: key, arguments, and the error; none where one was carried out, though its answer was lost."""
    keys = {tool.name: tool.key for tool in domain.tools.values()}
    return [
        (keys.get(call.name, call.name), readable(call.arguments), "" if result.carried_out else result.reason or str(result.error))
        for call, result in calls
    ]


def broken(connection: Connection, domain: Domain, policy: str, changes: Sequence[Change], calls: Sequence[tuple[str, Any, str]]) -> bool:
    """Whether an episode's changes and calls (name, arguments, error or "") broke a policy; the connection is at the episode's end."""
    rows: dict[str, Any] = full_rows(connection, domain, changes)
    rows["calls"] = [{"number": i, "name": n, "arguments": orjson.dumps(a).decode(), "error": e or None} for i, (n, a, e) in enumerate(calls)]
    text, values = with_rows(domain, domain.policies[policy].broken_when, rows, {"today": domain.today, "now": domain.now})
    with connection.bounded(), connection.long_values():
        return connection.execute(text, values).fetchone() is not None


def with_rows(domain: Domain, sql: str, rows: Mapping[str, Any], scope: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The statement with the row sets it names put before it, and its values."""
    result = rows.get("result") or ()
    columns = tuple(rows.get("result_columns") or (result[0] if result else ()))
    key = (domain.digest, sql, columns)
    made = _prepared.get(key)
    if made is None:
        made = _prepared[key] = _prepare(domain, sql, [dict.fromkeys(columns)])
    text, names, sets = made
    values = {name: scope.get(name) for name in names}
    values.update({f"_{name}": orjson.dumps(rows.get(name) or []).decode() for name in sets})
    return text, values


_prepared: dict[tuple[str, str, tuple[str, ...]], tuple[str, tuple[str, ...], tuple[str, ...]]] = {}
"""(domain's digest, SQL, columns of the result) → statement, the values it takes, the row sets it names."""


def _prepare(domain: Domain, sql: str, result: Sequence[Mapping[str, Any]]) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    text, names = bind(sql)
    wanted = {t.text.partition(".")[0] for t in tokens(text) if t.kind == "word"}
    sets = {name: columns for name, columns in row_sets(domain.tables, result).items() if name in wanted}
    ctes = []
    for name, columns in sets.items():
        picked = ", ".join(f"json_extract(value, '$.{c}') AS \"{c}\"" for c in columns) or "value"
        picked += ", key AS nth" if name == "result" and "nth" not in columns else ""
        ctes.append(f"{name} AS (SELECT {picked} FROM json_each(:_{name}))")
    if ctes:
        stripped = text.lstrip()
        own = re.match(r"WITH\s+(RECURSIVE\s+)?", stripped, re.IGNORECASE)
        rest = f", {stripped[own.end() :]}" if own else f" {stripped}"
        text = f"WITH RECURSIVE {', '.join(ctes)}{rest}"
    return text, tuple(sorted(names)), tuple(sets)


def row_sets(tables: Mapping[str, Table], result: Sequence[Mapping[str, Any]] = ()) -> dict[str, list[str]]:
    """Name → columns of every row set."""
    sets: dict[str, list[str]] = {"calls": list(_CALLS), "result": list(result[0]) if result else []}
    for table in tables.values():
        names = list(table.columns)
        sets[f"added_{table.name}"] = sets[f"removed_{table.name}"] = names
        sets[f"changed_{table.name}"] = ["id", *(f"before_{n}" for n in names), *(f"after_{n}" for n in names)]
    return sets


def check_promises(domain: Domain, connection: apsw.Connection, source: Source) -> None:
    """Vet every `ensures` and `broken_when`; BlueprintError at the line of what SQLite does not take."""
    for tool in domain.tools.values():
        columns = {c for r in tool.program.returns.values() for c in r.columns}
        listed = [{c: None for r in tool.program.returns.values() if r.many for c in r.columns}]
        known = set(tool.parameters["properties"]) | {"now", "today"} | {f"result__{c}" for c in columns}
        known |= {f"{let.name}__{c}" for let in tool.program.lets for c in let.columns}
        known |= {f"result__{key}__{c}" for key, r in tool.program.returns.items() for c in r.columns if key}
        for index, sql in enumerate(tool.ensures):
            place = ("tools", tool.key, "ensures", index)
            _vet(domain, connection, f"SELECT ({sql})", {"result": listed if listed[0] else [dict.fromkeys(columns)]}, known, (source, place))
    for name, policy in domain.policies.items():
        keys = {tool.key for tool in domain.tools.values()}
        if policy.tempts not in keys:
            raise source.error(("policies", name, "tempts"), f"{policy.tempts!r} is no tool; {did_you_mean(policy.tempts, keys)}")
        _vet(domain, connection, policy.broken_when, {}, {"now", "today"}, (source, ("policies", name, "broken_when")))


def _vet(domain: Domain, connection: apsw.Connection, sql: str, rows: Mapping[str, Any], known: set[str], at: tuple[Source, Any]) -> None:
    source, place = at
    try:
        _, names = bind(sql)
        unknown = sorted(names - known)
        if unknown:
            raise SqlError(f":{unknown[0].replace('__', '.')} is unknown here")
        text, _ = with_rows(domain, sql, rows, {})
        examine(connection, text, write=False)
    except SqlError as error:
        raise source.error(place, str(error)) from None
