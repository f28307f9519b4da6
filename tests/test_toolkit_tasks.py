"""Tasks in YAML: every mistake is told with file and line, and every gate turns its fault away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents.cli import invoke
from envs import ToolEnv
from synthtools.codec import task_from_json, task_to_json
from synthtools.load import load_domain
from synthtools.pack import PackError, load_pack, save_pack
from synthtools.source import BlueprintError
from synthtools.toolkit.backend import ToolkitBackend
from synthtools.toolkit.tasks import Proven, prove_tasks
from toolkits import written

SOUND = """\
tasks:
  - id: lamp
    request: Sell me a lamp, cash.
    solution:
      - {call: find, with: {name: lamp}}
      - {call: sell, with: {product: {from: 0, at: [0]}, how: cash}}
"""


def proven(folder: Path, text: str, checks: str = "") -> Proven:
    """What becomes of a file of tasks."""
    if checks:
        (folder / "checks.py").write_text(checks, encoding="utf-8")
    domain = load_domain(written(folder), trust=True)
    path = folder / "tasks.yaml"
    path.write_text(text, encoding="utf-8")
    backend = ToolkitBackend(domain)
    try:
        return prove_tasks(path, domain, backend)
    finally:
        backend.close()


def test_a_task_is_what_its_solution_comes_to(tmp_path: Path) -> None:
    """Kind and difficulty are derived; it is written and read back equal."""
    made = proven(tmp_path, SOUND)
    (task,) = made.tasks
    assert (task.id, task.kind, task.difficulty, made.dropped) == ("shop/lamp", "chain", 3, {})
    assert [(c.table, c.op) for c in task.goal.alternatives[0].changes] == [("sales", "insert"), ("stock", "update")]
    assert task_from_json(task_to_json(task)) == task


MISTAKES = {
    "unknown key": (("request:", "reqest:"), r"tasks\.yaml:3: tasks\.0\.reqest: unknown key; known keys: id, request, world"),
    "no such tool": (("call: find", "call: fin"), r"tasks\.yaml:5: tasks\.0\.solution\.0\.call: there is no tool 'fin'; there are find, sell"),
    "no such argument": (("name: lamp", "nam: lamp"), r"tasks\.yaml:5: .*find has no argument 'nam'"),
    "an argument too few": (("with: {name: lamp}", "with: {}"), r"tasks\.yaml:5: .*find needs the argument 'name'"),
    "from the future": (("from: 0", "from: 1"), r"tasks\.yaml:6: .*`from:` is the number of an earlier call \(0 to 0\)"),
    "words about nothing": (("request:", "said: {chair: seat}\n    request:"), r"tasks\.yaml:3: .*no call of the solution has the value 'chair'"),
    "no such withheld tool": (("request:", "withheld: [fly]\n    request:"), r"tasks\.yaml:3: .*there is no tool 'fly'"),
    "refusal without twin": (("request:", "outcome: not_allowed\n    request:"), r"tasks\.yaml:3: .*not_allowed needs `twin:`"),
    "twin without a twin": (("request:", "twin: other\n    request:"), r"tasks\.yaml:3: .*'other' must be a task with the same request"),
    "answer of another type": (("request:", "answer: {type: number, from: {from: 0, at: [0]}}\n    request:"), "which is no number"),
    "two answers": (("request:", "answer: {type: id, value: a, from: 0}\n    request:"), "give either `value:` or `from:`"),
    "no list": (("tasks:\n", "taks:\n"), r"tasks\.yaml:1: .*unknown key; known keys: tasks"),
    "check elsewhere": (("request:", "check: /etc/passwd:f\n    request:"), "give `checks.py:function`"),
    "no YAML": (("tasks:", "tasks: ["), "not YAML"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_names_file_and_line(name: str, tmp_path: Path) -> None:
    """And the mend."""
    (what, instead), told = MISTAKES[name]
    with pytest.raises(BlueprintError, match=told):
        proven(tmp_path, SOUND.replace(what, instead, 1))


TURNED_AWAY = {
    "solution_runs": ("name: lamp", "name: chair"),
    "goal_false_at_start": ("      - {call: sell, with: {product: {from: 0, at: [0]}, how: cash}}\n", ""),
    "grounded": ("how: cash", "how: card"),
    "gives_nothing_away": ("Sell me a lamp", "Sell me the lamp P-01"),
    "every_write_needed": ("      - {call: find", "      - {call: shout, with: {times: 1}}\n      - {call: find"),
}


@pytest.mark.parametrize("gate", TURNED_AWAY)
def test_a_gate_turns_its_fault_away(gate: str, tmp_path: Path) -> None:
    """By name."""
    text = SOUND.replace(*TURNED_AWAY[gate])
    if gate == "every_write_needed":
        text = text.replace("from: 0", "from: 1").replace("request:", 'said: {"1": once}\n    request:').replace("cash.", "cash, once.")
    made = proven(tmp_path, text)
    assert made.dropped == {"lamp": gate}
    if gate == "every_write_needed":
        assert made.why["lamp"].startswith("call 0 of its solution (shout, line 6) is not needed")


WHY = {
    "a refusal": (("name: lamp", "name: chair"), "call 1 of its solution (sell, line 6) came back with sold_out: None left."),
    "no such choice": (
        ("how: cash", "how: coins"),
        "call 1 of its solution (sell, line 6) came back with invalid_argument: how: Input should be 'cash' or 'card'.",
    ),
    "a tool it has not": (("request:", "withheld: [find]\n    request:"), "call 0 of its solution (find, line 6) came back with unknown_tool"),
    "what nobody said": (
        ("how: cash", "how: card"),
        'the request does not say "card", which call 1 of its solution (sell, line 6) has as how; say it there',
    ),
}


@pytest.mark.parametrize("name", WHY)
def test_what_a_gate_has_against_a_task_is_said(name: str, tmp_path: Path) -> None:
    """Which call, on which line, with the tool's own error and message; which value; and of the other gates one sentence, by `generate`."""
    change, told = WHY[name]
    assert proven(tmp_path, SOUND.replace(*change)).why["lamp"].startswith(told)


