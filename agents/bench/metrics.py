"""The figures of a benchmark: shares with intervals over domains, and chances over several trials.

Intervals are percentile intervals of a two-stage bootstrap: domains are drawn with replacement, and in each drawn domain its tasks, with all of
a task's trials (Davison & Hinkley, Bootstrap Methods and their Application, 1997, section 3.8; for evaluations of models see Miller, Adding Error
Bars to Evals, 2024). So they say how the share could come out on other tasks of other domains like these, and not on these tasks again. With a
handful of domains they are rough, and rather too narrow than too wide where domains differ much. Where all tasks went alike no resample differs:
then as many others as the exact binomial bound of so many tasks allows (Clopper & Pearson, 1934) are taken to have gone as far otherwise as can be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from agents.evaluation.interval import RESAMPLES, Estimate

NOTHING = Estimate(None, None, None, 0)
ALIKE = 1e-9
"""Shares, or differences of them, that lie no further apart are the same."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One task's episodes of one agent."""

    task: str
    domain: str
    right: int
    of: int
    """Episodes that were scored."""


def share(tasks: Sequence[Counted], seed: int = 0) -> Estimate:
    """The share of episodes that were right, with its interval."""
    of, right = sum(task.of for task in tasks), sum(task.right for task in tasks)
    if not of:
        return NOTHING
    scored = [task for task in tasks if task.of]
    shares = [task.right / task.of for task in scored]
    low, high = interval(shares, ((task.domain, (task.right, task.of)) for task in scored), (0.0, 1.0), seed)
    return estimate(right / of, low, high, of)


def interval(values: Sequence[float], rows: Iterable[tuple[str, Sequence[float]]], ends: tuple[float, float], seed: int) -> tuple[float, float]:
    """Where a mean over tasks could lie; `values`: what each task came to, between these ends; `rows`: its domain, and what is summed of it."""
    if max(values) - min(values) < ALIKE:
        unseen = 1 - 0.025 ** (1 / len(values))
        return (1 - unseen) * values[0] + unseen * ends[0], (1 - unseen) * values[0] + unseen * ends[1]
    totals = resampled(grouped(rows), seed)
    low, high = np.quantile(totals[:, 0] / totals[:, 1], [0.025, 0.975])
    return float(low), float(high)


def estimate(mean: float, low: float, high: float, n: int) -> Estimate:
    """An estimate, rounded as all of them are."""
    return Estimate(round(float(mean), 4), round(float(low), 4), round(float(high), 4), n)


Group = np.ndarray
"""A domain's tasks as rows of numbers to be summed; the last column is above zero."""


def grouped(tasks: Iterable[tuple[str, Sequence[float]]]) -> list[Group]:
    """Rows by their domain, in order of its name."""
    groups: dict[str, list[Sequence[float]]] = {}
    for domain, row in tasks:
        groups.setdefault(domain, []).append(row)
    return [np.array(groups[name], dtype=float) for name in sorted(groups)]


def resampled(groups: Sequence[Group], seed: int) -> np.ndarray:
    """Sums over the rows of so many resamples, one a line."""
    chance = np.random.Generator(np.random.PCG64(seed))
    drawn = chance.integers(0, len(groups), size=(RESAMPLES, len(groups)))
    totals = np.zeros((RESAMPLES, groups[0].shape[1]))
    for number, group in enumerate(groups):
        times = (drawn == number).sum(axis=1)
        for time in range(1, int(times.max(initial=0)) + 1):
            lines = np.flatnonzero(times >= time)
            rows = chance.integers(0, len(group), size=(len(lines), len(group)))
            totals[lines] += group[rows].sum(axis=1)
    return totals


def pass_at_k(n: int, c: int, k: int) -> float:
    """The chance that of k trials at least one is right, unbiased from c right ones of n (Chen et al., 2021)."""
    return 1.0 - comb(n - c, k) / comb(n, k)


def pass_hat_k(n: int, c: int, k: int) -> float:
    """The chance that all of k trials are right, unbiased from c right ones of n (Yao et al., τ-bench, 2024)."""
    return comb(c, k) / comb(n, k)


def chances(tasks: Sequence[Counted], trials: int) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """pass@k and pass^k for every k up to the trials, over the tasks with so many scored; None where there is none."""
    at: dict[str, float | None] = {}
    hat: dict[str, float | None] = {}
    for k in range(1, trials + 1):
        fitting = [task for task in tasks if task.of >= k]
        at[str(k)] = _mean([pass_at_k(task.of, task.right, k) for task in fitting])
        hat[str(k)] = _mean([pass_hat_k(task.of, task.right, k) for task in fitting])
    return at, hat


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def by(tasks: Sequence[tuple[str, Counted]]) -> dict[str, Estimate]:
    """The share of each group, in order of its name."""
    groups: dict[str, list[Counted]] = {}
    for name, counted in tasks:
        groups.setdefault(name, []).append(counted)
    return {name: share(groups[name]) for name in sorted(groups, key=_order)}


def _order(name: str) -> tuple[int, str]:
    return (int(name) if name.isdigit() else 0, name)


def as_data(estimate: Estimate) -> Mapping[str, float | int | None]:
    """As reports take it."""
    return {"mean": estimate.mean, "low": estimate.low, "high": estimate.high, "n": estimate.n}
