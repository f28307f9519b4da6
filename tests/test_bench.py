"""The commands of the benchmark: any kind of agent, what it would take, what it may spend, and one line for what cannot be done."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from agents.bench.estimate import CHARACTERS, work_of
from agents.cli import invoke
from agents.cli.maker import is_local
from agents.model_user import PROMPT, portrait
from endpoint import completion, serving
from envs.worlds import as_worlds
from packs import small_pack
from synthtools.generate import Factory
from synthtools.load import load_domain
from synthtools.pack import load_pack, save_pack
from synthtools.user import RESPOND

PACK = load_pack(small_pack())
ROOT = Path(__file__).parent.parent
EXAMPLE = f"cmd:{sys.executable} {ROOT / 'examples' / 'line_agent.py'}"
ALL = ("--suite", str(small_pack()), "--split", "all", "--workers", "1")
SUITE = """
name: tiny
version: 1
about: Two tasks.
canary: a text that stands nowhere else
pool: {seed: 5, tasks_per_domain: 14}
order: balanced
choose: [{kind: single, count: 2}]
splits:
  test:
    domains: [coach_tours]
    digest: ""
"""


def reply(capsys: pytest.CaptureFixture[str], *arguments: str | Path, status: int = 0) -> dict[str, Any]:
    """The one object that a command prints."""
    capsys.readouterr()
    assert invoke([*map(str, arguments), "--json"]) == status
    data = json.loads(capsys.readouterr().out)
    assert isinstance(data, dict)
    return data


def test_agents_of_every_kind_are_graded_together(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scripted one, a chat model, a command line, a command's settings, and a maker of one's own."""
    monkeypatch.syspath_prepend(str(ROOT / "tests"))
    with serving(lambda body: completion("It cannot be done.")) as (url, _):
        (tmp_path / "chat.yaml").write_text(f"model: tiny\nurl: {url}\nprompt_price: 2\ncompletion_price: 10\n", encoding="utf-8")
        (tmp_path / "command.yaml").write_text(f"command: {EXAMPLE.removeprefix('cmd:')} --again\nseconds: 30\n", encoding="utf-8")
        specs = ("finish", tmp_path / "chat.yaml", EXAMPLE, tmp_path / "command.yaml", "packs:sound")
        chosen = [part for spec in specs for part in ("--agent", spec)]
        data = reply(capsys, "bench", *chosen, *ALL, "--out", tmp_path / "run")
    names = list(data["agents"])
    assert names[:2] == ["finish", "tiny"]
    assert names[4] == "frail"
    assert all(name.startswith("cmd:") and "line_agent.py" in name for name in names[2:4])
    assert all(one["success"]["n"] == len(PACK.tasks) and one["unscored"] == 0 for one in data["agents"].values())
    cost = data["agents"]["tiny"]["cost"]
    assert cost["calls"] >= len(PACK.tasks)
    assert (cost["tokens"], cost["completion_tokens"]) == (120 * cost["calls"], 20 * cost["calls"])
    assert cost["money"] == pytest.approx(cost["calls"] * (100 * 2 + 20 * 10) / 1e6)
    assert (data["agents"]["finish"]["cost"]["money"], data["agents"]["finish"]["cost"]["tokens"]) == (None, None)


