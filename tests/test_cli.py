"""The command line: one JSON object each, clear lines for what a person can mend, and the whole way resumed."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, get_args, get_type_hints

import apsw
import orjson
import pytest

import agents.cli
from agents.agent import SCRIPTED
from agents.cli import invoke, reasons
from agents.cli.output import pace, program, progress
from agents.cli.tasks import print_made
from agents.lock import lock
from endpoint import completion, serving
from envs.transcript import write_goal
from packs import DOMAINS, small_pack
from shed import SOUND
from synthtools.catalog import catalog as load_catalog
from synthtools.goal import Judgement
from synthtools.pack import load_pack
from synthtools.proof import GATES

PACK = load_pack(small_pack())
ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "retail" / "retail.py"


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
    asked = sum(1 if task.user is None else task.user.patience + 1 for task in PACK.tasks)  # words to a user end nothing until it has left
    assert (data["before"], data["trajectories"], len(requests)) == (5, len(PACK.tasks), asked)
    assert data["validated"] == len(PACK.tasks)
    assert list(data["success"]) == ["tiny"]


def test_an_agent_of_ones_own_is_module_and_maker(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Anything that makes an agent from the tasks."""
    data = reply(capsys, "rollout", small_pack(), "--out", tmp_path, "--agent", "packs:sound", "--workers", "1")
    assert list(data["success"]) == ["frail"]


OWN = """
from agents.agent import ConstantAgent

class Mine:
    name = identity = "mine"

    def begin(self, opening):
        self.inner = ConstantAgent("mine", "impossible")
        self.inner.begin(opening)

    def act(self, observations):
        return self.inner.act(observations)

class Mute:
    name = identity = "mute"

    def begin(self, opening):
        self.opening = opening

def make(tasks): return Mine()
def nothing(tasks): return None
def mute(tasks): return Mute()
def blind(): return Mine()
thing = 3
"""


