"""A run's folder, read: its settings, agents, trajectories and failures; a writer may be at work in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw
import orjson

from agents.run import Failure, Row, RunError


class Stored:
    """A run folder opened for reading; a writer may be at work in it. Raises RunError where there is no run to be read."""

    def __init__(self, folder: Path) -> None:
        path = folder / "run.db"
        if not path.is_file():
            raise RunError(f"{folder}: no run here (there is no run.db); give the --out of `synthtools bench`, `rollout` or `run`")
        self.folder = folder
        try:
            self._db = _opened(path)
            if not list(self._db.execute("SELECT 1 FROM sqlite_master")):
                raise RunError(f"{folder}: the run has only begun, and holds nothing yet; ask again in a moment")
            self.settings: dict[str, Any] = {
                name: orjson.loads(value) for name, value in self._db.execute("SELECT name, value FROM setting ORDER BY name")
            }
            self.agents: dict[str, str] = dict(self._db.execute("SELECT identity, name FROM agent ORDER BY identity"))
        except apsw.CantOpenError as error:
            raise RunError(f"{path}: cannot be opened ({error}); see that you may read it") from None
        except apsw.Error as error:
            raise RunError(f"{path}: is not a run's database: {error}") from None

    def rows(self, where: str = "TRUE") -> Iterator[Row]:
        """The trajectories ordered by key, narrowed by SQL over the table's columns."""
        query = f"SELECT * FROM trajectory WHERE {where} ORDER BY pack, task, agent, trial"
        for values in self._db.execute(query):
            yield _row(values)

    def failures(self) -> list[Failure]:
        """The episodes that were lost and not yet made up for."""
        return [Failure(*values) for values in self._db.execute("SELECT * FROM failure ORDER BY pack, task, agent, trial")]

    def lost_most_by(self) -> tuple[str, int]:
        """The most frequent error of the episodes that were lost, without its place where that is in our code, and how often it was."""
        reasons = Counter(re.sub(r" \((agents|envs|synthtools)/\S+:\d+\)$", "", failure.error) for failure in self.failures())
        return reasons.most_common(1)[0]

    def table(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of one query, for summaries."""
        return list(self._db.execute(sql))

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> Stored:
        """The stored run itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close."""
        self.close()


def _opened(path: Path) -> apsw.Connection:
    """The database; where nothing may be written beside it, as it lies there, which is whole when no journal is left."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    db.set_busy_timeout(5_000)
    try:
        list(db.execute("SELECT 1 FROM sqlite_master"))
    except (apsw.ReadOnlyError, apsw.CantOpenError):
        db.close()
        journal = path.with_name(f"{path.name}-wal")
        if journal.is_file() and journal.stat().st_size:
            raise RunError(
                f"{path.parent}: may not be written, and part of the run is in {journal.name}; copy the folder to a place of yours"
            ) from None
        return apsw.Connection(f"{path.absolute().as_uri()}?immutable=1", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    return db


def _row(values: Sequence[Any]) -> Row:
    cells = [*values]
    cells[7:9] = [bool(cell) if cell in (0, 1) else cell for cell in values[7:9]]
    return Row(*cells)
