"""Looking whether a call was carried out: a read whose result tells it, also to one who did not look before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from synthtools.task import SolutionStep, value_of
from synthtools.tasks.build import NotBuilt
from synthtools.tasks.played import Played

Rows = dict[str, dict[str, Any]]
"""Id → row as shown."""


def look_for(played: Played, index: int) -> SolutionStep:
    """A read by which one sees whether a write was carried out. Raises NotBuilt where there is none."""
    before, step = played.steps[:index], played.steps[index]
    for look in _looks(played, index):
        without, with_it = played.after((*before, look))[-1], played.after((*before, step, look))[-1]
        if with_it.error is None and _tells(played, index, _rows(without.content), _rows(with_it.content)):
            return look
    raise NotBuilt("nothing_to_look_at")


def _looks(played: Played, index: int) -> Iterator[SolutionStep]:
    """Lists of what a write adds, by what it refers to; then the things that it refers to."""
    tool, arguments = played.tool(index), played.steps[index].arguments
    referred = {name: value for name, value in arguments.items() if name in tool.refers and not isinstance(value, list)}
    tools = played.domain.tools.values()
    added = [each for each in tools if each.origin.kind == "search" and f"+{each.origin.entity}" in tool.writes]
    for search in added:
        for name, value in referred.items():
            if name in search.parameters["properties"]:
                yield SolutionStep(search.name, {name: value})
    for name, value in referred.items():
        for get in tools:
            if get.origin.kind == "get" and get.origin.entity == tool.refers[name]:
                yield SolutionStep(get.name, {get.parameters["required"][0]: value})


def _tells(played: Played, index: int, before: Rows, after: Rows) -> bool:
    """Whether what differs can be read as done or not done: a row that holds what was given, a state, a given value, or one seen before."""
    values = [value_of(value, played.results) for value in played.steps[index].arguments.values()]
    given = {_cell(value) for value in values if not isinstance(value, list)}
    enough = min(2, len(given))
    if any(len(given & set(map(_cell, row.values()))) >= enough for key, row in after.items() if key not in before):
        return True
    seen = [_rows(orjson.dumps(result)) for result in played.results[:index]]
    for key, row in after.items():
        was = before.get(key, row)
        for column in (column for column in row if row[column] != was.get(column)):
            known = any(key in rows and column in rows[key] and rows[key][column] == was.get(column) for rows in seen)
            if known or column == "state" or _cell(row[column]) in given:
                return True
    return False


def _cell(value: Any) -> str:
    """A value as text, the same however an amount is shown."""
    try:
        return f"{float(value):.2f}"
    except (TypeError, ValueError):
        return str(value)


def _rows(content: bytes | str) -> Rows:
    """Every row with an id in a result."""
    found: Rows = {}
    rest = [orjson.loads(content)]
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            rest += value.values()
            if isinstance(value.get("id"), str):
                found[value["id"]] = value
        elif isinstance(value, list):
            rest += value
    return found