def test_a_module_beside_the_caller_is_found_and_its_class_is_a_maker(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed command looks where it is called from, in its workers too; a class needs no function around it."""
    (tmp_path / "own_agent.py").write_text(OWN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    for number, (name, workers) in enumerate((("make", "1"), ("Mine", "1"), ("Mine", "2"))):
        data = reply(capsys, "rollout", small_pack(), "--out", tmp_path / str(number), "--agent", f"own_agent:{name}", "--workers", workers)
        assert (list(data["success"]), data["trajectories"]) == (["mine"], len(PACK.tasks))
    for name, words in (
        ("nothing", "NoneType is no agent: it has no name, identity, begin, act"),
        ("mute", "Mute is no agent: it has no act"),
        ("blind", "cannot be called with the tasks"),
        ("thing", "is not a function or class"),
        ("other", "has no attribute 'other'"),
    ):
        assert words in complaint(capsys, "rollout", small_pack(), "--out", tmp_path / name, "--agent", f"own_agent:{name}", "--workers", "1")


def test_without_docker_nothing_begins(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where tools need a container and docker's package is not here, one line says so, and what could do without; no folder is left."""
    assert invoke(["generate", str(EXAMPLE), "--trust", "--out", str(tmp_path / "pack")]) == 0
    printed = capsys.readouterr().out
    assert f"rollout {tmp_path / 'pack'} --trust --out runs/first" in printed
    monkeypatch.setitem(sys.modules, "docker", None)
    told, new = "synthtools: the docker backend needs the docker package: pip install 'synthtools[docker]'", ["--out", tmp_path / "new"]
    mend = "; or give --trust if you know the toolkit's code, which then runs in this process"
    assert complaint(capsys, "rollout", tmp_path / "pack", *new) == told + mend
    assert complaint(capsys, "bench", "--agent", "rule", "--suite", tmp_path / "pack", "--split", "all", *new) == told + mend
    assert complaint(capsys, "audit", EXAMPLE) == told + mend
    assert complaint(capsys, "rollout", small_pack(), "--backend", "docker", *new) == told
    assert complaint(capsys, "bench", "--suite", small_pack(), "--split", "all", "--backend", "docker", *new) == told
    assert complaint(capsys, "generate", "marina_berths", "--backend", "docker", *new) == told
    assert complaint(capsys, "run", "marina_berths", "--backend", "docker", *new) == told
    assert not (tmp_path / "new").exists()


BROKEN = {
    "syntax": ("x = 1\ndef f(:\n", "the module broken_syntax cannot be imported: SyntaxError: invalid syntax (broken_syntax.py:2)"),
    "name": ("x = 1\n\ny = z\n", "the module broken_name cannot be imported: NameError: name 'z' is not defined (broken_name.py:3)"),
    "lacking": (
        "import no_such_thing\n",
        "the module broken_lacking cannot be imported: ModuleNotFoundError: No module named 'no_such_thing' (broken_lacking.py:1)",
    ),
    "exit": ("raise SystemExit(3)\n", "the module broken_exit cannot be imported: SystemExit: 3 (broken_exit.py:1)"),
    "making": ("import json\nclass A:\n    def __init__(self):\n        json.loads('')\n", "cannot be made: JSONDecodeError: "),
    "gone": ("", "the module broken_gone has no attribute 'A'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_module_of_ones_own_that_breaks_is_one_line(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the error's type, its words, and the file and line in the person's own code, not in what that calls."""
    text, told = BROKEN[name]
    (tmp_path / f"broken_{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    line = complaint(capsys, "rollout", small_pack(), "--out", tmp_path / "new", "--agent", f"broken_{name}:A", "--workers", "1")
    assert line.startswith(f"synthtools: --agent broken_{name}:A: {told}")
    assert line.endswith("(broken_making.py:4)") == (name == "making")


LOST = """
import json

class Oops:
    name = identity = "oops"

    def begin(self, opening): ...

    def act(self, observations):
        return json.loads("")

class Three(Oops):
    def act(self, observations):
        return 3

class Nothing(Oops):
    def act(self, observations): ...
"""


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Oops", "JSONDecodeError: Expecting value: line 1 column 1 (char 0) (lost_agent.py:10)"),
        ("Three", "TypeError: act returned an int, not a Turn"),
        ("Nothing", "TypeError: act returned None, not a Turn"),
    ],
)
def test_what_an_agent_of_ones_own_raises_has_its_place(
    name: str, told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line in the person's own code, and one reason for one fault, however many episodes it takes."""
    (tmp_path / "lost_agent.py").write_text(LOST, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert invoke(["rollout", str(small_pack()), "--out", str(tmp_path / "run"), "--agent", f"lost_agent:{name}", "--workers", "1"]) == 1
    count = len(PACK.tasks)
    assert f"{count} episodes broke off and left no trajectory, {count} of them by {told};" in capsys.readouterr().err


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


def test_an_export_of_nothing_writes_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Where no trajectory is good enough, no empty file is left, and none of before is replaced."""
    assert invoke(["rollout", str(small_pack()), "--out", str(tmp_path / "run"), "--agent", "random", "--workers", "1"]) == 0
    database = apsw.Connection(str(tmp_path / "run" / "run.db"))
    database.execute("DELETE FROM trajectory WHERE success")
    database.close()
    capsys.readouterr()
    assert "no trajectory is valid, successful and of the train split" in complaint(capsys, "export", tmp_path / "run", status=1)
    assert not (tmp_path / "run" / "export").exists()


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
    (tmp_path / "empty").mkdir()
    assert "broken.yaml:3: abuot" in complaint(capsys, "audit", tmp_path / "broken.yaml")
    assert "no subdomain of the catalogue" in complaint(capsys, "generate", "marina_births", "--out", tmp_path / "new")
    assert "no pack here" in complaint(capsys, "rollout", tmp_path / "nowhere", "--out", tmp_path / "new")
    assert str(tmp_path / "empty") in complaint(capsys, "tasks", tmp_path / "empty")
    assert "no run here" in complaint(capsys, "validate", tmp_path / "empty")
    assert "no such agent" in complaint(capsys, "rollout", small_pack(), "--out", tmp_path / "new", "--agent", "oracle")
    for text, told in (
        ("model: tiny\ntemprature: 1\n", "temprature: no such key; did you mean 'temperature'?"),
        ("modle: tiny\n", "modle: no such key; did you mean 'model'?"),
        ("comand: python x.py\n", "comand: no such key; did you mean 'command'?"),
        (SOUND, "field: no such key; there are: "),
    ):
        (tmp_path / "chat.yaml").write_text(text)
        for option in ("--agent", "--user")[: 1 + ("comand" not in text)]:
            assert f"chat.yaml: {told}" in complaint(capsys, "rollout", small_pack(), "--out", tmp_path / "new", option, tmp_path / "chat.yaml")
    told = "chat.yaml: field: no such key; there are: about, canary, "
    assert told in complaint(capsys, "bench", "--out", tmp_path / "new", "--agent", "rule", "--suite", tmp_path / "chat.yaml")
    for command in (["tasks", tmp_path / "chat.yaml"], ["rollout", tmp_path / "chat.yaml", "--out", tmp_path / "new"]):
        assert "chat.yaml: is a file, and a pack is a folder; give the one that" in complaint(capsys, *command)
    assert "made with seed = 0, not 5" in complaint(capsys, "rollout", small_pack(), "--out", run, "--seed", "5")
    assert "is not empty" in complaint(capsys, "generate", "--out", run)
    assert "--seed" in complaint(capsys, "run", "--out", tmp_path / "new", "--seed", "many")
    assert "No such command" in complaint(capsys, "grow")
    assert not (tmp_path / "new").exists()


def test_a_file_that_is_not_utf8_or_cannot_be_read_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blueprints, tasks, settings and suites alike, at the line of the byte; and nothing is said of an --out where there is none."""
    monkeypatch.chdir(tmp_path)
    Path("latin.yaml").write_bytes("tasks:\n# Café\n".encode("latin-1"))
    told = "latin.yaml:2: cannot be read: the byte 0xe9 is not UTF-8; save the file as UTF-8"
    for command in (
        ["audit", "latin.yaml"],
        ["generate", EXAMPLE, "--trust", "--tasks", "latin.yaml", "--out", "new"],
        ["bench", "--agent", "latin.yaml", "--out", "new"],
        ["bench", "--agent", "rule", "--suite", "latin.yaml", "--out", "new"],
    ):
        assert complaint(capsys, *command) == f"synthtools: {told}"
    assert complaint(capsys, "audit", "/proc/self/mem") == "synthtools: /proc/self/mem:1: cannot be read: Input/output error"


@pytest.mark.parametrize("command", [["audit"], ["run", "--out", "new"], ["generate", "--out", "new"]], ids=lambda command: command[0])
def test_a_mistyped_name_gets_the_likely_one_and_claims_nothing(
    command: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint is the same everywhere, and the folder is free for the corrected command."""
    monkeypatch.chdir(tmp_path)
    assert "did you mean marina_berths?" in complaint(capsys, *command, "marina_berth")
    assert list(tmp_path.iterdir()) == []


def test_one_subdomain_has_one_source(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Two blueprints of one name would write over each other."""
    (tmp_path / "one.yaml").write_text(SOUND)
    (tmp_path / "two.yaml").write_text(SOUND)
    assert "a second source of" in complaint(capsys, "run", tmp_path / "one.yaml", tmp_path / "two.yaml", "--out", tmp_path / "new")


UNWRITABLE = [
    ["run", "marina_berths"],
    ["generate", "marina_berths"],
    ["rollout", str(small_pack())],
    ["export", "RUN"],
]


@pytest.mark.parametrize("command", UNWRITABLE, ids=lambda command: command[0])
@pytest.mark.parametrize("out", ["/proc/x/y", "/dev/null/x"])
def test_a_folder_that_cannot_be_written_is_one_line(command: list[str], out: str, capsys: pytest.CaptureFixture[str], run: Path) -> None:
    """Whatever the command, before it does any work."""
    assert f"--out {out}: cannot be written" in complaint(capsys, *(str(run) if word == "RUN" else word for word in command), "--out", out)


@pytest.mark.parametrize(
    "command", [["generate", "marina_berths", "--tasks-per-domain", "3"], ["rollout", str(small_pack())]], ids=["generate", "rollout"]
)
def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(
    command: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status 1, no traceback, and no part of a pack."""

    def full(*anything: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    monkeypatch.setattr("shutil.copyfile", full)
    assert invoke([*command, "--out", str(tmp_path / "new"), "--workers", "1"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("synthtools: the disk: No space left on device; nothing is left half-written")
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size] == []


def test_an_error_that_is_no_disks_is_seen_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours is never dressed up as one of the machine's."""
    monkeypatch.setattr("synthtools.pack.load_pack", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        invoke(["tasks", "anything"])


def test_a_run_of_an_edited_blueprint_is_another_run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder keeps its old result and says so; put back, the blueprint is the run's again."""
    monkeypatch.chdir(tmp_path)
    path, command = tmp_path / "ed.yaml", ["run", "ed.yaml", "--out", "out", "--tasks-per-domain", "3", "--workers", "1"]
    path.write_text(SOUND)
    first = reply(capsys, *command)
    path.write_text(SOUND.replace("rows: ", "rows: 1", 1))
    assert complaint(capsys, *command) == "synthtools: ed.yaml changed since this run was made; give another --out"
    path.write_text(SOUND)
    assert {**reply(capsys, *command), "seconds": 0} == {**first, "seconds": 0}


@pytest.mark.parametrize("columns", [80, 120])
def test_the_summary_of_a_run_is_short_and_fits(
    columns: int, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Totals, three causes in words, how thorough the audit was, and what next; no name of ours and no line that breaks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", str(columns))
    assert invoke(["run", "marina_berths", "--out", "r", "--tasks-per-domain", "20", "--workers", "1"]) == 0
    text = capsys.readouterr().out
    assert len(text.splitlines()) < 45
    assert max(map(len, text.splitlines())) <= columns
    assert "_" not in re.sub(r"marina_berths\S*", "", text)
    assert text.count("could not be built here") <= 3
    joined = " ".join(text.split())
    assert "were wanted of each domain" not in joined
    print_made(load_pack(Path("r/pack")), 400)
    assert "400 were wanted of each domain, but marina_berths gave" in " ".join(capsys.readouterr().out.split())
    assert "`synthtools audit r` is the whole one" in joined
    shown = text[text.index("What next") :].splitlines()[1:4]
    assert [line.split("synthtools ")[1].split()[0] for line in shown] == ["tasks", "tasks", "rollout"]
    assert invoke(["tasks", "r"]) == 0
    table = capsys.readouterr().out
    assert "could not be built here" in table
    assert "not_built" not in table


MUTE = """\
field: Quiet
subdomain: mute
about: Things that nobody has words for.
today: 2026-01-05
entities:
  thing: {id: {prefix: T-, digits: 3}, rows: 20, fields: {name: person}, offers: [search, get]}
"""


def test_a_run_without_tasks_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Of things that nobody has words for there is nothing to ask: status 1, and what to do."""
    (tmp_path / "mute.yaml").write_text(MUTE)
    assert invoke(["run", str(tmp_path / "mute.yaml"), "--out", str(tmp_path / "r"), "--tasks-per-domain", "1", "--workers", "1"]) == 1
    assert "no task could be proven; ask for more" in capsys.readouterr().err
    assert "no such task; the pack holds none" in complaint(capsys, "tasks", tmp_path / "r", "--show", "any")


def test_a_hint_is_a_command_that_works_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the command is not on the PATH it is named as it was called."""
    monkeypatch.setattr("sys.argv", [".venv/bin/synthtools", "run"])
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert program() == ".venv/bin/synthtools"
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/synthtools")
    assert program() == "synthtools"


def test_every_reason_has_words() -> None:
    """What a person reads is never a name in the code."""
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "synthtools" / "tasks").rglob("*.py"))
    assert set(GATES) | {"difficulty", "alike"} == set(reasons.GATES)
    assert set(re.findall(r'NotBuilt\("(\w+)"\)', sources)) == set(reasons.NOT_BUILT)
    assert {reason for reason in get_args(get_type_hints(Judgement)["reason"]) if reason} == set(reasons.FAULTS)
    assert reasons.gate_words("twins:grounded") == f"{reasons.GATES['grounded']} (one of a pair)"


def test_bare_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing given: the help, on lines of its own, as it is for a group of commands."""
    for command in ([], ["image"], ["train"]):
        assert invoke([*command, "--help"]) == 0
        asked = capsys.readouterr().out
        assert invoke(command) == 0
        assert capsys.readouterr().out == asked
        assert asked.count("\n") > 5
    assert invoke(["--version"]) == 0
    assert re.fullmatch(r"synthtools \d+\.\d+\.\d+\n|synthtools source\n", capsys.readouterr().out)


def test_one_task_is_shown_as_people_write_or_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The goal in the README's form; with --json the one task."""
    changed = next(task for task in PACK.tasks if task.goal.alternatives[0].changes)
    assert invoke(["tasks", str(small_pack()), "--show", changed.id]) == 0
    text = capsys.readouterr().out
    assert all(line in text for line in write_goal(changed, PACK.domains[changed.domain]))
    assert "{'" not in text
    assert reply(capsys, "tasks", small_pack(), "--show", changed.id)["id"] == changed.id


def test_the_catalogue_fits_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One table of 80 columns, a line a subdomain."""
    monkeypatch.setenv("COLUMNS", "80")
    assert invoke(["catalog"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("marina_berths" in line for line in lines) == 1
    assert len(lines) < len(load_catalog()) + 10


def test_a_finding_names_the_line_of_its_tool(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the complaint counts in good English."""
    monkeypatch.chdir(tmp_path)
    broken = SOUND.replace("      - UPDATE neighbour SET fees = fees + :days * :tool.day_rate WHERE id = :neighbour_id\n", "")
    Path("shed.yaml").write_text(broken)
    line = broken.splitlines().index("  lend:") + 1
    finding = reply(capsys, "audit", "shed.yaml", "--quick", status=1)["findings"][0]
    assert finding["place"] == f"shed.yaml:{line}"
    assert invoke(["audit", "shed.yaml", "--quick"]) == 1
    printed = capsys.readouterr()
    assert f"shed.yaml:{line}: tool_shed.lend  promise" in printed.out
    assert re.search(r"synthtools: (1 finding|\d+ findings) in 1 domain;", printed.err)


def test_a_run_without_trajectories_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The rollout names what was most often the reason; then there is nothing to validate or export."""
    assert invoke(["rollout", str(small_pack()), "--out", str(tmp_path), "--agent", "packs:gone", "--workers", "1"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "No trajectories.\n"
    reason, left = r"ConnectionError: nobody is there \(packs\.py:\d+\)", len(PACK.tasks) - 5
    assert re.search(f"5 episodes broke off and left no trajectory, 5 of them by {reason}; {left} episodes not begun", printed.err)
    for command in ("validate", "export"):
        assert "holds no trajectory yet" in complaint(capsys, command, tmp_path, status=1)
    assert not (tmp_path / "export").exists()


def test_a_chat_model_that_cannot_be_asked_is_refused_at_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No key and nowhere else to ask; or no package to ask with."""
    settings = tmp_path / "chat.yaml"
    settings.write_text("model: tiny\nkey_variable: NO_SUCH_KEY\n")
    command = ["rollout", small_pack(), "--out", tmp_path / "new", "--agent", settings]
    assert "NO_SUCH_KEY holds no key" in complaint(capsys, *command)
    monkeypatch.setitem(sys.modules, "openai", None)
    assert 'pip install "synthtools[openai]"' in complaint(capsys, *command)
    assert not (tmp_path / "new").exists()


def test_progress_without_a_terminal_is_plain_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One now and then, so that a log shows that it goes on."""
    monkeypatch.setattr("agents.cli.output.EVERY", 0.0)
    with progress("rollouts") as update:
        update(100, 1000)
        update(101, 1000)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "rollouts: 100 of 1,000 after 0 s"
    assert re.fullmatch(r"rollouts: 101 of 1,000 after 0 s, [\d.,]+/s, \d+ s left", second)


@pytest.mark.parametrize(
    ("done", "left", "seconds", "said"),
    [(0, 9, 5.0, ""), (30, 60, 10.0, ", 3.0/s, 20 s left"), (10, 0, 5.0, ", 2.0/s"), (20, 60, 320.0, ", 16.0 s each, 16 min left")],
)
def test_the_pace_is_said_in_words(done: int, left: int, seconds: float, said: str) -> None:
    """So many a second or so many seconds each, and how long it takes yet; of what has not begun nothing."""
    assert pace(done, left, seconds) == said


def test_generating_counts_domains(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no tasks, of which a domain may give more or fewer than were asked for; so nothing is said that the summary would contradict."""
    monkeypatch.setattr("agents.cli.output.EVERY", 0.0)
    assert invoke(["generate", *DOMAINS, "--tasks-per-domain", "3", "--out", str(tmp_path / "pack"), "--workers", "1"]) == 0
    told = [line.partition(" after")[0] for line in capsys.readouterr().err.splitlines()]
    assert told == [f"domains: {number} of {len(DOMAINS)}" for number in range(len(DOMAINS) + 1)]


def test_ctrl_c_is_said_in_one_line_and_ends_at_once(tmp_path: Path) -> None:
    """All processes are interrupted, as a terminal does; none complains, and none is waited for."""
    command = [sys.executable, "-c", "from agents.cli import main; main()", "run", "--out", str(tmp_path / "run"), "--workers", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not (tmp_path / "run" / "run.json").exists():
        time.sleep(0.05)
    time.sleep(1.0)
    begun = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate()[1] == "synthtools: interrupted; the same command goes on from here\n"
    assert process.returncode == 130
    assert time.monotonic() - begun < 3


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
        assert "This was a quick audit" in " ".join(capsys.readouterr().out.split())
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
    assert re.search(r"Agents +solution +100\.0 %\n", capsys.readouterr().out)
