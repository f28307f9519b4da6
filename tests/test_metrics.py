"""Estimators against brute force, intervals that cover, and tests of a difference against enumeration."""

from __future__ import annotations

from itertools import combinations, product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.bench.comparison import compare, mcnemar, permutation
from agents.bench.metrics import Counted, by, chances, pass_at_k, pass_hat_k, share


@pytest.mark.parametrize(("n", "c"), [(n, c) for n in range(1, 7) for c in range(n + 1)])
def test_chances_over_trials_are_those_of_every_draw(n: int, c: int) -> None:
    """Of all ways to draw k of n trials, the share with one right and with all right."""
    trials = [True] * c + [False] * (n - c)
    for k in range(1, n + 1):
        drawn = list(combinations(trials, k))
        assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, drawn)) / len(drawn))
        assert pass_hat_k(n, c, k) == pytest.approx(sum(map(all, drawn)) / len(drawn))


def test_chances_leave_out_tasks_with_too_few_scored_trials() -> None:
    """A task with one of two trials lost counts for k = 1 only; none left is no number."""
    tasks = [Counted("a", "x", 2, 2), Counted("b", "x", 0, 1)]
    assert chances(tasks, 3) == ({"1": 0.5, "2": 1.0, "3": None}, {"1": 0.5, "2": 1.0, "3": None})


def world(chance: np.random.Generator, domains: int, spread: float) -> list[Counted]:
    """Tasks of domains that are more or less easy, three trials each."""
    tasks = []
    for domain in range(domains):
        ease = 0.5 + spread * chance.standard_normal()
        for task in range(12):
            rate = float(np.clip(ease + 0.2 * chance.standard_normal(), 0.02, 0.98))
            tasks.append(Counted(f"{domain}/{task}", str(domain), int(chance.binomial(3, rate)), 3))
    return tasks


@pytest.mark.parametrize("spread", [0.0, 0.15])
def test_intervals_cover_the_share_of_all_such_domains(spread: float) -> None:
    """Of 200 benchmarks over 12 domains each, at least 90 % have the true share in their 95 % interval, also where domains differ much."""
    chance = np.random.Generator(np.random.PCG64(5))
    found = [share(world(chance, 12, spread), seed) for seed in range(200)]
    inside = sum(e.low <= 0.5 <= e.high for e in found if e.low is not None and e.high is not None)
    assert inside >= 180
    assert all(e.low <= e.mean <= e.high for e in found if e.mean is not None and e.low is not None and e.high is not None)


def test_intervals_over_domains_are_wider_than_over_tasks() -> None:
    """The same tasks, taken for one domain, promise too much."""
    tasks = world(np.random.Generator(np.random.PCG64(7)), 4, 0.2)
    own, alone = share(tasks), share([Counted(task.task, "one", task.right, task.of) for task in tasks])
    assert own.mean == alone.mean
    assert own.low < alone.low  # type: ignore[operator]
    assert own.high > alone.high  # type: ignore[operator]


def test_where_all_went_alike_the_interval_is_the_exact_one() -> None:
    """Ten of ten tasks right may still be a rate of 0.69: the chance of that is 2.5 %."""
    right = share([Counted(str(number), "x", 2, 2) for number in range(10)])
    wrong = share([Counted(str(number), "x", 0, 2) for number in range(10)])
    assert (right.mean, right.high, right.n, wrong.mean, wrong.low) == (1.0, 1.0, 20, 0.0, 0.0)
    assert right.low is not None
    assert right.low**10 == pytest.approx(0.025, rel=1e-2)
    assert wrong.high == pytest.approx(1 - right.low)
    assert share([]).mean is None


@given(st.integers(1, 40), st.integers(0, 4), st.integers(0, 4))
def test_where_tasks_went_alike_the_interval_leaves_room_for_others(tasks: int, one: int, two: int) -> None:
    """For so large a share of tasks of the other end as so many tasks hold none of with a chance of 2.5 %; of one task nearly any figure may come."""
    first, second = ([Counted(str(n), str(n % 3), right, 4) for n in range(tasks)] for right in (one, two))
    found, compared = share(first), compare(first, second).difference
    unseen = 1 - 0.025 ** (1 / tasks)
    assert (1 - unseen) ** tasks == pytest.approx(0.025)
    assert (found.low, found.mean, found.high) == pytest.approx((one / 4 * (1 - unseen), one / 4, one / 4 + unseen * (1 - one / 4)), abs=1e-4)
    gain = (two - one) / 4
    assert (compared.low, compared.mean, compared.high) == pytest.approx((gain - unseen * (gain + 1), gain, gain + unseen * (1 - gain)), abs=1e-4)


