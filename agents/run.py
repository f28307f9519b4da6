"""A run: a folder whose `run.db` keeps every trajectory once, whatever kills the process that writes it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import apsw
import orjson

from agents.budget import Spent
from agents.lock import NAME as LOCK
from agents.lock import lock
from agents.trajectory import Trajectory, load_trajectory
from synthtools.replacing import replacing

GROUP = 500
"""Rows of one commit: what a kill can lose."""
PATIENCE = 1.0
"""Seconds for which episodes that cost nothing are gathered where they are played, and once more where they are kept; others never wait."""

Key = tuple[str, str, str, int]
"""(pack, task, agent, trial)."""

_TABLES = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS agent (identity TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS trajectory (
  pack TEXT NOT NULL, task TEXT NOT NULL, agent TEXT NOT NULL, trial INTEGER NOT NULL,
  domain TEXT NOT NULL, split TEXT NOT NULL, kind TEXT NOT NULL,
  success INTEGER NOT NULL, valid INTEGER NOT NULL, reason TEXT NOT NULL, verdict TEXT NOT NULL,
  reward REAL, calls INTEGER NOT NULL, errors INTEGER NOT NULL, tokens INTEGER NOT NULL,
  record TEXT NOT NULL, seconds REAL NOT NULL,
  PRIMARY KEY (pack, task, agent, trial)) STRICT;
CREATE TABLE IF NOT EXISTS failure (
  pack TEXT NOT NULL, task TEXT NOT NULL, agent TEXT NOT NULL, trial INTEGER NOT NULL, error TEXT NOT NULL,
  PRIMARY KEY (pack, task, agent, trial)) STRICT;
CREATE TABLE IF NOT EXISTS spent (agent TEXT PRIMARY KEY, tokens INTEGER NOT NULL, money REAL NOT NULL) STRICT;
"""

_NOTHING: Mapping[str, Spent] = {}

_SPEND = """
INSERT INTO spent VALUES (?, ?, ?)
ON CONFLICT (agent) DO UPDATE SET tokens = tokens + excluded.tokens, money = money + excluded.money
"""

_LOSE = """
INSERT OR REPLACE INTO failure SELECT ?1, ?2, ?3, ?4, ?5
WHERE NOT EXISTS (SELECT 1 FROM trajectory WHERE pack = ?1 AND task = ?2 AND agent = ?3 AND trial = ?4)
"""


class RunError(ValueError):
    """A run folder that cannot be used as asked; the message is one line for people."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table of trajectories."""

    pack: str
    task: str
    agent: str
    trial: int
    domain: str
    split: str
    kind: str
    success: bool
    valid: bool
    reason: str
    """Why it did not succeed; empty when it did."""
    verdict: str
    """Why it is not valid; empty when it is."""
    reward: float | None
    calls: int
    errors: int
    tokens: int
    record: str
    """The trajectory as `dump_trajectory` wrote it."""
    seconds: float
    """Of playing and validating; kept apart from the record, and never exported."""

    @property
    def key(self) -> Key:
        """Its primary key."""
        return (self.pack, self.task, self.agent, self.trial)

    def trajectory(self) -> Trajectory:
        """The record, read."""
        return load_trajectory(self.record)


@dataclass(frozen=True, slots=True)
class Failure:
    """An episode that our side lost: it has no trajectory, no score, and is tried again on resuming."""

    pack: str
    task: str
    agent: str
    trial: int
    error: str


