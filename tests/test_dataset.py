"""Exports: what trainers read, in the form they take."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import apsw
import orjson
import pyarrow.parquet as pq
import pytest

from agents.agent import SCRIPTED, Opening, finish_call, scripted
from agents.cli.generate import make_pack
from agents.dataset import Given, conversation, export
from agents.rollout import Plan, rollout
from agents.run import RunError
from agents.stored import Stored
from agents.trajectory import Step, Trajectory
from envs import ToolEnv
from packs import small_pack
from synthtools.catalog import catalog
from synthtools.goal import Ending
from synthtools.pack import load_pack
from synthtools.tool import ToolCall, ToolResult

PACK = load_pack(small_pack())
TASKS = {task.id: task for task in PACK.tasks}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All scripted agents over the small pack."""
    out = tmp_path_factory.mktemp("run")
    rollout(Plan(PACK, tuple(scripted(name) for name in SCRIPTED)), out)
    return out


@pytest.fixture(scope="module")
def exported(run: Path) -> Path:
    """The default export of it."""
    with Stored(run) as stored:
        export(stored, PACK, run / "export")
    return run / "export"


def lines(path: Path) -> list[dict[str, Any]]:
    """A JSONL file, read."""
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_only_valid_successful_trajectories_of_train_are_exported(exported: Path) -> None:
    """In order, each task that is of train at least once (its solution), and no failure."""
    rows = lines(exported / "train.jsonl")
    keys = [(row["task"], row["agent"], row["trial"]) for row in rows]
    assert keys == sorted(keys)
    assert {row["task"] for row in rows} == {task.id for task in PACK.tasks if task.split == "train"}
    assert {(row["split"], row["success"], row["valid"]) for row in rows} == {("train", True, True)}


def test_all_labels_the_others(run: Path, tmp_path: Path) -> None:
    """Every trajectory, with success and validity beside it."""
    with Stored(run) as stored:
        whole = export(stored, PACK, tmp_path, everything=True)
    rows = lines(tmp_path / "all.jsonl")
    assert whole.rows == len(rows) == len(PACK.tasks) * len(SCRIPTED)
    assert {row["success"] for row in rows} == {True, False}
    assert sorted(whole.files) == ["all.jsonl", "all.parquet"]


