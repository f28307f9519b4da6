"""Grades: the same from a stored run as when it was made, whatever happened on the way; what our side lost is no score."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import apsw
import pytest

from agents.agent import SCRIPTED, scripted
from agents.bench.causes import CAUSES
from agents.bench.grade import Graded, graded
from agents.cli import invoke
from agents.rollout import Plan, rollout
from agents.run import RunError
from packs import frail, small_pack
from synthtools.pack import load_pack

PACK = load_pack(small_pack())
AGENTS = ("solution", "random", "finish", "rule")
GRADE_KEYS = {
    *("success", "pass_at_k", "pass_hat_k", "by_field", "by_kind", "by_difficulty", "causes", "cost", "calls_ratio", "error_rate"),
    *("faults", "fault_recovery_rate"),
    *("recovery_rate", "hallucinated_tools", "hallucinated_arguments", "violations", "collateral", "unscored"),
}


def bench(out: Path, *more: str) -> list[str]:
    """The command line of a bench over the small pack."""
    chosen = [part for name in AGENTS for part in ("--agent", name)]
    return ["bench", *chosen, "--suite", str(small_pack()), "--split", "all", "--trials", "2", "--out", str(out), "--workers", "1", *more]


def timeless(data: dict[str, Any]) -> dict[str, Any]:
    """A grade without wall seconds."""
    bare = {**data, "cost": {**data["cost"], "seconds": 0}}
    return {**bare, "agents": {name: {**one, "cost": {**one["cost"], "seconds": 0}} for name, one in data["agents"].items()}}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bench of four agents, two trials each."""
    out = tmp_path_factory.mktemp("grade") / "run"
    assert invoke(bench(out)) == 0
    return out


@pytest.fixture(scope="module")
def grade(run: Path) -> Graded:
    """Its grade."""
    return graded(run)