def test_a_dry_run_says_what_it_would_take_and_runs_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Episodes and calls as the references have them, tokens by the rule, money by the prices; no folder is needed, nor made."""
    (tmp_path / "chat.yaml").write_text("model: tiny\nurl: http://127.0.0.1:9\nprompt_price: 2\ncompletion_price: 10\n", encoding="utf-8")
    command = ("bench", "--agent", tmp_path / "chat.yaml", "--agent", "finish", *ALL, "--trials", "3", "--dry-run")
    data = reply(capsys, *command)
    chat, finish = data["agents"].values()
    assert (chat["episodes"], chat["calls"]) == (3 * len(PACK.tasks), 3 * sum(len(task.solution) for task in PACK.tasks))
    assert chat["money"] == pytest.approx((2 * chat["prompt_tokens"] + 10 * chat["completion_tokens"]) / 1e6, abs=1e-4)
    assert (finish["prompt_tokens"], finish["money"]) == (0, None)
    assert "4 characters a token" in data["rule"]
    assert list(tmp_path.iterdir()) == [tmp_path / "chat.yaml"]
    assert invoke([*map(str, command)]) == 0
    assert "what it would take" in capsys.readouterr().out


def test_the_estimate_is_what_the_texts_come_to() -> None:
    """One task by hand: the tools and the request again in each prompt, every result from then on."""
    task = next(task for task in PACK.tasks if task.kind == "single")
    worlds = as_worlds(PACK)
    work = work_of([task], worlds)
    env_tools = worlds.offers(task.domain).of(task).tools
    opening = len(orjson.dumps(list(env_tools))) + len(task.request)
    assert work.calls == 2
    assert work.prompt_tokens * CHARACTERS > 2 * opening
    assert work.prompt_tokens * CHARACTERS < 2 * opening + 4000
    assert 10 < work.completion_tokens < 200
    assert (work.replies, work.read_tokens, work.said_tokens) == (0, 0, 0)


def test_the_estimate_counts_what_a_model_in_the_users_part_takes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A reply for every time that a reference speaks to its user, for each agent and trial, at the user's prices."""
    factory = Factory(load_domain("marina_berths"), 5)
    (task, *_) = next(made for number in range(40) if (made := factory.attempt("missing_information", number)))
    save_pack(tmp_path / "pack", {"marina_berths": load_domain("marina_berths")}, [task], dropped={}, seed=5)
    (tmp_path / "user.yaml").write_text("model: tiny\nurl: http://127.0.0.1:9/v1\nprompt_price: 1000\n", encoding="utf-8")
    command = ("bench", "--agent", "finish", "--agent", "solution", "--suite", tmp_path / "pack", "--split", "all", "--dry-run", "--trials", "3")
    user = reply(capsys, *command, "--user", tmp_path / "user.yaml")["user"]
    assert task.user is not None
    assert user["replies"] == 6 * sum(step.name == RESPOND.name for step in task.solution) > 0
    assert user["prompt_tokens"] > user["replies"] * (len(PROMPT) + len(portrait(task.user))) / CHARACTERS
    assert user["completion_tokens"] > 0
    assert user["money"] == pytest.approx(user["prompt_tokens"] / 1000)
    assert "user" not in reply(capsys, *command)
    assert invoke([*map(str, command), "--user", str(tmp_path / "user.yaml")]) == 0
    assert "user's" in capsys.readouterr().out