def test_generate_says_why_it_turns_a_task_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line a task, whether or not another is left."""
    for change, told in (
        (WHY["a refusal"][0], f"solution_runs: {WHY['a refusal'][1]}"),
        (TURNED_AWAY["goal_false_at_start"], "goal_false_at_start: the goal was met before anything was done"),
    ):
        (tmp_path / "tasks.yaml").write_text(SOUND.replace(*change), encoding="utf-8")
        assert invoke(["generate", str(written(tmp_path)), "--trust", "--out", str(tmp_path / "pack")]) == 1
        assert capsys.readouterr().err.splitlines()[0] == f"shop/lamp: turned away by {told}"
        assert not (tmp_path / "pack").exists()


def test_half_a_pair_of_twins_is_not_admitted(tmp_path: Path) -> None:
    """The one that would pass goes with the one that does not."""
    other = SOUND.partition("tasks:\n")[2].replace("id: lamp", "id: without").replace("request:", "twin: lamp\n    withheld: [sell]\n    request:")
    other = other[: other.index("      - {call: sell")].replace("request:", "outcome: impossible\n    about: sell\n    request:")
    made = proven(tmp_path, SOUND.replace("request:", "twin: without\n    request:") + other)
    assert made.dropped == {"without": "constant_endings_fail", "lamp": "twins"}


CHECKS = """\
def sold(changes):
    return [c["op"] for c in changes if c["table"] == "sales"] == ["insert"]

def never(changes):
    return False

def always(changes):
    return True
"""


@pytest.mark.parametrize(("name", "dropped"), [("sold", {}), ("never", {"lamp": "solution_succeeds"}), ("always", {"lamp": "goal_false_at_start"})])
def test_a_check_is_the_goal_where_it_is_given(name: str, dropped: dict[str, str], tmp_path: Path) -> None:
    """It decides over the net changes, by the same gates: one that the solution fails, or that nothing done passes, makes no task."""
    made = proven(tmp_path, SOUND.replace("request:", f"check: checks.py:{name}\n    request:"), CHECKS)
    assert made.dropped == dropped


def test_a_checks_goal_is_met_in_more_than_one_way(tmp_path: Path) -> None:
    """From a pack: another sale than the reference's succeeds, no sale does not; a pack that nobody vouches for is not judged by its code."""
    made = proven(tmp_path, SOUND.replace("request:", "check: checks.py:sold\n    request:"), CHECKS)
    domain = load_domain(tmp_path / "shop.py", trust=True)
    save_pack(tmp_path / "pack", {domain.name: domain}, made.tasks, dropped={}, seed=0)
    with pytest.raises(PackError, match="is judged by code of the pack; give --trust"):
        load_pack(tmp_path / "pack")
    env = ToolEnv(load_pack(tmp_path / "pack", trust=True), reward="shaped")
    for how, success in (("cash", True), ("card", True), ("", False)):
        env.reset(options={"task": made.tasks[0].id})
        if how:
            (product, *_) = json.loads(env.step({"name": "find", "arguments": {"name": "lamp"}})[0])
            env.step({"name": "sell", "arguments": {"product": product, "how": how}})
        env.step({"name": "finish", "arguments": {"outcome": "done"}})
        assert env.judgement.success is success
    env.close()
