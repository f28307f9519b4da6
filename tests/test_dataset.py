"""Exports: what trainers read, in the form they take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from agents.agent import SCRIPTED, finish_call, scripted
from agents.dataset import Lesson, conversation, export
from agents.rollout import Plan, rollout
from agents.run import Stored
from agents.trajectory import Step, Trajectory
from envs import ToolEnv
from packs import small_pack
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


def trajectory(*steps: Step) -> Trajectory:
    """A made-up episode of these steps."""
    return Trajectory("p", "t", "d", "a", 0, 0, steps, Ending("x"), True, "", 1.0, ())


def test_turns_come_back_as_they_were() -> None:
    """Parallel calls are one message; text alone is text, and a reply the user's; what was sent as broken JSON stays text."""
    lesson = Lesson("rules", "please", "[]")
    found = conversation(
        trajectory(
            Step(0, ToolCall("one", {"a": 1}), ToolResult("1"), text="Both at once.", tokens=9),
            Step(0, ToolCall("two", "{broken"), ToolResult("2", "invalid_json")),
            Step(1, ToolCall("respond", {"text": "Which?"}), ToolResult('{"reply":"That."}'), text="Which?", spoken=True),
            Step(2, finish_call("All done."), ToolResult("{}"), text="All done.", spoken=True),
        ),
        lesson,
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
