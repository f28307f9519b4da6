"""The one way to open SQLite: a frozen clock, bounded steps, values and memory, and no way out of the database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import apsw

FROZEN_JULIAN_MS = 212_588_841_600_000
"""What SQLite believes the time to be, always: no statement can read the host's clock."""
STEPS_PER_TICK = 1_000
MAX_STEPS = 40_000_000
"""A call is stopped after so many virtual-machine steps."""
MAX_VALUE_BYTES = 262_144
"""The longest text that a statement can make; no longer one could be shown."""
MAX_COLUMNS = 250
MAX_PATTERN_BYTES = 5_000
MAX_MEMORY = 1 << 27
"""Bytes by which SQLite's memory may grow within a call (sorting, temporary tables). SQLite counts them for the whole
process, so unlike steps they are no exact measure: the bound lies far beyond what a call needs."""
_LARGEST_VALUE = 1 << 30
UNCOUNTED = float("-inf")
"""The `ticks` of a connection on which what runs is our own, and has no bound."""


class _FrozenClock(apsw.VFS):
    """SQLite's own file system with a clock that stands still."""

    def __init__(self) -> None:
        super().__init__("synthtools-frozen", "")

    def xCurrentTimeInt64(self) -> int:  # noqa: N802 - SQLite's name
        return FROZEN_JULIAN_MS

    def xCurrentTime(self) -> float:  # noqa: N802 - SQLite's name
        return FROZEN_JULIAN_MS / 86_400_000


_vfs: dict[int, _FrozenClock] = {}


def _frozen_vfs() -> str:
    """Registered once a process (and again after a fork)."""
    if os.getpid() not in _vfs:
        _vfs[os.getpid()] = _FrozenClock()
    return "synthtools-frozen"


class Connection(apsw.Connection):
    """A database in memory. Whoever sets `ticks` to 0 has steps counted from there, and what takes too many interrupted.

    SQLite's own count belongs to a statement and goes on from one run of it to the next, so a tick may come early for a statement that
    has run before, never late: whatever stays within the bound would have stayed within it anywhere, and what does not is decided by
    running it again `uncached`.
    """

    ticks: float = UNCOUNTED
    max_ticks: int = MAX_STEPS // STEPS_PER_TICK
    max_memory: int = MAX_MEMORY
    _memory: int = 0

    @contextmanager
    def bounded(self, steps: int = MAX_STEPS, memory: int = MAX_MEMORY) -> Iterator[None]:
        """What runs inside is interrupted (`apsw.InterruptError`) after so many steps, or with so many bytes more in use."""
        outside = self.ticks, self.max_ticks, self.max_memory
        self.ticks, self.max_ticks, self.max_memory = 0, steps // STEPS_PER_TICK, memory
        try:
            yield
        finally:
            self.ticks, self.max_ticks, self.max_memory = outside

    @contextmanager
    def uncached(self) -> Iterator[None]:
        """Statements run inside are prepared anew each time, so that their steps are counted from zero."""
        self.execute = partial(super().execute, can_cache=False)  # type: ignore[method-assign]
        try:
            yield
        finally:
            del self.execute

    @contextmanager
    def long_values(self) -> Iterator[None]:
        """For our own statements over whole sets of rows as JSON: values may be long inside."""
        bound = self.limit(apsw.SQLITE_LIMIT_LENGTH, _LARGEST_VALUE)
        try:
            yield
        finally:
            self.limit(apsw.SQLITE_LIMIT_LENGTH, bound)

    def tick(self) -> bool:
        """Whether to stop; asked by SQLite every so many steps."""
        self.ticks = ticks = self.ticks + 1
        if ticks <= 0:
            return False
        memory = apsw.status(apsw.SQLITE_STATUS_MEMORY_USED)[0]
        if ticks == 1:
            self._memory = memory
        return ticks > self.max_ticks or memory - self._memory > self.max_memory


_LIMITS = {
    apsw.SQLITE_LIMIT_LENGTH: MAX_VALUE_BYTES,
    apsw.SQLITE_LIMIT_COLUMN: MAX_COLUMNS,
    apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: MAX_PATTERN_BYTES,
    apsw.SQLITE_LIMIT_ATTACHED: 0,
    apsw.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_SWITCHES = {
    apsw.SQLITE_DBCONFIG_DQS_DML: 0,
    apsw.SQLITE_DBCONFIG_DQS_DDL: 0,
    apsw.SQLITE_DBCONFIG_DEFENSIVE: 1,
    apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA: 0,
}


def open_connection(data: bytes = b"", *, statements: int = 512) -> Connection:
    """A database in memory, empty or with these bytes, and a cache for so many statements; none of what it is told survives a deserialize."""
    connection = Connection(":memory:", vfs=_frozen_vfs(), statementcachesize=statements)
    if data:
        connection.deserialize("main", data)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    for switch, value in _SWITCHES.items():
        connection.config(switch, value)
    for limit, value in _LIMITS.items():
        connection.limit(limit, value)
    connection.set_progress_handler(connection.tick, STEPS_PER_TICK)
    return connection