def test_groups_are_in_order_of_their_numbers() -> None:
    """Difficulty 10 comes after 9."""
    tasks = [(name, Counted(name, "x", 1, 2)) for name in ("10", "9", "1")]
    assert list(by(tasks)) == ["1", "9", "10"]


def test_mcnemar_is_the_share_of_splits_at_least_so_uneven() -> None:
    """Counted out over every way in which the tasks that differ could have fallen."""
    for lost, won in product(range(5), range(5)):
        n = lost + won
        splits = [abs(sum(signs)) >= abs(won - lost) for signs in product((-1, 1), repeat=n)]
        assert mcnemar(lost, won) == pytest.approx(sum(splits) / len(splits) if n else 1.0)
    assert mcnemar(0, 10) == pytest.approx(2 / 2**10)


def test_the_permutation_is_near_what_counting_out_gives() -> None:
    """Gains of 9 tasks under all 512 signs; and none where nothing differs."""
    gains = [0.5, 0.5, -0.25, 1.0, 0.0, 0.75, -0.5, 0.25, 1.0, 0.5]
    sizes = [abs(gain) for gain in gains if gain]
    signed = [abs(sum(sign * size for sign, size in zip(signs, sizes, strict=True))) for signs in product((-1, 1), repeat=len(sizes))]
    exact = sum(each >= abs(sum(gains)) - 1e-9 for each in signed) / len(signed)
    assert permutation(gains) == pytest.approx(exact, abs=0.01)
    assert permutation([0.0, 0.0]) == 1.0


def test_two_agents_are_compared_at_the_tasks_that_both_have() -> None:
    """In pairs, so that how hard a task is plays no part; one trial is McNemar's, several are permuted."""
    before = [Counted(str(n), str(n % 3), int(n < 6), 1) for n in range(20)]
    after = [Counted(str(n), str(n % 3), int(n < 12), 1) for n in range(18)]
    found = compare(before, after)
    assert (found.difference.mean, found.difference.n) == (round(6 / 18, 4), 18)
    assert found.difference.low is not None
    assert found.difference.high is not None
    assert found.difference.low < 6 / 18 < found.difference.high
    assert found.p == pytest.approx(2 / 2**6)
    several = compare([Counted(t.task, t.domain, 2 * t.right, 2) for t in before], [Counted(t.task, t.domain, 2 * t.right, 2) for t in after])
    assert several.p == pytest.approx(2 / 2**6, abs=0.01)
    assert compare(before, []).p is None
    assert compare(before, before).p == 1.0


@pytest.mark.parametrize("trials", [1, 3])
def test_p_is_seldom_small_where_agents_are_alike_in_each_domain(trials: int) -> None:
    """Of 300 pairs of agents that are equally good, in domains that differ much, about 5 % or fewer have a p below 0.05."""
    chance = np.random.Generator(np.random.PCG64(11))
    small = 0
    for _ in range(300):
        ease = {task: float(np.clip(0.5 + 0.4 * (task // 12 - 1.5) / 1.5, 0.1, 0.9)) for task in range(48)}
        one, two = ([Counted(str(t), str(t // 12), int(chance.binomial(trials, rate)), trials) for t, rate in ease.items()] for _ in range(2))
        p = compare(one, two).p
        small += p is not None and p < 0.05
    assert small <= 0.05 * 300 + 2 * (300 * 0.05 * 0.95) ** 0.5


def test_p_is_of_these_domains_and_the_interval_of_others() -> None:
    """Better at all ten tasks of one domain in five: no chance there, and of other domains it is not known."""
    tasks = [(str(n), str(n // 10)) for n in range(50)]
    found = compare([Counted(task, domain, 0, 1) for task, domain in tasks], [Counted(task, domain, int(domain == "2"), 1) for task, domain in tasks])
    assert found.p == pytest.approx(2 / 2**10, abs=1e-6)
    assert (found.difference.mean, found.difference.low) == (0.2, 0.0)


def test_binomials_are_whole() -> None:
    """More trials than are right, or than there are, make no chance."""
    assert comb(2, 3) == 0
    assert pass_hat_k(4, 1, 2) == 0.0
    assert pass_at_k(4, 3, 2) == 1.0
