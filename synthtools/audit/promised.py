"""A hand-written tool held to its `ensures`, a compiled one to the blueprint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import apsw

from synthtools.audit.expected import departures
from synthtools.audit.probe import Probe, Seen, sql_rows
from synthtools.promise import holds


def broken_promises(probe: Probe, seen: Seen) -> Iterator[str]:
    """What an accepted call does otherwise than promised."""
    if seen.tool.origin.kind != "hand":
        yield from departures(probe, seen)
        return
    if seen.scope is not None:
        yield from broken_ensures(probe, seen, seen.value, seen.scope)


def broken_ensures(probe: Probe, seen: Seen, value: Any, before: Mapping[str, Any]) -> Iterator[str]:
    """The promises that are not true of a call whose result is `value`; the world stands as the call left it."""
    if not seen.tool.ensures:
        return
    result, values = sql_rows(seen.tool, value)
    rows, scope = probe.rows(seen) | result, {**before, **values}
    for index, sql in enumerate(seen.tool.ensures):
        try:
            if not holds(probe.connection, probe.domain, sql, rows, scope):
                yield f"ensures[{index}] is not true: {' '.join(sql.split())[:160]}"
        except apsw.Error as error:
            yield f"ensures[{index}] cannot be evaluated: {error}"
