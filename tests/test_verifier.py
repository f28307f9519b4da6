"""The verifier against an independent oracle: on altered episodes they agree, and a benchmark that could not see an error would be seen."""

from __future__ import annotations

import ast
import random
import sys
from functools import lru_cache
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from episode import Said  # noqa: E402
from sentences import denying, saying  # noqa: E402
from verifier import Judge, Tally, measure, measure_round  # noqa: E402

from synthtools.domain import Domain  # noqa: E402
from synthtools.goal import Changes, Ending, Goal, Judgement  # noqa: E402
from synthtools.judge import judge  # noqa: E402

DOMAIN = "marina_berths"


def tally_of(judged: Judge) -> Tally:
    """One small round with some judge."""
    return measure_round((DOMAIN, 0, 0), tasks=12, judged=judged)


@lru_cache(maxsize=1)
def measured() -> Tally:
    """One small round with the real one."""
    return tally_of(judge)


def test_no_wrong_episode_is_accepted_and_no_right_one_rejected() -> None:
    """Hundreds of altered episodes; the script's default is tens of thousands over all domains."""
    tally = measured()
    assert tally.disagreements == []
    assert tally.total("raised") == 0
    assert min(tally.total("wrong"), tally.total("right")) > 100


def test_at_least_half_is_of_kinds_that_no_gate_uses() -> None:
    """What proved the tasks does not also examine the verifier."""
    tally = measured()
    for kind in ("wrong", "right"):
        assert tally.total(kind, unseen=True) >= tally.total(kind) / 2


def accepts_all(_goal: Goal, _changes: Changes, _ending: Ending | None, _domain: Domain) -> Judgement:
    """A judge that likes everything."""
    return Judgement(True)


def overlooks_extras(goal: Goal, changes: Changes, ending: Ending | None, domain: Domain) -> Judgement:
    """A judge that sees only the rows that were to change."""
    rows = {(c.table, c.op) for a in goal.alternatives for c in a.changes}
    return judge(goal, tuple(c for c in changes if (c.table, c.op) in rows), ending, domain)


def believes_any_answer(goal: Goal, changes: Changes, ending: Ending | None, domain: Domain) -> Judgement:
    """A judge that looks at the world only."""
    found = judge(goal, changes, ending, domain)
    return Judgement(found.success or found.reason == "wrong_answer")


def forbids_lookups(goal: Goal, changes: Changes, ending: Ending | None, domain: Domain) -> Judgement:
    """A judge that wants an answer as the result shows it, and no other way."""
    found = judge(goal, changes, ending, domain)
    return Judgement(found.success and ending is not None and not isinstance(ending.answer, str))


@pytest.mark.parametrize(
    ("judged", "what"),
    [
        (accepts_all, "wrong_accepted"),
        (overlooks_extras, "wrong_accepted"),
        (believes_any_answer, "wrong_accepted"),
        (forbids_lookups, "right_rejected"),
    ],
)
def test_the_benchmark_sees_a_poor_judge(judged: Judge, what: str) -> None:
    """Each of these errors shows in the figures."""
    assert tally_of(judged).total(what) > 3


def test_the_result_does_not_depend_on_the_workers() -> None:
    """The same rounds, the same figures."""
    one, two = (measure([DOMAIN, DOMAIN], 1, 5, workers, tasks=4).result() for workers in (1, 2))
    assert one == two


def test_the_oracle_shares_no_code_with_the_judge() -> None:
    """Neither the oracle nor what it stands on, nor what writes the answers, imports the judge, or anything that does."""
    for name in ("oracle.py", "episode.py", "wordings.py", "sentences.py"):
        tree = ast.parse((BENCHMARKS / name).read_text(encoding="utf-8"))
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not imported & {"synthtools.judge", "synthtools.answer", "synthtools.hedge", "synthtools.proof", "verifier"}, name


@pytest.mark.parametrize(
    ("kind", "value"), [("number", 25), ("money", "25.50"), ("date", "2026-06-19"), ("id", "T-012"), ("ids", ["T-012", "T-013"])]
)
def test_what_an_answer_says_is_known_without_reading_it(kind: str, value: object) -> None:
    """The oracle compares values; two sentences with the same value in them may say it and deny it."""
    says = [*(Said(form, value) for form in saying(kind, value)), *(Said(form, None) for form in denying(kind, value, random.Random(0)))]
    assert {repr(said.value) for said in says} == {repr(value), "None"}
    assert len({str(said.words) for said in says}) == len(says)


@pytest.mark.parametrize("kind", ["number", "money"])
def test_a_multiple_of_zero_denies_nothing(kind: str) -> None:
    """A billion times zero is zero, so an answer of `0bn` is no wrong one."""
    assert not {"0bn", "0m", "0 million", "twice 0", "half of 0"} & set(denying(kind, 0, random.Random(0)))
    assert {"twice 3", "3bn"} & set(denying(kind, 3, random.Random(0)))