def test_a_budget_on_the_command_line_takes_the_place_of_the_settings(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Episodes beyond it are not begun, are unscored, and can be had later with more."""
    with serving(lambda body: completion("Done.")) as (url, _):
        (tmp_path / "chat.yaml").write_text(f"model: tiny\nurl: {url}\nbudget_tokens: 1\nprompt_price: 1\n", encoding="utf-8")
        command = ("bench", "--agent", tmp_path / "chat.yaml", *ALL, "--out", tmp_path / "run")
        data = reply(capsys, *command, "--budget-tokens", "600", status=1)
        assert (data["success"]["n"], data["unscored"]) == (5, len(PACK.tasks) - 5)
        data = reply(capsys, *command, "--budget-tokens", "1000000", "--budget-money", "5")
        assert (data["success"]["n"], data["unscored"]) == (len(PACK.tasks), 0)


def test_an_agent_of_ones_own_is_bound_where_it_keeps_a_budget(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside a scripted one, that spends nothing; where it keeps none, or money is asked of it that it cannot count, one line says so."""
    monkeypatch.syspath_prepend(str(ROOT / "tests"))
    command = ("--agent", "packs:thrifty", "--agent", "finish", *ALL)
    data = reply(capsys, "bench", *command, "--out", tmp_path / "run", "--budget-tokens", "5", status=1)
    assert [one["success"]["n"] for one in data["agents"].values()] == [5, len(PACK.tasks)]
    for agent, bound, words in (("sound", "--budget-tokens", "packs:sound is no Spender"), ("thrifty", "--budget-money", "has no prices")):
        assert invoke(["bench", "--agent", f"packs:{agent}", *ALL, "--out", str(tmp_path / agent), bound, "5"]) == 2
        printed = capsys.readouterr()
        assert words in printed.err
        assert printed.err.count("synthtools:") == 1


@pytest.mark.parametrize("line", ["cmd:python my_agent.py conf.yaml", "mcp:python my_client.py --settings conf.yml"])
def test_a_command_line_that_ends_in_a_settings_file_is_a_command_line(line: str) -> None:
    """What is in the file, and whether it is there, is the command's business."""
    assert not is_local(line)


def test_tables_for_people(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Success with its interval, chances over trials, causes in words, and what the other agents are worth beside the first."""
    monkeypatch.setenv("COLUMNS", "120")
    assert invoke(["bench", "--agent", "solution", "--agent", "finish", *ALL, "--trials", "2", "--out", str(tmp_path / "run")]) == 0
    printed = capsys.readouterr().out
    assert f"{len(PACK.tasks)} tasks, 2 trials each; " in printed
    for words in ("pass^2: all of 2 right", "Success by kind", "Causes of failure", "claimed without change", "finish against solution: -100.0 %"):
        assert words in printed
    assert invoke(["regrade", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().out == printed


def test_suites_are_listed_built_shown_and_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """One's own from its file: built twice it is the same, and the run carries its name and version."""
    file = tmp_path / "tiny.yaml"
    file.write_text(SUITE, encoding="utf-8")
    assert [suite["name"] for suite in reply(capsys, "suite", "list")["suites"]] == ["core", "hard", "smoke"]
    built = reply(capsys, "suite", "build", file)
    assert (built["version"], built["changed"], built["file"]) == (1, True, str(file))
    assert reply(capsys, "suite", "build", file)["changed"] is False
    shown = reply(capsys, "suite", "show", file)
    assert (shown["by_kind"], shown["by_domain"]) == ({"single": 2}, {"coach_tours": 2})
    data = reply(capsys, "bench", "--agent", "solution", "--suite", file, "--out", tmp_path / "run")
    assert data["suite"] == {"name": "tiny", "version": 1, "digest": built["splits"]["test"]["digest"], "tasks": 2}
    assert data["success"]["mean"] == 1.0
    assert "a text that stands nowhere else" in (tmp_path / "run" / "run.json").read_text(encoding="utf-8")
    for command in (["suite", "list"], ["suite", "show", str(file)], ["suite", "build", str(file)]):
        assert invoke(command) == 0
    assert "nothing has changed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--agent", "solution"], "no --out"),
        (["--agent", "nobody", "--out", "OUT"], "no such agent"),
        (["--agent", "rul", "--out", "OUT"], "no such agent; did you mean 'rule'? else give solution, random"),
        (["--agent", "solution", "--suite", "smok", "--out", "OUT"], "did you mean 'smoke'? there are core, hard, smoke"),
        (["--agent", "cmd:", "--out", "OUT"], "give a command line, as in cmd:python my_agent.py"),
        (["--agent", "cmd:no-such-program-here x", "--out", "OUT"], "no program 'no-such-program-here' here"),
        (["--agent", "cmd:python 'x", "--out", "OUT"], "is no command line"),
        (["--agent", "cmd:python x", "--budget-money", "3", "--out", "OUT"], "has no prices"),
        (["--agent", "mcp:python x", "--budget-tokens", "3", "--out", "OUT"], "--budget-tokens: what mcp:python x spends is not counted"),
        (["--agent", "smollm2", "--budget-money", "3", "--out", "OUT"], "--budget-money: what smollm2 spends is not counted"),
        (["--agent", "./my_agent.py:MyAgent", "--out", "OUT"], "is not module:maker; the class MyAgent of ./my_agent.py is my_agent:MyAgent"),
        (["--agent", ":x", "--out", "OUT"], "is not module:maker"),
        (["--agent", "my_agent:", "--out", "OUT"], "is not module:maker"),
        (["--agent", "builtins:dict", "--out", "OUT"], "cannot be called with the tasks; give a class that needs nothing, or `def dict(tasks)`"),
        (["--agent", "solution", "--suite", "large", "--out", "OUT"], "no such suite or folder; there are core, hard, smoke"),
        (["--agent", "solution", "--suite", "PACK", "--out", "OUT"], "are of train; take that, or all (--split train, --split all)"),
        (["--agent", "solution", "--suite", "gone.yaml", "--out", "OUT"], "no such suite"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It names what, and the mend; nothing is written."""
    places = {"OUT": str(tmp_path / "run"), "PACK": str(small_pack())}
    assert invoke(["bench", *(places.get(argument, argument) for argument in arguments)]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert words in printed.err
    assert not (tmp_path / "run").exists()


def test_a_folder_of_another_bench_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Other trials are another run."""
    command = ["bench", "--agent", "finish", *ALL, "--out", str(tmp_path / "run")]
    assert invoke(command) == 0
    capsys.readouterr()
    assert invoke([*command, "--trials", "2"]) == 2
    assert "made with trials = 1, not 2" in capsys.readouterr().err
    assert invoke(["regrade", str(tmp_path / "nothing")]) == 2
    assert "no run here" in capsys.readouterr().err