class Run:
    """The one writer of a run folder. Making it creates the folder, or goes on with one made with equal settings."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], agents: Mapping[str, str], held: IO[bytes] | None = None) -> None:
        """`held`: the folder's lock, where the caller has it. Raises Locked where somebody else has."""
        self.folder = folder
        self._lock = None if held else lock(folder)
        self._db = apsw.Connection(str(folder / "run.db"))
        self._waiting: list[tuple[Any, ...]] = []
        self._committed = time.monotonic()
        try:
            self._open(settings, agents)
        except BaseException:
            self.close()
            raise

    def _open(self, settings: Mapping[str, Any], agents: Mapping[str, str]) -> None:
        list(self._db.execute("PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"))
        with self._db:
            self._db.execute(_TABLES)
            stored = dict(self._db.execute("SELECT name, value FROM setting"))
            asked = _texts(settings)
            if stored and stored != asked:
                raise RunError(_difference(self.folder, stored, asked))
            self._db.executemany("INSERT OR IGNORE INTO setting VALUES (?, ?)", sorted(asked.items()))
            self._db.executemany("INSERT OR IGNORE INTO agent VALUES (?, ?)", sorted(agents.items()))

    def stored(self) -> set[Key]:
        """The keys of the trajectories that are safe on disk."""
        return set(self._db.execute("SELECT pack, task, agent, trial FROM trajectory"))

    def add(self, rows: Sequence[Row], failures: Sequence[Failure] = (), spent: Mapping[str, Spent] = _NOTHING) -> None:
        """Keep these; they are on disk when the group is full or has waited long enough, at `close`, and at once where anything was spent."""
        self._waiting += [_values(row) for row in rows]
        with self._db:
            self._db.executemany(_LOSE, [_failure_values(item) for item in failures])
            self._db.executemany(_SPEND, [(agent, each.tokens, each.money) for agent, each in spent.items()])
            if spent or len(self._waiting) >= GROUP or time.monotonic() - self._committed > PATIENCE:
                self.commit()

    def spent(self) -> dict[str, Spent]:
        """Spender's identity → what it has spent, whatever became of the episodes."""
        return {agent: Spent(tokens, money) for agent, tokens, money in self._db.execute("SELECT * FROM spent")}

    def lost(self) -> int:
        """How many episodes have a failure and no trajectory, once all is written."""
        self.commit()
        return len(list(self._db.execute("SELECT 1 FROM failure")))

    def commit(self) -> None:
        """Write the waiting group in one transaction."""
        if not self._waiting:
            return
        with self._db:
            self._db.executemany(f"INSERT OR IGNORE INTO trajectory VALUES ({', '.join('?' * 17)})", self._waiting)
            keys = [values[:4] for values in self._waiting]
            self._db.executemany("DELETE FROM failure WHERE pack = ? AND task = ? AND agent = ? AND trial = ?", keys)
        self._waiting.clear()
        self._committed = time.monotonic()

    def close(self) -> None:
        """Write what waits and let go of the folder; may be called twice."""
        try:
            self.commit()
        finally:
            self._db.close()
            if self._lock is not None:
                self._lock.close()

    def __enter__(self) -> Run:
        """The run itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close."""
        self.close()


def claim(folder: Path, settings: Mapping[str, Any]) -> IO[bytes]:
    """Begin a folder with these settings (kept as `run.json`), or go on in one that was begun with equal ones.

    Returns the folder's lock, to close when all is done. Raises RunError, and Locked where somebody else is at work.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "run.json"
    if not path.is_file() and any(entry.name not in (path.name, LOCK) and not entry.name.startswith(".") for entry in folder.iterdir()):
        raise RunError(f"{folder}: is not empty and holds no run.json of an earlier run; give a new folder as --out")
    held = lock(folder)
    try:
        _agree(path, settings)
    except BaseException:
        held.close()
        raise
    return held


def _agree(path: Path, settings: Mapping[str, Any]) -> None:
    """Keep the settings, or hold them against those that were kept."""
    if not path.is_file():
        with replacing(path) as file:
            file.write(orjson.dumps(dict(settings), option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE))
        return
    try:
        stored = _texts(orjson.loads(path.read_bytes()))
    except (ValueError, AttributeError) as error:
        raise RunError(f"{path}: cannot be read ({error}); give another --out") from None
    asked = _texts(settings)
    if stored.keys() != asked.keys():
        raise RunError(f"{path.parent}: was written by another command, or another version of this one; give another --out")
    if stored != asked:
        raise RunError(_difference(path.parent, stored, asked))


def _texts(settings: Mapping[str, Any]) -> dict[str, str]:
    return {name: orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode() for name, value in settings.items()}


def _difference(folder: Path, stored: Mapping[str, str], asked: Mapping[str, str]) -> str:
    name = next(name for name in sorted({*stored, *asked}) if stored.get(name) != asked.get(name))
    return (
        f"{folder}: this run was made with {name} = {stored.get(name, 'nothing')}, not {asked.get(name, 'nothing')}; "
        "give the same settings to go on with it, or another --out"
    )


def _values(row: Row) -> tuple[Any, ...]:
    return (
        *(row.pack, row.task, row.agent, row.trial, row.domain, row.split, row.kind, int(row.success), int(row.valid), row.reason),
        *(row.verdict, row.reward, row.calls, row.errors, row.tokens, row.record, row.seconds),
    )


def _failure_values(item: Failure) -> tuple[Any, ...]:
    return (item.pack, item.task, item.agent, item.trial, item.error)
