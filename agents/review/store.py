"""The decisions of a run's reviewers, in `reviews.db` beside its `run.db`; any number of processes may have it open."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import apsw
import orjson

from agents.run import RunError

NAME = "reviews.db"
Verdict = Literal["accept", "reject"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

_TABLES = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS sample (place INTEGER PRIMARY KEY, entry TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS review (
  reviewer TEXT NOT NULL, place INTEGER NOT NULL REFERENCES sample, verdict TEXT NOT NULL CHECK (verdict IN ('accept', 'reject')),
  comment TEXT NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (reviewer, place)) STRICT;
"""
_DECIDE = """
INSERT INTO review VALUES (
  COALESCE((SELECT reviewer FROM review WHERE known_as(reviewer) = known_as(?1) ORDER BY place = ?2 DESC, rowid LIMIT 1), ?1), ?2, ?3, ?4, 1)
ON CONFLICT (reviewer, place) DO UPDATE SET verdict = ?3, comment = ?4, version = version + 1 WHERE version = ?5
RETURNING version
"""
"""One statement, so one transaction; it comes to no row where somebody has decided since version ?5. A reviewer keeps the first spelling."""
_DECISIONS = """
SELECT FIRST_VALUE(reviewer) OVER (PARTITION BY known_as(reviewer) ORDER BY rowid), place, verdict, comment, version FROM review
WHERE ?1 IS NULL OR known_as(reviewer) = known_as(?1) ORDER BY known_as(reviewer), place
"""


@dataclass(frozen=True, slots=True)
class Decision:
    """What one reviewer holds of one episode of the sample."""

    reviewer: str
    place: int
    """From 0; people are told `numbered`."""
    verdict: Verdict
    """Whether what the run says of the episode is right."""
    comment: str
    version: int
    """1 for the first decision, one more with each change; what the reviewer saw, where it is asked for."""


def known_as(name: str) -> str:
    """What a reviewer's name is known by, however its letters are written."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def numbered(place: int) -> str:
    """An episode of the sample as the page counts, which is from 1."""
    return f"episode {place + 1}"


class Changed(ValueError):
    """The decision was made on an older version than the stored one."""


class Reviews:
    """One open file, for any number of threads."""

    def __init__(self, folder: Path) -> None:
        """Raises RunError where the file is none of ours."""
        self.path = folder / NAME
        self._lock = threading.Lock()
        try:
            self._db = apsw.Connection(str(self.path))
            self._db.set_busy_timeout(10_000)
            self._db.create_scalar_function("known_as", known_as, 1, deterministic=True)  # type: ignore[arg-type]  # given names alone
            for name, value in (("journal_mode", "WAL"), ("synchronous", "FULL"), ("foreign_keys", "ON")):
                self._db.pragma(name, value)
            self._db.transaction_mode = "IMMEDIATE"
            with self._db:
                self._db.execute(_TABLES)
        except (apsw.ReadOnlyError, apsw.CantOpenError) as error:
            raise RunError(f"{folder}: nothing can be written here, where reviews are kept ({error}); copy the folder to a place of yours") from None
        except (apsw.NotADBError, apsw.SQLError) as error:
            raise RunError(f"{self.path}: is no file of reviews ({error}); move it away") from None

    def settings(self) -> dict[str, Any]:
        """How the sample was drawn; empty until it was."""
        return {name: orjson.loads(value) for name, value in self._all("SELECT name, value FROM setting ORDER BY name")}

    def begin(self, settings: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> None:
        """Keep a sample, unless another process kept one meanwhile: then that one stays."""
        with self._lock, self._db:
            if not list(self._db.execute("SELECT 1 FROM setting")):
                self._db.executemany("INSERT INTO setting VALUES (?, ?)", [(name, orjson.dumps(value).decode()) for name, value in settings.items()])
                self._db.executemany("INSERT INTO sample VALUES (?, ?)", [(place, orjson.dumps(one).decode()) for place, one in enumerate(entries)])

    def entries(self) -> list[dict[str, Any]]:
        """The episodes of the sample, in order."""
        return [orjson.loads(entry) for (entry,) in self._all("SELECT entry FROM sample ORDER BY place")]

    def decide(self, decision: Decision) -> int:
        """Keep a decision and return its version. Raises Changed, and LookupError where the sample has no such place."""
        values = (decision.reviewer, decision.place, decision.verdict, decision.comment, decision.version)
        try:
            rows = self._all(_DECIDE, values)
        except apsw.ConstraintError:
            raise LookupError(f"the sample has no {numbered(decision.place)}") from None
        if not rows:
            raise Changed(f"{decision.reviewer} has decided on {numbered(decision.place)} meanwhile")
        return int(rows[0][0])

    def decisions(self, reviewer: str | None = None) -> list[Decision]:
        """All of them, or one reviewer's, by reviewer and place."""
        return [Decision(*values) for values in self._all(_DECISIONS, (reviewer,))]

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return list(self._db.execute(sql, values))

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> Reviews:
        """Itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close."""
        self.close()
