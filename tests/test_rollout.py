"""Rollouts: the same in any number of processes, resumed exactly, and honest about what was lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agents.agent import SCRIPTED, scripted
from agents.dataset import export
from agents.player import GIVE_UP
from agents.rollout import Plan, Summary, rollout
from agents.run import RunError, Stored
from packs import frail, small_pack
from synthtools.pack import load_pack

PACK = load_pack(small_pack())
MAKERS = tuple(scripted(name) for name in SCRIPTED)
QUESTIONS = sum(task.kind == "question" for task in PACK.tasks)


def plan(trials: int = 1, seed: int = 1) -> Plan:
    """All scripted agents over the small pack."""
    return Plan(PACK, MAKERS, trials, seed)


def records(out: Path) -> list[tuple[object, ...]]:
    """All that a run holds, but for the timings."""
    with Stored(out) as run:
        return [(*row.key, row.success, row.valid, row.reward, row.record) for row in run.rows()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed, in one process."""
    out = tmp_path_factory.mktemp("whole")
    rollout(plan(), out)
    return out


def test_every_task_is_played_by_every_agent_and_is_valid(whole: Path) -> None:
    """One trajectory for each task and agent, all of them true."""
    found = records(whole)
    assert len(found) == len(PACK.tasks) * len(SCRIPTED)
    assert all(valid for *_, valid, _, _ in found)
    assert sum(bool(success) for _, _, agent, _, success, *_ in found if agent == "solution") == len(PACK.tasks)


def test_two_processes_give_the_same_as_one(whole: Path, tmp_path: Path) -> None:
    """Equal records and equal bytes of the export."""
    told: list[tuple[int, int]] = []
    summary = rollout(plan(), tmp_path / "run", workers=2, progress=lambda done, total: told.append((done, total)))
    total = len(PACK.tasks) * len(SCRIPTED)
    assert summary == Summary(before=0, added=total, failures=0, skipped=0)
    assert told[-1] == (total, total)
    assert records(tmp_path / "run") == records(whole)
    with Stored(whole) as one, Stored(tmp_path / "run") as two:
        assert export(one, PACK, tmp_path / "one").files == export(two, PACK, tmp_path / "two").files


def test_a_finished_run_has_nothing_left_to_do(whole: Path) -> None:
    """Going on with it adds nothing and changes nothing."""
    before = records(whole)
    assert rollout(plan(), whole) == Summary(before=len(before), added=0, failures=0, skipped=0)
    assert records(whole) == before


def test_other_plans_are_refused(whole: Path) -> None:
    """Another seed and more trials are other runs."""
    with pytest.raises(RunError, match="made with seed = 1, not 2"):
        rollout(plan(seed=2), whole)
    with pytest.raises(RunError, match="made with trials = 1, not 2"):
        rollout(plan(trials=2), whole)


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.25])
def test_kill_9_and_resume_give_what_an_undisturbed_run_gives(delay: float, whole: Path, tmp_path: Path) -> None:
    """Whenever it is killed, going on stores every trajectory once, and equal."""
    out = tmp_path / "run"
    code = f"""
import agents.run
agents.run.GROUP = 10
from pathlib import Path
from agents.agent import SCRIPTED, scripted
from agents.rollout import Plan, rollout
from synthtools.pack import load_pack
plan = Plan(load_pack({str(small_pack())!r}), tuple(scripted(name) for name in SCRIPTED), 1, 1)
rollout(plan, Path({str(out)!r}), progress=lambda done, total: print(done, flush=True))
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process, process.stdout:
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
    summary = rollout(plan(), out)
    assert summary.before + summary.added == len(PACK.tasks) * len(SCRIPTED)
    assert records(out) == records(whole)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_our_side_loses_is_counted_and_never_scored(workers: int, tmp_path: Path) -> None:
    """A broken endpoint leaves no trajectory; going on when it works makes up for it."""
    broken = rollout(Plan(PACK, (frail("endpoint"),)), tmp_path, workers=workers)
    assert broken == Summary(before=0, added=len(PACK.tasks) - QUESTIONS, failures=QUESTIONS, skipped=0)
    with Stored(tmp_path) as run:
        assert {failure.error.partition(" (")[0] for failure in run.failures()} == {"ConnectionError: the endpoint is down"}
        assert all(row.kind != "question" for row in run.rows())
    mended = rollout(Plan(PACK, (frail(""),)), tmp_path, workers=workers)
    assert mended == Summary(before=len(PACK.tasks) - QUESTIONS, added=QUESTIONS, failures=0, skipped=0)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_agent_that_cannot_be_reached_begins_no_more(workers: int, tmp_path: Path) -> None:
    """After some losses in a row the rest is left for later; the agents beside it go on, and so does the same plan."""
    makers = (frail("gone"), scripted("finish"))
    broken = rollout(Plan(PACK, makers), tmp_path, workers=workers)
    assert GIVE_UP <= broken.failures <= workers * GIVE_UP
    assert broken == Summary(before=0, added=len(PACK.tasks), failures=broken.failures, skipped=0, unbegun=len(PACK.tasks) - broken.failures)
    with Stored(tmp_path) as run:
        assert run.lost_most_by() == ("ConnectionError: nobody is there", broken.failures)
    mended = rollout(Plan(PACK, (frail(""), makers[1])), tmp_path, workers=workers)
    assert mended == Summary(before=len(PACK.tasks), added=len(PACK.tasks), failures=0, skipped=0)


def test_a_spent_budget_is_no_failure(tmp_path: Path) -> None:
    """Episodes that were not begun are skipped, and left for later."""
    summary = rollout(Plan(PACK, (frail("budget"),)), tmp_path)
    assert summary == Summary(before=0, added=len(PACK.tasks) - QUESTIONS, failures=0, skipped=QUESTIONS)


def test_a_worker_that_dies_does_not_take_the_run_with_it(tmp_path: Path) -> None:
    """Its jobs are counted as lost, another process takes over, and going on makes up for it."""
    summary = rollout(Plan(PACK, (frail("process"),)), tmp_path, workers=2)
    assert summary.failures >= 1
    with Stored(tmp_path) as run:
        assert {failure.error for failure in run.failures()} == {"the worker process ended with code -9"}
    mended = rollout(Plan(PACK, (frail(""),)), tmp_path)
    assert (mended.before + mended.added, mended.failures) == (len(PACK.tasks), 0)
