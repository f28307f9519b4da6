"""Set-up of a start: SQL that a task or a policy brings along, vetted against the domain's tables before it is run."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from synthtools.connection import Connection, open_connection
from synthtools.domain import Domain
from synthtools.sql import SqlError, bind, examine

_vetted: set[tuple[str, str]] = set()
"""(domain's digest, statement) of those that may run."""
_MAX_VETTED = 50_000


class SetupError(ValueError):
    """A start whose set-up cannot be run: which statement, why, and how to mend it."""

    def __init__(self, sql: str, why: str) -> None:
        super().__init__(f"set-up {sql[:80]!r}: {why}; mend the statement, or generate the task again")
        self.sql, self.why = sql, why

    def __reduce__(self) -> tuple[type[SetupError], tuple[str, str]]:
        return SetupError, (self.sql, self.why)


def vet_setup(domain: Domain, sql: str) -> None:
    """Refuse what is not exactly one change of the domain's own rows. Raises SetupError."""
    if (domain.digest, sql) in _vetted:
        return
    try:
        _, names = bind(sql)
        if names:
            raise SqlError(f":{min(names)} has no value in a set-up")
        examine(_tables(domain.digest, domain.ddl), sql, write=True)
    except SqlError as error:
        raise SetupError(sql, str(error)) from None
    if len(_vetted) >= _MAX_VETTED:
        _vetted.clear()
    _vetted.add((domain.digest, sql))


@lru_cache(maxsize=64)
def _tables(_digest: str, ddl: tuple[str, ...]) -> Connection:
    return empty_tables(ddl)


def empty_tables(ddl: tuple[str, ...]) -> Connection:
    """A domain's tables without rows: what statements are vetted against. Raises apsw.Error."""
    connection = open_connection()
    connection.create_scalar_function("new_id", _any_id, 1)
    for statement in ddl:
        connection.execute(statement)
    return connection


def _any_id(*entity: Any) -> Any:
    """Stands for `new_id` while statements are vetted."""
    return entity[0]
