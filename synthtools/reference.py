"""References of a start world: which row of a table a new row points at."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field

import apsw

from synthtools.sql import tokens
from synthtools.values import Row

_BLIND = 3
"""Rows drawn by weight before those that fit are looked up."""
_PROBES = 50
_WORTH = 8
"""Drawing by weight is given up where, after so many rows drawn, fewer than one in eight fitted."""
_NEAR = 8
"""Rows that fit, from a random place on, among which one is chosen."""
_FAR = 1000
"""Rows looked at for each draw, on average and at most, where no index leads to those that fit."""
_SKEW = 0.7


@dataclass(slots=True)
class Reference:
    """Draws rows of `target` for which `where`, over row `t` and the row drawn so far, holds.

    Those that fit are sought from a random place on, in the table's order, by an index where there is one; so a draw costs about the
    same in a table of any size.
    """

    connection: apsw.Connection
    rng: random.Random
    target: str
    where: str
    constants: dict[str, str]
    ids: list[str] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    """Cumulative, one an id."""
    drawn: int = 0
    fitted: int = 0
    by_row: bool = field(init=False)
    """Whether `where` depends on the row drawn so far."""
    indexed: bool = field(init=False)
    """Whether an index leads to the rows that fit."""

    def __post_init__(self) -> None:
        binds = {token.text[1:] for token in tokens(self.where) if token.kind == "bind"}
        self.by_row = not binds <= self.constants.keys()
        sql = f'EXPLAIN QUERY PLAN SELECT 1 FROM "{self.target}" AS t WHERE {self.where}'
        plan = self.connection.execute(sql, dict.fromkeys(binds))
        self.indexed = any(detail.startswith("SEARCH t ") for *_, detail in plan)

    def weigh(self, *, dense: bool, skew: float | None) -> None:
        """Look up the rows there are and make some of them busier than others; a dense world uses half of them, evenly."""
        where = "1" if self.by_row else self.where
        ids = [row[0] for row in self.connection.execute(f'SELECT t.id FROM "{self.target}" AS t WHERE {where} ORDER BY t.id', self.constants)]
        if dense:
            self.rng.shuffle(ids)
            ids = ids[: max(3, len(ids) // 2)]
        self.rng.shuffle(ids)
        falls = 0.0 if dense else (_SKEW if skew is None else skew)
        self.ids, self.weights = ids, list(itertools.accumulate(1 / (index + 3) ** falls for index in range(len(ids))))

    def draw(self, row: Row) -> str | None:
        """A row by weight if it fits, else one that fits; None where there is none."""
        if not self.ids:
            return None
        if not self.by_row:
            return self._by_weight()
        for _ in range(_BLIND if self.drawn < _PROBES or self.fitted * _WORTH >= self.drawn else 0):
            chosen = self._by_weight()
            self.drawn += 1
            if self._found("t.id = :_id", "t.rowid", {**row, "_id": chosen}):
                self.fitted += 1
                return chosen
        return self.near(row)

    def _by_weight(self) -> str:
        return self.rng.choices(self.ids, cum_weights=self.weights)[0]

    def near(self, row: Row) -> str | None:
        """One of the rows that fit, of those there are by now; None where none is found."""
        last = self.connection.execute(f'SELECT MAX(rowid) FROM "{self.target}"').get or 0
        start = self.rng.randint(1, max(1, last))
        found = self._by_index(row, start) if self.indexed else self._by_place(row, start, last)
        return self.rng.choice(found) if found else None

    def _by_index(self, row: Row, start: int) -> list[str]:
        return self._found("1", "t.rowid < :_start, t.rowid", {**row, "_start": start})

    def _by_place(self, row: Row, start: int, last: int) -> list[str]:
        """The next rows that fit; all are looked at where that finds none, so seldom that it costs no more on average."""
        span = min(_FAR, last)
        found = self._between(row, start, start + span)
        if len(found) < _NEAR and start + span > last + 1:
            found += self._between(row, 1, start + span - last)
        if not found and self.rng.random() * last < span < last:
            found = self._between(row, 1, last + 1)
        return found

    def _between(self, row: Row, low: int, high: int) -> list[str]:
        return self._found("t.rowid >= :_low AND t.rowid < :_high", "t.rowid", {**row, "_low": low, "_high": high})

    def _found(self, place: str, order: str, row: Row) -> list[str]:
        sql = f'SELECT t.id FROM "{self.target}" AS t WHERE {place} AND ({self.where}) ORDER BY {order} LIMIT {_NEAR}'
        return [found[0] for found in self.connection.execute(sql, {**self.constants, **row})]
