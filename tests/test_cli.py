"""The command line: one JSON object each, clear lines for what a person can mend, and the whole way resumed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

import agents.cli
from agents.agent import SCRIPTED
from agents.cli import invoke
from agents.lock import lock
from endpoint import completion, serving
from packs import DOMAINS, small_pack
from synthtools.pack import load_pack

PACK = load_pack(small_pack())


def reply(capsys: pytest.CaptureFixture[str], *arguments: str | Path, status: int = 0) -> dict[str, Any]:
    """What a command prints with `--json`: exactly one object."""
    assert invoke([*map(str, arguments), "--json"]) == status
    data = json.loads(capsys.readouterr().out)
    assert isinstance(data, dict)
    return data


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str | Path, status: int = 2) -> str:
    """The one line that a command has against its input."""
    assert invoke([str(argument) for argument in arguments]) == status
    printed = capsys.readouterr()
    lines = [line for line in printed.err.splitlines() if line.startswith("synthtools: ")]
    assert (printed.out, len(lines)) == ("", 1)
    return lines[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the small pack by all scripted agents."""
    out = tmp_path_factory.mktemp("cli") / "run"
    assert invoke(["rollout", str(small_pack()), "--out", str(out), "--workers", "1"]) == 0
    return out


def test_every_command_has_help_and_takes_json(capsys: pytest.CaptureFixture[str]) -> None:
    """So a script can rely on it."""
    for name in agents.cli._COMMANDS:
        assert invoke([name, "--help"]) == 0
        text = capsys.readouterr().out
        assert "--json" in text
        assert f"synthtools {name}" in text


def test_help_imports_nothing_heavy() -> None:
    """`synthtools --help` needs neither gymnasium nor pydantic nor a model."""
    heavy = ("gymnasium", "pydantic", "numpy", "openai", "pyarrow")
    code = f"import sys, agents.cli; agents.cli.invoke(['--help']); print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_catalog(capsys: pytest.CaptureFixture[str]) -> None:
    """Counts, and the tree they are of; and the blueprint's schema."""
    data = reply(capsys, "catalog")
    subdomains = [subdomain for field in data["tree"] for subdomain in field["subdomains"]]
    assert (data["fields"], data["subdomains"]) == (len(data["tree"]), len(subdomains))
    assert data["tools"] == sum(len(subdomain["tools"]) for subdomain in subdomains)
    assert set(DOMAINS) <= {subdomain["name"] for subdomain in subdomains}
    assert invoke(["catalog", "--schema"]) == 0
    assert "properties" in orjson.loads(capsys.readouterr().out)


