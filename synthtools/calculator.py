"""Values that follow from others by SQL: one vetted query without tables, in few steps, under a clock that stands still."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

import apsw

from synthtools.connection import Connection, open_connection
from synthtools.sql import SqlError, bind, examine

_MAX_STEPS = 1_000_000
_LISTS = {"json_each", "json_tree"}
"""Table-valued functions over a value."""


@lru_cache(maxsize=4096)
def vet_derivation(sql: str) -> frozenset[str]:
    """The names that a derivation uses. Raises SqlError unless it is one expression over nothing else."""
    _, names = bind(sql)
    facts = examine(_calculator(), f"SELECT ({sql})", write=False)
    tables = {read.partition(".")[0] for read in facts.reads} - _LISTS
    if tables:
        raise SqlError(f"reads {min(tables)}, where a value follows from given values alone")
    if len(facts.columns) != 1:
        raise SqlError("gives several values where one was meant")
    return names


def calculate(sql: str, scope: Mapping[str, Any]) -> Any:
    """The value of a derivation for these values. Raises LookupError where there is none."""
    try:
        missing = vet_derivation(sql) - scope.keys()
        if missing:
            raise LookupError(f"{sql}: :{min(missing)} has no value")
        with _calculator().bounded(_MAX_STEPS):
            row = _calculator().execute(f"SELECT ({sql})", scope).fetchone()
    except (apsw.Error, SqlError, TypeError, OverflowError, UnicodeError) as error:
        raise LookupError(f"{sql}: {error}") from None
    value = row[0] if row else None
    if isinstance(value, bytes):
        raise LookupError(f"{sql}: gives bytes, where a number or a text was meant")
    return value


@cache
def _calculator() -> Connection:
    return open_connection()
