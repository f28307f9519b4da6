"""Two agents at the same tasks: how much better one is, and whether chance could have done it.

The interval and the p answer two questions. The interval says how the difference could come out on other tasks of other domains like these: it is
wide where domains differ. The p is of these domains: the chance of a difference at least so large where both agents are alike in every one of them,
for tasks that are independent of one another in their domain, as tasks drawn by a seed are. So a small p with an interval that holds 0 is no
contradiction: somewhere here one is better, and of other domains that is not known. A p over domains would need many: of four, by the signs of
their differences, it is never below 0.125.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from agents.bench.metrics import NOTHING, Counted, estimate, interval
from agents.evaluation.interval import Estimate

DRAWS = 10_000
"""Of signs, in the permutation test."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The second agent against the first."""

    difference: Estimate
    """Of their shares, over the tasks that both have scored episodes of, which are n; the interval is made as that of shares is, tasks in pairs."""
    p: float | None
    """McNemar's exact test where each task has one episode of each, else a permutation of the signs of tasks' differences; both of two sides."""


def compare(before: Sequence[Counted], after: Sequence[Counted], seed: int = 0) -> Comparison:
    """Hold two agents' tasks against one another, in pairs."""
    others: Mapping[str, Counted] = {task.task: task for task in after if task.of}
    both = [(task, others[task.task]) for task in before if task.of and task.task in others]
    if not both:
        return Comparison(NOTHING, None)
    gains = [two.right / two.of - one.right / one.of for one, two in both]
    low, high = interval(gains, ((one.domain, (gain, 1.0)) for (one, _), gain in zip(both, gains, strict=True)), (-1.0, 1.0), seed)
    single = all(one.of == two.of == 1 for one, two in both)
    p = mcnemar(sum(gain < 0 for gain in gains), sum(gain > 0 for gain in gains)) if single else permutation(gains, seed)
    return Comparison(estimate(sum(gains) / len(gains), low, high, len(gains)), round(p, 6))


def mcnemar(lost: int, won: int) -> float:
    """The chance, were both alike, of a split at least so uneven of the tasks that one did and the other did not (exact, two sides)."""
    n = lost + won
    tail = sum(comb(n, k) for k in range(min(lost, won) + 1))
    return float(min(1.0, 2 * tail / 2**n))


def permutation(gains: Sequence[float], seed: int = 0) -> float:
    """The chance, were signs as good as drawn, of a mean difference at least so far from nothing; from drawn signs, the seen ones counted in."""
    sizes = np.abs(np.array([gain for gain in gains if gain]))
    if not len(sizes):
        return 1.0
    chance = np.random.Generator(np.random.PCG64(seed))
    seen = abs(sum(gains)) - 1e-9
    extreme = sum(int((np.abs(_signs(chance, len(sizes)) @ sizes) >= seen).sum()) for _ in range(DRAWS // 100))
    return (extreme + 1) / (DRAWS + 1)


def _signs(chance: np.random.Generator, count: int) -> np.ndarray:
    """A hundred lines of drawn signs."""
    return 2.0 * chance.integers(0, 2, size=(100, count)) - 1.0