def test_generate_writes_the_same_pack_again(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Equal arguments, equal bytes, in one process or two."""
    for name, workers in (("one", "1"), ("two", "2")):
        data = reply(capsys, "generate", *DOMAINS, "--out", tmp_path / name, "--seed", "9", "--tasks-per-domain", "4", "--workers", workers)
        assert (data["domains"], data["tasks"]) == (len(DOMAINS), len(load_pack(tmp_path / name).tasks))
    one, two = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*") if path.is_file()} for name in ("one", "two")
    )
    assert one == two


def test_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    """Counts by kind and gate; one task to read, with its request and its solution."""
    data = reply(capsys, "tasks", small_pack())
    assert data["tasks"] == len(PACK.tasks) == sum(data["kinds"].values())
    assert all(isinstance(count, int) for count in data["tasks_dropped"].values())
    assert invoke(["tasks", str(small_pack()), "--show", PACK.tasks[0].id]) == 0
    text = capsys.readouterr().out
    assert PACK.tasks[0].request in text
    assert "finish(" in text


def test_rollout_resumes_and_counts(capsys: pytest.CaptureFixture[str], run: Path) -> None:
    """The keys that scripts rely on; a second time there is nothing to add."""
    data = reply(capsys, "rollout", small_pack(), "--out", run)
    assert list(data["success"]) == list(SCRIPTED)
    assert data["success"]["solution"] == 1.0
    assert data["trajectories"] == data["validated"] == len(PACK.tasks) * len(SCRIPTED)
    assert (data["added"], data["failures"]) == (0, 0)


def test_a_chat_model_is_a_settings_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Its budget stops a run without loss: status 1, and with more of it the same command goes on."""
    settings = tmp_path / "chat.yaml"
    with serving(lambda body: completion("Done.")) as (url, requests):
        settings.write_text(f"model: tiny\nurl: {url}\nbudget_tokens: 600\n")
        command = ["rollout", small_pack(), "--out", tmp_path / "run", "--agent", settings, "--workers", "1"]
        data = reply(capsys, *command, status=1)
        assert (data["added"], data["skipped"], len(requests)) == (5, len(PACK.tasks) - 5, 5)
        data = reply(capsys, *command, status=1)
        assert (data["before"], data["added"], len(requests)) == (5, 0, 5)
        settings.write_text(f"model: tiny\nurl: {url}\n")
        data = reply(capsys, *command)
    assert (data["before"], data["trajectories"], len(requests)) == (5, len(PACK.tasks), len(PACK.tasks))
    assert data["validated"] == len(PACK.tasks)
    assert list(data["success"]) == ["tiny"]


def test_an_agent_of_ones_own_is_module_and_maker(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Anything that makes an agent from the tasks."""
    data = reply(capsys, "rollout", small_pack(), "--out", tmp_path, "--agent", "packs:sound", "--workers", "1")
    assert list(data["success"]) == ["frail"]


def test_validate_tells_a_forged_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """All true at first; after a hand has been at the database, status 1 and the reasons."""
    apsw = pytest.importorskip("apsw")
    assert invoke(["rollout", str(small_pack()), "--out", str(tmp_path), "--agent", "solution", "--workers", "1"]) == 0
    capsys.readouterr()
    assert reply(capsys, "validate", tmp_path) == {"trajectories": len(PACK.tasks), "valid": len(PACK.tasks), "invalid": {}}
    database = apsw.Connection(str(tmp_path / "run.db"))
    database.execute("UPDATE trajectory SET record = replace(record, '\"reward\":1.0', '\"reward\":0.5') WHERE task = ?", (PACK.tasks[0].id,))
    database.execute("UPDATE trajectory SET success = 0 WHERE task = ?", (PACK.tasks[1].id,))
    database.close()
    assert reply(capsys, "validate", tmp_path, status=1)["invalid"] == {"record": 1, "reward": 1}


def test_export(capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path) -> None:
    """Into the run's folder, or another."""
    data = reply(capsys, "export", run)
    assert sorted(path.name for path in (run / "export").iterdir()) == sorted(data["files"])
    assert reply(capsys, "export", run, "--out", tmp_path)["files"] == data["files"]


def test_audit(capsys: pytest.CaptureFixture[str]) -> None:
    """The keys that scripts rely on; status 1 exactly when something falls short."""
    status = invoke(["audit", "marina_berths", "--quick", "--json"])
    data = json.loads(capsys.readouterr().out)
    assert {"tools", "failures", "calls", "errors_documented", "errors_reached"} <= data.keys()
    assert (status, len(data["findings"])) == (1 if data["failures"] else 0, data["failures"])


BLUEPRINT = """field: Maritime
subdomain: broken
abuot: a misspelt key
"""


def test_bad_input_is_one_line_that_names_place_and_mend(capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path) -> None:
    """Status 2, nothing on stdout, no traceback."""
    (tmp_path / "broken.yaml").write_text(BLUEPRINT)
    (tmp_path / "chat.yaml").write_text("model: tiny\ntemprature: 1\n")
    (tmp_path / "empty").mkdir()
    assert "broken.yaml:3: abuot" in complaint(capsys, "audit", tmp_path / "broken.yaml")
    assert "no subdomain of the catalogue" in complaint(capsys, "generate", "marina_births", "--out", tmp_path / "new")
    assert "no pack here" in complaint(capsys, "rollout", tmp_path / "nowhere", "--out", tmp_path / "new")
    assert str(tmp_path / "empty") in complaint(capsys, "tasks", tmp_path / "empty")
    assert "no run here" in complaint(capsys, "validate", tmp_path / "empty")
    assert "no such agent" in complaint(capsys, "rollout", small_pack(), "--out", tmp_path / "new", "--agent", "oracle")
    assert "chat.yaml: temprature: no such key; there are model," in complaint(
        capsys, "rollout", small_pack(), "--out", tmp_path / "new", "--agent", tmp_path / "chat.yaml"
    )
    assert "made with seed = 0, not 5" in complaint(capsys, "rollout", small_pack(), "--out", run, "--seed", "5")
    assert "is not empty" in complaint(capsys, "generate", "--out", run)
    assert "--seed" in complaint(capsys, "run", "--out", tmp_path / "new", "--seed", "many")
    assert "No such command" in complaint(capsys, "grow")


def test_one_agent_given_twice_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """In one line, before anything is played."""
    command = ["rollout", small_pack(), "--out", tmp_path / "new", "--agent", "finish", "--agent", "finish"]
    assert "the agent finish is given more than once" in complaint(capsys, *command)


def test_a_changed_pack_is_not_adopted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Neither at first, where nothing is left behind, nor in a run folder."""
    forged = tmp_path / "forged"
    shutil.copytree(small_pack(), forged)
    tasks = forged / "tasks.jsonl"
    tasks.write_text(tasks.read_text().replace('"request":"', '"request":"Also, ', 1))
    assert "not those of the manifest's digest" in complaint(capsys, "rollout", forged, "--out", tmp_path / "new")
    assert not (tmp_path / "new" / "pack").exists()
    assert invoke(["rollout", str(small_pack()), "--out", str(tmp_path / "run"), "--agent", "finish", "--workers", "1"]) == 0
    capsys.readouterr()
    shutil.copy(tasks, tmp_path / "run" / "pack" / "tasks.jsonl")
    for command in (
        ["rollout", small_pack(), "--out", tmp_path / "run", "--agent", "finish"],
        ["validate", tmp_path / "run"],
        ["export", tmp_path / "run"],
    ):
        assert "not those of the manifest's digest" in complaint(capsys, *command)


@pytest.mark.parametrize("command", ["run", "rollout"])
def test_two_commands_at_once_are_one_run_and_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str) -> None:
    """The second is refused while the first is at work, and leaves nothing."""
    words = {"run": ["run", "marina_berths", "--tasks-per-domain", "2"], "rollout": ["rollout", small_pack(), "--agent", "finish"]}[command]
    with lock(tmp_path):
        assert "another process is writing to this run" in complaint(capsys, *words, "--out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["run.lock"]


@pytest.mark.parametrize("command", ["run", "generate"])
def test_two_processes_at_once_are_one_success_and_one_line(tmp_path: Path, command: str) -> None:
    """Whoever comes second is told so (or comes when the first is done, and goes on), and no part of anything is left."""
    out = tmp_path / "out"
    words = [command, *DOMAINS, "--tasks-per-domain", "6", "--workers", "1", "--out", str(out)]
    code = "from agents.cli import main; main()"
    both = [subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate()[1] for process in both]
    statuses = sorted(process.returncode for process in both)
    assert statuses == [0, 2] or (command, statuses) == ("run", [0, 0])
    for text, process in zip(told, both, strict=True):
        lines = [line for line in text.splitlines() if line.startswith("synthtools: ")]
        assert len(lines) == (process.returncode == 2), text
        assert "Traceback" not in text
    assert list(tmp_path.rglob("*.part")) == []


def test_the_audit_of_a_run_is_quick_says_so_and_is_of_its_pack(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """One that lies there is taken when it is of the same pack, and made again when it is not."""
    command = ["run", "marina_berths", "--tasks-per-domain", "2", "--workers", "1", "--out", str(tmp_path)]
    assert run_reply(capsys, tmp_path, *command[1:-2])["audit"] == "quick"
    path = tmp_path / "audit.json"
    made = orjson.loads(path.read_bytes())
    for change, kept in (({"calls": 1}, True), ({"calls": 1, "pack": "other"}, False), ({"calls": 1, "audit": "whole"}, False)):
        path.write_bytes(orjson.dumps({**made, **change}))
        invoke(command)
        assert "Quick audit" in capsys.readouterr().out
        assert (orjson.loads(path.read_bytes()) == {**made, **change}) is kept
    path.write_text("{")
    invoke(command)
    assert orjson.loads(path.read_bytes()) == made


RUN_KEYS = {"audit", "fields", "domains", "tools", "audit_failures", "tasks", "tasks_dropped", "trajectories", "validated", "success", "seconds"}


def run_reply(capsys: pytest.CaptureFixture[str], out: Path, *arguments: str) -> dict[str, Any]:
    """What `run` prints; its status is 0 unless the audit found something."""
    status = invoke(["run", "--out", str(out), *arguments, "--json"])
    data: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert status == (1 if data["audit_failures"] else 0)
    return data


@pytest.mark.slow
def test_run_killed_at_any_moment_goes_on_to_the_same_end(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The whole way, undisturbed and killed again and again: equal exports; and with other arguments it refuses."""
    arguments = [*DOMAINS, "--seed", "4", "--tasks-per-domain", "6"]
    data = run_reply(capsys, tmp_path / "whole", *arguments, "--workers", "1")
    assert data.keys() >= RUN_KEYS
    assert data["success"]["solution"] == 1.0
    command = [
        sys.executable,
        "-c",
        "from agents.cli import main; main()",
        "run",
        "--out",
        str(tmp_path / "killed"),
        *arguments,
        "--workers",
        "2",
    ]
    for delay in (0.5, 2.0, 4.0, 6.0):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    again = run_reply(capsys, tmp_path / "killed", *arguments)
    assert {**again, "seconds": 0} == {**data, "seconds": 0}
    assert "made with seed = 4, not 5" in complaint(capsys, "run", "--out", tmp_path / "killed", *DOMAINS, "--seed", "5", *arguments[4:])
    invoke(["run", "--out", str(tmp_path / "whole"), *arguments])
    assert re.search(r"Success by kind and agent.*all.*100\.0 %", capsys.readouterr().out, re.DOTALL)
