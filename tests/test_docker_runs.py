"""Runs on the docker backend: the same rows as local ones, also when the engine or the run itself is killed on the way."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.agent import scripted
from agents.cli import invoke
from agents.rollout import Plan, rollout
from agents.run import RunError
from agents.stored import Stored
from engine import engine
from packs import DOMAINS, SEED, TASKS_PER_DOMAIN, small_pack
from synthtools.pack import load_pack

pytestmark = [pytest.mark.docker, pytest.mark.slow]
ROOT = Path(__file__).parent.parent


def rows(out: Path) -> list[tuple[Any, ...]]:
    """Every trajectory of a run, without what it took."""
    with Stored(out) as stored:
        return [(row.key, row.success, row.valid, row.reward, row.record) for row in stored.rows()]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, ...]]:
    """The rows of an uninterrupted local run."""
    out = tmp_path_factory.mktemp("local") / "run"
    rollout(Plan(load_pack(small_pack()), (scripted("solution"), scripted("random"))), out)
    return rows(out)


def rolling(out: Path, **environ: str) -> subprocess.Popen[str]:
    """The command at work in a process of its own."""
    arguments = ["rollout", str(small_pack()), "--out", str(out), "--agent", "solution", "--agent", "random", "--backend", "docker"]
    code = f"import sys; from agents.cli import invoke; sys.exit(invoke({arguments!r}))"
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **environ}, stderr=subprocess.PIPE, text=True)


def stored(out: Path) -> int:
    """How many trajectories there are so far."""
    try:
        with Stored(out) as run:
            return int(run.table("SELECT COUNT(*) FROM trajectory")[0][0])
    except RunError:
        return 0  # it is just being made


def finished(process: subprocess.Popen[str]) -> int:
    """The exit status of a command that has ended."""
    process.communicate(timeout=300)
    return process.returncode


def test_a_run_in_containers_is_the_same_run(tmp_path: Path, expected: list[tuple[Any, ...]]) -> None:
    """Every record is equal to the byte, and validates there and here."""
    engine()
    assert finished(rolling(tmp_path)) == 0
    assert rows(tmp_path) == expected
    assert invoke(["validate", str(tmp_path), "--backend", "docker"]) == 0
    assert invoke(["validate", str(tmp_path)]) == 0


def test_a_run_killed_with_its_containers_goes_on(tmp_path: Path, expected: list[tuple[Any, ...]]) -> None:
    """Kill -9 of the whole process group in the middle, twice; then the same command ends with each trajectory once."""
    engine()
    for least in (1, 30):
        process = rolling(tmp_path)
        while stored(tmp_path) < least and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert finished(rolling(tmp_path)) == 0
    assert rows(tmp_path) == expected


def test_a_pack_proven_in_containers_is_the_same_pack(tmp_path: Path) -> None:
    """Every proof of every task is carried out in a container too, and the pack has the same bytes."""
    engine()
    assert (
        invoke(
            [
                "generate",
                *DOMAINS,
                "--tasks-per-domain",
                str(TASKS_PER_DOMAIN),
                "--seed",
                str(SEED),
                "--out",
                str(tmp_path / "pack"),
                "--backend",
                "docker",
            ]
        )
        == 0
    )
    for file in ("manifest.json", "tasks.jsonl"):
        assert (tmp_path / "pack" / file).read_bytes() == (small_pack() / file).read_bytes()


@pytest.fixture
def own_engine() -> Iterator[tuple[str, list[str]]]:
    """An engine of the test's own: its address, and the command that starts it."""
    engine()
    if shutil.which("dockerd") is None or os.getuid() != 0:
        if os.environ.get("SYNTHTOOLS_DOCKER") == "required":
            pytest.fail("an engine of the test's own needs dockerd and root")
        pytest.skip("an engine of the test's own needs dockerd and root")
    folder = tempfile.mkdtemp(prefix="engine-")  # a short path: its sockets have a bound of their own
    host = f"unix://{folder}/docker.sock"
    folders = ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
    yield host, ["dockerd", "--host", host, *folders, "--bridge", "none", "--iptables=false"]
    subprocess.run(["umount", "--lazy", f"{folder}/data"], capture_output=True, check=False)
    shutil.rmtree(folder, ignore_errors=True)


def start(host: str, command: list[str]) -> subprocess.Popen[bytes]:
    """Start it, and wait until it answers."""
    daemon = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while subprocess.run(["docker", "--host", host, "version"], capture_output=True, check=False).returncode:
        assert daemon.poll() is None
        assert time.monotonic() < until
        time.sleep(0.1)
    return daemon


def test_an_engine_restarted_in_the_middle(tmp_path: Path, own_engine: tuple[str, list[str]], expected: list[tuple[Any, ...]]) -> None:
    """Episodes under way become failures that are counted and not stored; the run goes on with the new engine, and resumes exactly."""
    host, command = own_engine
    daemon = start(host, command)
    try:
        out = tmp_path / "run"
        process = rolling(out, DOCKER_HOST=host)
        while stored(out) < 8 and process.poll() is None:
            time.sleep(0.02)
        assert process.poll() is None
        daemon.terminate()
        daemon.wait(60)
        daemon = start(host, command)
        status = finished(process)
        assert status in (0, 1)
        if status:
            assert finished(rolling(out, DOCKER_HOST=host)) == 0
        assert rows(out) == expected
    finally:
        daemon.terminate()
        daemon.wait(60)
