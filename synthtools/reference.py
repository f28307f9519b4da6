"""References of a start world: which row of a table a new row points at."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field

import apsw

from synthtools.values import Row

_BLIND = 3
"""Rows drawn by weight before those that fit are looked up."""
_PROBES = 50
_WORTH = 8
"""Drawing by weight is given up where, after so many rows drawn, fewer than one in eight fitted."""
_NEAR = 8
"""Rows that fit, from a random place on, among which one is chosen."""
_SKEW = 0.7


@dataclass(slots=True)
class Reference:
    """Draws rows of `target` for which `where`, over row `t` and the row drawn so far, holds.

    Fitting rows are sought from a random place on, in the order of the table, so that a draw costs about the same in a table of any
    size; an index serves them where `where` compares an indexed column.
    """

    connection: apsw.Connection
    rng: random.Random
    target: str
    where: str
    constants: dict[str, str]
    by_row: bool
    """Whether `where` depends on the row drawn so far."""
    ids: list[str] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    """Cumulative, one an id."""
    drawn: int = 0
    fitted: int = 0

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
            if self._found("t.id = :_id", row, _id=chosen):
                self.fitted += 1
                return chosen
        return self.near(row)

    def _by_weight(self) -> str:
        return self.rng.choices(self.ids, cum_weights=self.weights)[0]

    def near(self, row: Row) -> str | None:
        """One of the rows that fit, of those there are by now; None where there is none."""
        last = self.connection.execute(f'SELECT MAX(rowid) FROM "{self.target}"').get or 0
        start = self.rng.randint(1, max(1, last))
        found = self._found("t.rowid >= :_from", row, _from=start)
        if len(found) < _NEAR:
            found += self._found("t.rowid < :_from", row, _from=start)
        return self.rng.choice(found) if found else None

    def _found(self, place: str, row: Row, **bound: str | int) -> list[str]:
        sql = f'SELECT t.id FROM "{self.target}" AS t WHERE {place} AND ({self.where}) ORDER BY t.rowid LIMIT {_NEAR}'
        return [found[0] for found in self.connection.execute(sql, {**self.constants, **row, **bound})]
