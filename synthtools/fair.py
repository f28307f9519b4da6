"""What proofs ask of a world itself, beyond its backend: which ids there are, whom descriptions fit, which policies were broken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from synthtools.backend import LocalBackend
from synthtools.domain import Domain
from synthtools.goal import Changes
from synthtools.promise import broken
from synthtools.seed import generator
from synthtools.tasks.describe import Describer, Description


class Fairness(Protocol):
    """Questions about the world of the episode that a backend stands in."""

    def ids(self, table: str) -> Sequence[str]:
        """The ids of a table, in order."""

    def fits_one(self, row: Description) -> bool:
        """Whether a description fits exactly one row."""

    def broken_policy(self, changes: Changes, calls: Sequence[tuple[str, Any, str]]) -> str:
        """The first policy that an episode's changes and calls (key, arguments, error) broke, or nothing."""


class SqlFairness:
    """Of compiled domains: SQL over the world as it stands."""

    def __init__(self, domain: Domain, backend: LocalBackend) -> None:
        self.domain, self.backend = domain, backend

    def ids(self, table: str) -> Sequence[str]:
        """The ids of a table, in order."""
        return [str(row[0]) for row in self.backend.world.connection.execute(f'SELECT id FROM "{table}" ORDER BY id')]

    def fits_one(self, row: Description) -> bool:
        """Whether a description fits exactly one row."""
        describer = Describer(self.domain, self.backend.world.connection, generator("unused"))
        return describer.count(row.entity, row.claims) == 1

    def broken_policy(self, changes: Changes, calls: Sequence[tuple[str, Any, str]]) -> str:
        """The first policy that was broken, or nothing."""
        connection = self.backend.world.connection
        return next((name for name in self.domain.policies if broken(connection, self.domain, name, changes, calls)), "")


class SampledFairness:
    """Of toolkits: what the domain shows of its start worlds. Their policies are words, which nothing here checks."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain

    def ids(self, table: str) -> Sequence[str]:
        """Some ids of a table."""
        return [key for key in self.domain.tables[table].columns["id"].choices if key]

    def fits_one(self, _row: Description) -> bool:
        """Toolkits have no descriptions of rows."""
        return False

    def broken_policy(self, _changes: Changes, _calls: Sequence[tuple[str, Any, str]]) -> str:
        """Nothing is known to be broken."""
        return ""
