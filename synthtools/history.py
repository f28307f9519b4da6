"""The past of a row at the start: what belongs to its state, and when it passed through the states before."""

from __future__ import annotations

import datetime
import random
import re

from synthtools.blueprint import Entity
from synthtools.values import Row

_MINUTE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def enter_state(row: Row, entity: Entity, now: str, rng: random.Random) -> None:
    """Empty what belongs to other states than the row's, and date the states passed through, none of them after `now`."""
    state = row["state"]
    stamps = []
    for key, spec in entity.fields.items():
        if spec.only_in and state not in spec.only_in:
            row[key] = None
        if spec.kind == "stamp":
            row[key] = None
            passed = str(spec.stamp)
            if state == passed or (state and leads(entity, passed, state) and not leads(entity, state, passed)):
                stamps.append((entity.states.index(passed), key))
    if not stamps:
        return
    moments = [v for v in row.values() if isinstance(v, str) and _MINUTE.fullmatch(v)]
    days = [v for v in row.values() if isinstance(v, str) and _DAY.fullmatch(v)]
    end = datetime.datetime.fromisoformat(now)
    earliest = [m for m in (*moments, *(f"{d}T{now[11:]}" for d in days)) if m <= now]
    start = datetime.datetime.fromisoformat(max(earliest)) if earliest else end - datetime.timedelta(days=rng.randint(1, 40))
    for _, key in sorted(stamps):
        span = max(0, int((end - start).total_seconds() // 60))
        start += datetime.timedelta(minutes=rng.randint(0, min(span, 3 * 1440)))
        row[key] = start.strftime("%Y-%m-%dT%H:%M")


def leads(entity: Entity, state: str, to: str, seen: frozenset[str] = frozenset()) -> bool:
    """Whether the lifecycle leads from one state to another."""
    following = entity.lifecycle.get(state, [])
    return to in following or any(leads(entity, s, to, seen | {state}) for s in following if s not in seen)
