"""Identifiers of the rows of a start world."""

from __future__ import annotations

import random
import re

from synthtools.blueprint import Entity

MAX_CODES = 10_000
"""Codes that an entity may have."""


def identifiers(entity: Entity, rng: random.Random, wanted: int) -> list[str]:
    """Identifiers of so many rows."""
    if entity.id.codes is None:
        number, ids = rng.randint(1, 40), []
        for _ in range(wanted):
            number += rng.randint(1, 3)
            ids.append(f"{entity.id.prefix or ''}{number:0{entity.id.digits}d}")
        return ids
    codes = [code for run in entity.id.codes for code in expand_codes(run)]
    rounds = range(2, wanted // max(1, len(codes)) + 2)
    return [*codes, *(f"{code}-{n}" for n in rounds for code in codes)][:wanted]


def expand_codes(run: str) -> list[str]:
    """`A1..A30` as thirty codes; a single code as itself. Raises ValueError for what is no run, or too long a one."""
    first, _, last = run.partition("..")
    if not last:
        return [first]
    start, end = re.fullmatch(r"(.*?)(\d+)", first), re.fullmatch(r"(.*?)(\d+)", last)
    if start is None or end is None or start.group(1) != end.group(1):
        raise ValueError(f"{run!r} is no run of codes: both ends need the same letters and a number")
    low, high = int(start.group(2)), int(end.group(2))
    if not low <= high < low + MAX_CODES:
        raise ValueError(f"{run!r} is no run of 1 to {MAX_CODES:,} codes; give a shorter one, the lower end first")
    width = len(start.group(2)) if start.group(2).startswith("0") else 0
    return [f"{start.group(1)}{number:0{width}d}" for number in range(low, high + 1)]
