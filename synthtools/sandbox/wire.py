"""What comes out of a container, taken apart strictly, else Garbled; and arguments made plain on their way in."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, cast, get_args

from synthtools.audit.report import AuditReport, Finding
from synthtools.backend import Snapshot
from synthtools.domain import Domain
from synthtools.execute import MAX_RESULT_BYTES
from synthtools.goal import Change, Changes
from synthtools.sandbox.frames import Garbled
from synthtools.tool import ErrorKind, Scalar, ToolResult

_ERRORS = frozenset(get_args(ErrorKind))
_DEEPEST = 64
_PLAIN = frozenset({bool, int, float, str, bytes, type(None)})


def plain(value: Any, depth: int = 0) -> Any:
    """The value, with anything that is not plain data replaced by `...`, which no schema takes."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if depth > _DEEPEST:
        return ...
    if kind in (list, tuple):
        return kind(plain(item, depth + 1) for item in value)
    if isinstance(value, Mapping):
        return {plain(key, depth + 1): plain(item, depth + 1) for key, item in value.items()}
    return ...


def result(parts: Any) -> ToolResult:
    """A tool's result."""
    match parts:
        case [str(content), None | str() as error, str(reason)] if len(content) <= 2 * MAX_RESULT_BYTES and len(reason) <= 200:
            if error is None or error in _ERRORS:
                return ToolResult(content, cast(ErrorKind | None, error), reason)
    raise Garbled("a result of no known shape")


def results(parts: Any, count: int) -> list[ToolResult]:
    """The results of so many calls."""
    if not isinstance(parts, list) or len(parts) != count:
        raise Garbled("a number of results that is not the number of calls")
    return [result(part) for part in parts]


def description(parts: Any) -> dict[str, Any]:
    """What a toolkit says of itself; what is in it is judged where it is used."""
    if not isinstance(parts, dict):
        raise Garbled("a description of no known shape")
    return parts


def snapshot(parts: Any, digest: str) -> Snapshot:
    """A moment of an episode."""
    match parts:
        case {
            "domain": str(domain),
            "world": int(world),
            "setup": list(setup),
            "delta": str(delta),
            "now": str(now),
            "counters": list(counters),
        } if domain == digest and all(isinstance(sql, str) for sql in setup):
            try:
                given = tuple((str(name), int(number)) for name, number in counters)
                return Snapshot(domain, world, tuple(setup), base64.b64decode(delta, validate=True), now, given)
            except (ValueError, TypeError, binascii.Error):
                pass
    raise Garbled("a snapshot of no known shape")


def changes(parts: Any, domain: Domain) -> Changes:
    """Net changes, of tables and columns that the domain has."""
    if not isinstance(parts, list):
        raise Garbled("changes that are no list")
    return tuple(_change(part, domain) for part in parts)


def _change(part: Any, domain: Domain) -> Change:
    match part:
        case {"table": str(name), "op": "insert" | "update" | "delete" as op, "key": str(key), "before": dict(before), "after": dict(after)}:
            table = domain.tables.get(name)
            known = table is not None and before.keys() | after.keys() <= table.columns.keys()
            if known or domain.toolkit is not None:  # a toolkit's state may grow tables and columns that no start shows
                return Change(name, op, key, _cells(before), _cells(after))
    raise Garbled("a change of no known shape")


def _cells(cells: dict[str, Any]) -> dict[str, Scalar]:
    if all(value is None or type(value) in (str, int, float) for value in cells.values()):
        return cells
    raise Garbled("a cell that is no plain value")


def report(parts: Any) -> AuditReport:
    """An audit's report."""
    try:
        lists = {name: tuple(Finding(**finding) for finding in parts.pop(name)) for name in ("failures", "unaudited")}
        return AuditReport(**{**parts, **lists})
    except (TypeError, AttributeError, KeyError):
        raise Garbled("a report of no known shape") from None
