"""The run folder: every trajectory once, safe against kills, closed to other settings."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agents.budget import Spent
from agents.lock import Locked
from agents.run import Failure, Row, Run, RunError, claim
from agents.stored import Stored

SETTINGS = {"pack": "p", "seed": 1}
AGENTS = {"solution": "solution"}


def row(number: int) -> Row:
    """A made-up row; only its key matters here."""
    return Row(
        *("p", f"marina/chain/{number:04d}", "solution", 0, "marina", "train", "chain"),
        *(True, True, "", "", 1.0, 3, 0, 0, f'{{"number":{number}}}', 0.01),
    )


def test_rows_come_back_as_they_were_in_the_order_of_keys(tmp_path: Path) -> None:
    """What is added is read back equal, ordered, and once however often it was added."""
    with Run(tmp_path, SETTINGS, AGENTS) as run:
        run.add([row(2), row(0)])
        run.add([row(1), row(2)])
    with Stored(tmp_path) as stored:
        assert list(stored.rows()) == [row(0), row(1), row(2)]
        assert stored.settings == SETTINGS
        assert stored.agents == AGENTS


def test_a_run_with_equal_settings_goes_on(tmp_path: Path) -> None:
    """A second writer sees what the first stored, and adds to it."""
    with Run(tmp_path, SETTINGS, AGENTS) as run:
        run.add([row(0)])
    with Run(tmp_path, SETTINGS, AGENTS) as run:
        assert run.stored() == {row(0).key}
        run.add([row(0), row(1)])
    with Stored(tmp_path) as stored:
        assert [found.key for found in stored.rows()] == [row(0).key, row(1).key]


def test_other_settings_are_refused_in_one_line(tmp_path: Path) -> None:
    """The message names the folder, the setting and both values."""
    Run(tmp_path, SETTINGS, AGENTS).close()
    with pytest.raises(RunError) as caught:
        Run(tmp_path, {"pack": "p", "seed": 2}, AGENTS)
    assert str(caught.value) == (f"{tmp_path}: this run was made with seed = 1, not 2; give the same settings to go on with it, or another --out")


def test_a_lost_episode_is_made_up_for_by_its_trajectory(tmp_path: Path) -> None:
    """A failure stays until its trajectory is stored, and never beside it."""
    failure = Failure(*row(0).key, "OSError: gone")
    with Run(tmp_path, SETTINGS, AGENTS) as run:
        run.add([], [failure])
        assert run.lost() == 1
        run.add([row(0)])
        assert run.lost() == 0
        run.add([], [failure])
        assert run.lost() == 0
    with Stored(tmp_path) as stored:
        assert stored.failures() == []


def test_two_writers_at_once_are_refused(tmp_path: Path) -> None:
    """The second process is told that the first is writing."""
    code = f"from pathlib import Path; from agents.run import Run; Run(Path({str(tmp_path)!r}), {SETTINGS!r}, {AGENTS!r})"
    with Run(tmp_path, SETTINGS, AGENTS):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "another process is writing to this run" in done.stderr


def test_a_second_writer_in_one_process_takes_the_lock_from_nobody(tmp_path: Path) -> None:
    """It is refused, and its end leaves the first one's lock in place."""
    with Run(tmp_path, SETTINGS, AGENTS):
        for _ in range(2):
            with pytest.raises(Locked, match="another process is writing to this run"):
                Run(tmp_path, SETTINGS, AGENTS)
    Run(tmp_path, SETTINGS, AGENTS).close()


def test_what_was_spent_adds_up(tmp_path: Path) -> None:
    """Over batches and over resumptions, whether or not an episode came of it."""
    for _ in range(2):
        with Run(tmp_path, SETTINGS, AGENTS) as run:
            run.add([], spent={"solution": Spent(10, 0.5)})
            run.add([], spent={"solution": Spent(5, 0.25), "random": Spent(1)})
            run.add([])
    with Run(tmp_path, SETTINGS, AGENTS) as run:
        assert run.spent() == {"solution": Spent(30, 1.5), "random": Spent(2)}


def test_an_episode_that_was_paid_for_is_on_disk_at_once(tmp_path: Path) -> None:
    """With all that waited for others before it, while the writer is at work."""
    with Run(tmp_path, SETTINGS, AGENTS) as run, Stored(tmp_path) as stored:
        run.add([row(0)])
        assert list(stored.rows()) == []
        run.add([row(1)], spent={"solution": Spent(1)})
        assert list(stored.rows()) == [row(0), row(1)]


def test_kill_9_loses_only_the_group_that_waits(tmp_path: Path) -> None:
    """A writer killed between commits leaves whole groups behind, and the next goes on."""
    code = f"""
from pathlib import Path
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_run import AGENTS, SETTINGS, row
from agents.run import GROUP, Run
run = Run(Path({str(tmp_path)!r}), SETTINGS, AGENTS)
run.add([row(number) for number in range(GROUP)])
run.add([row(GROUP)])
print("ready", flush=True)
input()
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    with process, process.stdin, process.stdout:
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGKILL)
    with Run(tmp_path, SETTINGS, AGENTS) as run:
        assert run.stored() >= {row(number).key for number in range(500)}
        run.add([row(500)])
    with Stored(tmp_path) as stored:
        assert stored.table("SELECT COUNT(*), COUNT(DISTINCT task) FROM trajectory") == [(501, 501)]


def test_a_claim_holds_for_equal_settings_only(tmp_path: Path) -> None:
    """The first command decides; a folder with other things in it is left alone."""
    for _ in range(2):
        with claim(tmp_path / "new", {"seed": 1, "tasks_per_domain": 5}), pytest.raises(Locked, match="another process is writing"):
            claim(tmp_path / "new", {"seed": 1, "tasks_per_domain": 5})
    with pytest.raises(RunError, match="made with tasks_per_domain = 5, not 6"):
        claim(tmp_path / "new", {"seed": 1, "tasks_per_domain": 6})
    with pytest.raises(RunError, match="new: was written by another command, or another version of this one; give another --out"):
        claim(tmp_path / "new", {"suite": "smoke", "canary": "a text that stands nowhere else"})
    (tmp_path / "new" / "run.json").write_text("[")
    with pytest.raises(RunError, match="run.json: cannot be read"):
        claim(tmp_path / "new", {"seed": 1})
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(RunError, match="is not empty"):
        claim(tmp_path, {"seed": 1})
    assert not (tmp_path / "run.lock").exists()
    assert replace(row(0), success=False).key == row(0).key