def test_bench_and_regrade_say_the_same(run: Path, grade: Graded, capsys: pytest.CaptureFixture[str]) -> None:
    """Also when it is resumed with nothing left to do: every number, the seconds included."""
    capsys.readouterr()
    assert invoke(bench(run, "--json")) == 0
    resumed = json.loads(capsys.readouterr().out)
    assert invoke(["regrade", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == resumed == json.loads(json.dumps(grade.as_json()))


def test_the_object_is_the_one_that_reports_rely_on(grade: Graded) -> None:
    """Its keys, the first agent's figures at the top, and a comparison with every other agent."""
    data = grade.as_json()
    assert set(data) == GRADE_KEYS | {"suite", "trials", "agents", "compared"}
    assert set(data["suite"]) == {"name", "version", "digest", "tasks"}
    assert (data["suite"]["name"], data["suite"]["tasks"], data["trials"]) == ("pack", len(PACK.tasks), 2)
    assert list(data["agents"]) == list(AGENTS)
    for name, one in data["agents"].items():
        assert set(one) == GRADE_KEYS
        assert set(one["success"]) == {"mean", "low", "high", "n"}
        assert set(one["pass_at_k"]) == set(one["pass_hat_k"]) == {"1", "2"}
        assert one["success"]["n"] == 2 * len(PACK.tasks)
        assert sum(one["causes"].values()) == sum(not episode.success for episode in grade.of(name))
        assert set(one["causes"]) <= set(CAUSES)
        assert sum(part["n"] for part in one["by_kind"].values()) == one["success"]["n"]
    assert {key: data[key] for key in GRADE_KEYS} == data["agents"]["solution"]
    assert [(one["before"], one["after"]) for one in data["compared"]] == [("solution", name) for name in AGENTS[1:]]
    assert all(one["difference"]["mean"] < -0.8 and one["p"] < 0.001 for one in data["compared"])


def test_the_reference_is_perfect_and_invents_nothing(grade: Graded) -> None:
    """As many calls as it makes, no errors, no tools or ids made up, no policy broken, no row too many."""
    one = grade.as_json()["agents"]["solution"]
    assert (one["success"]["mean"], one["success"]["high"], one["pass_hat_k"]["2"]) == (1.0, 1.0, 1.0)
    assert (one["calls_ratio"], one["error_rate"]) == (1.0, 0.0)
    assert (one["hallucinated_tools"], one["hallucinated_arguments"], one["violations"], one["collateral"]) == (0, 0, 0, 0)
    assert (one["recovery_rate"], one["unscored"], one["causes"], one["cost"]["money"]) == (None, 0, {}, None)
    assert one["faults"] > 0
    assert one["fault_recovery_rate"] == 1.0


def test_what_random_calls_come_to_is_counted(grade: Graded) -> None:
    """Errors, ids that nobody named, none of them made up for."""
    one = grade.as_json()["agents"]["random"]
    assert one["success"]["mean"] == 0.0
    assert one["error_rate"] > 0.2
    assert one["hallucinated_arguments"] > 20
    assert one["recovery_rate"] == 0.0
    assert one["cost"]["calls"] == sum(episode.calls for episode in grade.of("random"))


def test_episodes_have_what_a_report_shows(grade: Graded) -> None:
    """By agent, in order, each with its task's kind and its cause in words."""
    assert len(grade.episodes) == 2 * len(AGENTS) * len(PACK.tasks)
    fields = {task.id: (task.field, task.kind, task.difficulty) for task in PACK.tasks}
    for episode in grade.episodes:
        assert (episode.field, episode.kind, episode.difficulty) == fields[episode.task]
        assert bool(episode.cause) == bool(episode.detail) == (not episode.success)
    assert [episode.trial for episode in grade.of("finish")[:2]] == [0, 1]


@pytest.mark.parametrize("delay", [0.0, 0.3])
def test_a_bench_that_was_killed_and_resumed_is_the_same(delay: float, grade: Graded, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """But for wall seconds."""
    out = tmp_path / "run"
    code = f"import agents.run; agents.run.GROUP = 10; from agents.cli import invoke; invoke({bench(out)!r})"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not (out / "run.db").is_file() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
    assert invoke(bench(out, "--json")) == 0
    again = json.loads(capsys.readouterr().out)
    assert timeless(again) == timeless(json.loads(json.dumps(grade.as_json())))


def test_what_our_side_loses_is_unscored_and_never_nought(tmp_path: Path) -> None:
    """Lost episodes, and those that were not begun, are counted apart; shares are of the others."""
    rollout(Plan(PACK, (frail("endpoint"), scripted("solution"))), tmp_path / "run")
    (tmp_path / "run" / "pack").symlink_to(small_pack())
    found = graded(tmp_path / "run").as_json()
    questions = sum(task.kind == "question" for task in PACK.tasks)
    assert found["agents"]["frail"]["unscored"] == questions
    assert found["agents"]["frail"]["success"]["n"] == len(PACK.tasks) - questions
    assert found["compared"][0]["difference"]["n"] == len(PACK.tasks) - questions
    assert "question" not in found["agents"]["frail"]["by_kind"]


def test_a_record_that_was_written_in_is_not_scored(run: Path, grade: Graded, tmp_path: Path) -> None:
    """Success is what carrying the calls out gives, not what the database says."""
    forged = tmp_path / "run"
    subprocess.run(["cp", "-r", str(run), str(forged)], check=True)
    database = apsw.Connection(str(forged / "run.db"))
    database.execute("UPDATE trajectory SET success = 1, record = replace(record, '\"success\":false', '\"success\":true') WHERE agent = 'finish'")
    database.execute("UPDATE trajectory SET success = 0 WHERE agent = 'solution'")
    database.close()
    found = graded(forged).as_json()["agents"]
    assert (found["finish"]["success"]["n"], found["finish"]["unscored"]) == (0, 2 * len(PACK.tasks))
    assert found["solution"]["success"] == grade.as_json()["agents"]["solution"]["success"]


def test_a_run_of_another_command_is_graded_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Under the name of its folder; without agents' episodes there is nothing to say, and it says so in numbers."""
    assert invoke(["rollout", str(small_pack()), "--out", str(tmp_path / "mine"), "--workers", "1"]) == 0
    capsys.readouterr()
    assert invoke(["regrade", str(tmp_path / "mine"), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["suite"]["name"], data["suite"]["version"]) == ("mine", 0)
    assert list(data["agents"]) == list(SCRIPTED)


def test_another_pack_is_not_taken_for_the_suite(run: Path, tmp_path: Path) -> None:
    """The run knows which tasks it is of."""
    other = tmp_path / "run"
    subprocess.run(["cp", "-r", str(run), str(other)], check=True)
    told = json.loads((other / "run.json").read_text(encoding="utf-8"))
    (other / "run.json").write_text(json.dumps({**told, "digest": "0" * 64}), encoding="utf-8")
    with pytest.raises(RunError, match="its pack holds other tasks than pack 0"):
        graded(other)
