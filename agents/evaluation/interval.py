"""Means with their intervals, by the bootstrap over tasks: decisions of one task are not independent of one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share, and where it could lie."""

    mean: float | None
    """None where there was nothing to count."""
    low: float | None
    """The interval holds 95 % of the resampled means."""
    high: float | None
    n: int
    """Decisions or episodes that were counted."""


Counts = Sequence[tuple[int, int]]
"""For each task: how many were right, of how many."""


def estimate(counts: Counts, seed: int = 0) -> Estimate:
    """The share of what was right, with the percentile interval over resampled tasks (Efron, 1979)."""
    right, of = np.array([pair[0] for pair in counts], dtype=float), np.array([pair[1] for pair in counts], dtype=float)
    if not of.sum():
        return Estimate(None, None, None, 0)
    low, high = np.quantile(_resampled(right, of, seed), [0.025, 0.975])
    return Estimate(round(float(right.sum() / of.sum()), 4), round(float(low), 4), round(float(high), 4), int(of.sum()))


def difference(before: Counts, after: Counts, seed: int = 0) -> Estimate:
    """How much larger the second share is, over the same tasks in the same order, resampled together."""
    sides = [(np.array([p[0] for p in counts], dtype=float), np.array([p[1] for p in counts], dtype=float)) for counts in (before, after)]
    if not all(of.sum() for _, of in sides):
        return Estimate(None, None, None, 0)
    gains = _resampled(*sides[1], seed) - _resampled(*sides[0], seed)
    low, high = np.quantile(gains, [0.025, 0.975])
    mean = sides[1][0].sum() / sides[1][1].sum() - sides[0][0].sum() / sides[0][1].sum()
    return Estimate(round(float(mean), 4), round(float(low), 4), round(float(high), 4), int(sides[1][1].sum()))


def _resampled(right: np.ndarray, of: np.ndarray, seed: int) -> np.ndarray:
    """Means over resampled tasks; resamples without anything to count are left as the whole's mean."""
    chance = np.random.Generator(np.random.PCG64(seed))
    drawn = chance.integers(0, len(of), size=(RESAMPLES, len(of)))
    totals = of[drawn].sum(axis=1)
    means = np.full(RESAMPLES, right.sum() / of.sum())
    np.divide(right[drawn].sum(axis=1), totals, out=means, where=totals > 0)
    return means