def test_the_conversation_holds_what_the_agent_saw(exported: Path) -> None:
    """System and user make up the first observation, tool messages hold the results, and `finish` is the last word."""
    env = ToolEnv(PACK)
    for row in lines(exported / "train.jsonl")[:20]:
        system, user, *turns = row["messages"]
        opening, info = env.reset(options={"task": TASKS[row["task"]]})
        assert opening.split() == f"{system['content']} {user['content']}".split()
        assert orjson.loads(row["tools"]) == orjson.loads(info["tools"])
        assert [message["role"] for message in turns] == ["assistant", "tool"] * (len(turns) // 2) + ["assistant"]
        assert turns[-1]["tool_calls"][0]["function"]["name"] == "finish"
        calls = [message["tool_calls"][0] for message in turns[::2]]
        for call, answer in zip(calls, turns[1::2], strict=False):
            observation, *_ = env.step({"name": call["function"]["name"], "arguments": call["function"]["arguments"]})
            assert (answer["content"], answer["tool_call_id"]) == (observation, call["id"])


def test_openai_lines_have_text_arguments_and_a_list_of_tools(exported: Path) -> None:
    """The same conversations, in the other form and without labels."""
    for ours, theirs in zip(lines(exported / "train.jsonl"), lines(exported / "openai.jsonl"), strict=True):
        assert theirs.keys() == {"messages", "tools"}
        assert theirs["tools"] == orjson.loads(ours["tools"])
        assert theirs["messages"][-1]["role"] == "assistant"
        for message, twin in zip(theirs["messages"], ours["messages"], strict=True):
            for call, other in zip(message.get("tool_calls", ()), twin.get("tool_calls", ()), strict=True):
                assert orjson.loads(call["function"]["arguments"]) == other["function"]["arguments"]


def test_parquet_holds_the_same_rows(exported: Path) -> None:
    """Messages are of Arrow's JSON type, so nothing is lost and no null made up."""
    table = pq.read_table(exported / "train.parquet")
    rows = [{**row, "messages": [orjson.loads(message) for message in row["messages"]]} for row in table.to_pylist()]
    assert rows == lines(exported / "train.jsonl")
    assert str(table.schema.field("messages").type) == "list<element: extension<arrow.json>>"


def test_exporting_again_gives_the_same_bytes_and_leaves_nothing_behind(run: Path, exported: Path) -> None:
    """A file is replaced whole."""
    before = {path.name: path.read_bytes() for path in exported.iterdir()}
    with Stored(run) as stored:
        export(stored, PACK, exported)
    assert {path.name: path.read_bytes() for path in exported.iterdir()} == before
    assert sorted(before) == ["openai.jsonl", "train.jsonl", "train.parquet"]


def touched(run: Path, folder: Path, sql: str) -> Path:
    """A copy of the run after a hand has been at its database."""
    shutil.copytree(run, folder / "run")
    database = apsw.Connection(str(folder / "run" / "run.db"))
    database.execute(sql)
    database.close()
    return folder / "run"


def test_labels_come_from_the_record_and_the_packs_task(run: Path, exported: Path, tmp_path: Path) -> None:
    """What a row says of split, kind and the like is not believed: nothing of test becomes train."""
    forged = touched(run, tmp_path, "UPDATE trajectory SET split = 'train', kind = 'x', domain = 'y', reward = 7, reason = 'z'")
    with Stored(forged) as stored:
        export(stored, PACK, tmp_path / "out")
    assert (tmp_path / "out" / "train.jsonl").read_bytes() == (exported / "train.jsonl").read_bytes()


def test_a_task_of_test_does_not_become_one_of_train(tmp_path: Path) -> None:
    """Whatever its row says."""
    name = next(entry.name for entry in catalog().values() if entry.split == "test")
    pack = make_pack(tmp_path / "pack", [name], 2, 0, 1)
    rollout(Plan(pack, (scripted("solution"),)), tmp_path / "made")
    with Stored(touched(tmp_path / "made", tmp_path, "UPDATE trajectory SET split = 'train'")) as stored:
        assert export(stored, pack, tmp_path / "out").rows == 0


FORGED = {
    "of another pack": "UPDATE trajectory SET pack = 'other'",
    "is not what its row says": "UPDATE trajectory SET agent = agent || '2'",
    "cannot be read": "UPDATE trajectory SET record = '{}'",
    "success is of the type int": "UPDATE trajectory SET record = replace(record, '\"success\":true', '\"success\":1')",
    "arguments is of the type list": 'UPDATE trajectory SET record = replace(record, \'"arguments":{\', \'"arguments":[],"x":{\')',
    "is not what text alone stands for": 'UPDATE trajectory SET record = replace(record, \'"turn":0}\', \'"turn":0,"text":"Mine.","spoken":true}\')',
}


@pytest.mark.parametrize("told", FORGED)
def test_what_is_not_of_the_pack_and_the_run_is_refused_in_one_line(run: Path, tmp_path: Path, told: str) -> None:
    """And an earlier export stays as it was."""
    with Stored(run) as stored:
        export(stored, PACK, tmp_path / "out")
    before = (tmp_path / "out" / "train.jsonl").read_bytes()
    with Stored(touched(run, tmp_path, FORGED[told])) as stored, pytest.raises(RunError, match=told):
        export(stored, PACK, tmp_path / "out")
    assert (tmp_path / "out" / "train.jsonl").read_bytes() == before


def trajectory(*steps: Step) -> Trajectory:
    """A made-up episode of these steps."""
    return Trajectory("p", "t", "d", "a", 0, 0, steps, Ending("x"), True, "", 1.0, ())


def test_turns_come_back_as_they_were() -> None:
    """Parallel calls are one message; text alone is text, and a reply the user's; what was sent as broken JSON stays text."""
    given = Given(Opening("t", "rules", "please", (), 0), "[]", frozenset(), "{}")
    found = conversation(
        trajectory(
            Step(0, ToolCall("one", {"a": 1}), ToolResult("1"), text="Both at once.", tokens=9),
            Step(0, ToolCall("two", "{broken"), ToolResult("2", "invalid_json")),
            Step(1, ToolCall("respond", {"text": "Which?"}), ToolResult('{"reply":"That."}'), text="Which?", spoken=True),
            Step(2, finish_call("All done."), ToolResult("{}"), text="All done.", spoken=True),
        ),
        given,
        lambda arguments: arguments,
    )
    call, other = (
        {"id": f"call0000{number}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for number, (name, arguments) in enumerate((("one", {"a": 1}), ("two", "{broken")))
    )
    assert found == [
        {"role": "system", "content": "rules"},
        {"role": "user", "content": "please"},
        {"role": "assistant", "content": "Both at once.", "tool_calls": [call, other]},
        {"role": "tool", "tool_call_id": "call00000", "name": "one", "content": "1"},
        {"role": "tool", "tool_call_id": "call00001", "name": "two", "content": "2"},
        {"role": "assistant", "content": "Which?"},
        {"role": "user", "content": "That."},
        {"role": "assistant", "content": "All done."},
    ]
