"""Rollouts: the same in any number of processes, resumed exactly, and honest about what was lost."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import apsw
import numpy as np
import pytest

from agents.agent import SCRIPTED, finish_call, scripted
from agents.dataset import export
from agents.player import GIVE_UP
from agents.rollout import Plan, Summary, rollout
from agents.run import RunError
from agents.stored import Stored
from packs import Caller, costly, frail, small_pack
from synthtools.pack import load_pack
from synthtools.tool import ToolCall

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


def kept(out: Path) -> int:
    """How many trajectories a run holds by now; none where it has only begun to be written."""
    try:
        return len(records(out))
    except RunError:
        return 0


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
@pytest.mark.parametrize("pays", [True, False])
def test_kill_9_loses_no_episode_that_was_over_long_before(workers: int, pays: bool, tmp_path: Path) -> None:
    """While every process waits for an answer that never comes, what each finished before is on disk: at once where it was paid for."""
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from agents.rollout import Plan, rollout
from packs import stuck
from synthtools.pack import load_pack
if __name__ == "__main__":
    print("ready", flush=True)
    rollout(Plan(load_pack({str(small_pack())!r}), (stuck({pays}),)), Path({str(tmp_path)!r}), workers={workers})
"""
    (tmp_path.parent / f"{tmp_path.name}.py").write_text(code, encoding="utf-8")
    process = subprocess.Popen([sys.executable, f"{tmp_path}.py"], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    with process, process.stdout:
        process.stdout.readline()
        deadline = time.monotonic() + 60
        try:
            while time.monotonic() < deadline and kept(tmp_path) < workers:
                time.sleep(0.1)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    assert len(records(tmp_path)) == workers
    with Stored(tmp_path) as run:
        assert run.table("SELECT tokens FROM spent") == ([(workers,)] if pays else [])


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
        reason, count = run.lost_most_by()
    assert reason.startswith("ConnectionError: nobody is there (packs.py:")
    assert count == broken.failures
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


def nested(depth: int) -> list[object]:
    """A list in a list, and so on."""
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    return value


ODD: dict[str, Callable[[str], ToolCall]] = {
    "a large number": lambda name: ToolCall(name, {"page": 2**70}),
    "no number": lambda name: ToolCall(name, {"page": float("nan")}),
    "a surrogate": lambda name: ToolCall(name, {"name": "\ud800"}),
    "a surrogate in the name": lambda name: ToolCall("\ud800", {}),
    "a surrogate in the text": lambda name: ToolCall(name, '{"a":"\ud800"}'),
    "a key that is no text": lambda name: ToolCall(name, {5: 1}),  # type: ignore[dict-item]
    "a set": lambda name: ToolCall(name, {"name": {1}}),
    "a tuple": lambda name: ToolCall(name, {"name": (1, 2)}),
    "a deep list": lambda name: ToolCall(name, {"name": nested(300)}),
    "a list just too deep for a record": lambda name: ToolCall(name, {"name": nested(250)}),
    "numpy's number": lambda name: ToolCall(name, {"page": np.int64(3)}),
    "an endless answer": lambda name: finish_call(math.inf),
    "a tuple as answer": lambda name: finish_call(("a", "b")),
    "minus zero": lambda name: finish_call(-0.0),
}


@pytest.mark.parametrize("odd", ODD)
def test_whatever_is_called_is_recorded_valid_and_not_our_failure(odd: str, tmp_path: Path) -> None:
    """The agent's mistake is in its record, which is replayed to the same end."""
    pack = replace(PACK, tasks=PACK.tasks[:2])
    summary = rollout(Plan(pack, (lambda tasks: Caller(ODD[odd]),)), tmp_path)
    assert summary == Summary(before=0, added=2, failures=0, skipped=0)
    with Stored(tmp_path) as run:
        assert [(row.valid, row.verdict) for row in run.rows()] == [(True, "")] * 2


def test_one_agent_twice_is_refused(tmp_path: Path) -> None:
    """Each of its episodes would be played twice and kept once."""
    with pytest.raises(RunError, match="the agent finish is given more than once"):
        rollout(Plan(PACK, (scripted("finish"), scripted("finish"))), tmp_path)


def test_other_code_is_another_run(tmp_path: Path) -> None:
    """What played the first half does not have to play the second as well."""
    one = Plan(replace(PACK, tasks=PACK.tasks[:1]), (scripted("finish"),))
    rollout(one, tmp_path)
    with Stored(tmp_path) as run:
        assert {"synthtools", "apsw", "code"} <= run.settings["versions"].keys()
        code = run.settings["versions"]["code"]
    database = apsw.Connection(str(tmp_path / "run.db"))
    database.execute("UPDATE setting SET value = replace(value, ?, 'another') WHERE name = 'versions'", (code,))
    database.close()
    with pytest.raises(RunError, match="made with versions"):
        rollout(one, tmp_path)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_budget_is_of_the_whole_rollout(workers: int, tmp_path: Path) -> None:
    """Spent, nothing is played when resumed; with more, so many more."""
    total = len(PACK.tasks)
    first = rollout(Plan(PACK, (costly(8),)), tmp_path, workers=workers)
    assert (first.added, first.skipped) == (8, total - 8)
    again = rollout(Plan(PACK, (costly(8),)), tmp_path, workers=workers)
    assert (again.before, again.added, again.skipped) == (8, 0, total - 8)
    more = rollout(Plan(PACK, (costly(12),)), tmp_path, workers=workers)
    assert (more.before, more.added) == (8, 4)


def test_a_worker_that_dies_hands_on_what_it_has_spent(tmp_path: Path) -> None:
    """Its successor has what is left of its share, not a whole one: five for each of two, four of them spent when one dies."""
    fifth = [task.id for task in PACK.tasks if task.domain == PACK.tasks[0].domain][4]
    summary = rollout(Plan(PACK, (costly(10, fifth),)), tmp_path, workers=2)
    assert summary.failures > 0
    assert summary.added == 10


@pytest.mark.parametrize("share", [1.0, 0.7, 0.1])
def test_what_one_process_cannot_pay_for_another_does(share: float, tmp_path: Path) -> None:
    """Where the first tasks take most of the budget: it is spent before any is left, and passed by one request of each process at most."""
    first = [task.id for task in PACK.tasks if task.domain == PACK.tasks[0].domain][:4]
    costs = {task.id: 100 if task.id in first else 1 for task in PACK.tasks}
    budget = int(share * sum(costs.values()))
    summary = rollout(Plan(PACK, (costly(budget, dear=costs),)), tmp_path, workers=2)
    with Stored(tmp_path) as run:
        ((spent,),) = run.table("SELECT tokens FROM spent")
        assert spent == sum(costs[row.task] for row in run.rows())
    assert summary == Summary(before=0, added=summary.added, failures=0, skipped=len(PACK.tasks) - summary.added)
    assert budget <= spent < budget + 2 * 100
    assert summary.skipped == 0 or share < 1
    again = rollout(Plan(PACK, (costly(sum(costs.values()), dear=costs),)), tmp_path, workers=2)
    assert (again.added, again.skipped) == (summary.skipped, 0)
