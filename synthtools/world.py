"""A world: one in-memory SQLite database with savepoints, net changes, a clock, id counters and bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import apsw

from synthtools.connection import open_connection
from synthtools.domain import Domain
from synthtools.goal import Change, Changes
from synthtools.setup import SetupError, vet_setup


@dataclass(frozen=True, slots=True)
class Image:
    """A start world, built: the database's bytes and the first free id numbers."""

    data: bytes
    counters: tuple[tuple[str, int], ...]


class World:
    """One open start world and the episode running in it."""

    __slots__ = ("_base", "_session", "connection", "counters", "domain", "now", "touched")

    def __init__(self, domain: Domain, image: Image) -> None:
        self.domain = domain
        self.connection = connection = open_connection(image.data)
        connection.create_scalar_function("new_id", self.new_id, 1)
        connection.set_update_hook(self._touch)
        self._base = dict(image.counters)
        self.counters = dict(self._base)
        self.now = domain.now
        self.touched: dict[str, list[int]] = {}
        self._session: apsw.Session | None = None
        connection.execute("SAVEPOINT episode")

    def _touch(self, _op: int, _db: str, table: str, rowid: int) -> None:
        if table in self.touched:
            self.touched[table].append(rowid)
        else:
            self.touched[table] = [rowid]

    def new_id(self, *arguments: Any) -> str:
        """The next id of an entity; a failed call gives its ids back."""
        (entity,) = arguments
        table = self.domain.tables[entity]
        number = self.counters[entity]
        self.counters[entity] = number + 1
        return f"{table.prefix}{number:0{table.digits}d}"

    def begin(self, setup: tuple[str, ...]) -> None:
        """Start an episode: the start world as built, then the set-up, then nothing has changed yet. Raises SetupError."""
        self._rewind()
        if setup:
            self._set_up(setup)
        self.touched.clear()
        self._session = session = apsw.Session(self.connection, "main")
        for name in self.domain.tables:
            session.attach(name)

    def _rewind(self) -> None:
        """Back to the start world as built."""
        if self._session is not None:
            self._session.close()
            self._session = None
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK TO episode")
        else:
            self.connection.execute("SAVEPOINT episode")
        if self.counters != self._base:
            self.counters = self._base.copy()
        self.now = self.domain.now

    def _set_up(self, setup: tuple[str, ...]) -> None:
        """Run a set-up, which may come from a stranger's file; where it is interrupted, once more with steps counted from zero."""
        try:
            self._run_setup(setup)
        except apsw.InterruptError:
            self._rewind()
            self._set_up_anew(setup)

    def _set_up_anew(self, setup: tuple[str, ...]) -> None:
        try:
            with self.connection.uncached():
                self._run_setup(setup)
        except apsw.InterruptError:
            raise SetupError("; ".join(setup), "takes more steps than a call may take") from None

    def _run_setup(self, setup: tuple[str, ...]) -> None:
        for sql in setup:
            vet_setup(self.domain, sql)
            try:
                with self.connection.bounded():
                    self.connection.execute(sql)
            except apsw.InterruptError:
                raise
            except (apsw.Error, LookupError) as error:
                raise SetupError(sql, str(error)) from None

    def apply(self, delta: bytes, now: str, counters: Mapping[str, int]) -> None:
        """Go on from a snapshot: the net change so far, the clock and the counters."""
        if delta:
            apsw.Changeset.apply(delta, self.connection)
        self.now = now or self.domain.now
        self.counters.update(counters)
        self.touched.clear()

    @property
    def untouched(self) -> bool:
        """Whether the world is as it was at the episode's start."""
        return self._session is None or self._session.is_empty or not self._session.changeset()

    def delta(self) -> bytes:
        """The net change since the episode's start, as a changeset."""
        return self._session.changeset() if self._session is not None else b""

    def changes(self) -> Changes:
        """The net change since the episode's start."""
        return decode_changes(self.domain, self.delta())

    def close(self) -> None:
        """Let go of the database; may be called twice."""
        if self._session is not None:
            self._session.close()
            self._session = None
        self.connection.close()


_OPS: dict[int, Any] = {apsw.SQLITE_INSERT: "insert", apsw.SQLITE_UPDATE: "update", apsw.SQLITE_DELETE: "delete"}


def decode_changes(domain: Domain, delta: bytes) -> Changes:
    """A changeset as sorted net changes."""
    if not delta:
        return ()
    found = []
    for entry in apsw.Changeset.iter(delta):
        old: Any = entry.old
        new: Any = entry.new
        names = tuple(domain.tables[entry.name].columns)
        op = _OPS[entry.opcode]
        if op == "insert":
            row = dict(zip(names, new, strict=True))
            found.append(Change(entry.name, op, row["id"], {}, row))
        elif op == "delete":
            row = dict(zip(names, old, strict=True))
            found.append(Change(entry.name, op, row["id"], row, {}))
        else:
            changed = [i for i, value in enumerate(new) if value is not apsw.no_change]
            after = {names[i]: new[i] for i in changed}
            found.append(Change(entry.name, op, old[0], {names[i]: old[i] for i in changed}, after))
    found.sort(key=lambda change: (change.table, change.op, change.key))
    return tuple(found)
