"""Validation: true records pass, forged ones are told by what is forged."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import apsw
import orjson
import pytest

from agents.agent import Opening, Turn, finish_call, scripted
from agents.episode import play, seed_of
from agents.rollout import Plan, rollout
from agents.stored import Stored
from agents.trajectory import Step, Trajectory, dump_trajectory
from agents.validate import Verdict, validate, validate_run
from envs import ToolEnv
from packs import small_pack
from synthtools.goal import Ending
from synthtools.pack import load_pack
from synthtools.task import Task
from synthtools.tool import ToolCall, ToolResult

PACK = load_pack(small_pack())
TASKS = {task.id: task for task in PACK.tasks}


def record(agent: str, task: Task) -> Trajectory:
    """What an agent did at a task."""
    return play(scripted(agent)(TASKS), task, ToolEnv(PACK), pack=PACK.digest, trial=0, seed=1)


def verdict(trajectory: Trajectory) -> Verdict:
    """Validated against the task it names."""
    task = TASKS[trajectory.task]
    return validate(trajectory, PACK.domains[task.domain], task)


@pytest.fixture(scope="module")
def writing() -> Trajectory:
    """A solved task that changed the world and looked something up first."""
    task = next(task for task in PACK.tasks if task.goal.alternatives[0].changes and len(task.solution) > 2)
    return record("solution", task)


def with_step(trajectory: Trajectory, number: int, step: Step) -> Trajectory:
    """The record with one step put in another's place."""
    steps = list(trajectory.steps)
    steps[number] = step
    return replace(trajectory, steps=tuple(steps))


@pytest.mark.parametrize("agent", ["solution", "random", "refuse"])
def test_what_happened_is_valid_whether_it_succeeded_or_not(agent: str) -> None:
    """Valid says true, not good."""
    assert {verdict(record(agent, task)) for task in PACK.tasks[:10]} == {Verdict(True)}


def test_a_forged_result_is_rejected(writing: Trajectory) -> None:
    """One character of one result."""
    step = writing.steps[0]
    forged = replace(step, result=ToolResult(step.result.content.replace('"', "'", 1)))
    assert verdict(with_step(writing, 0, forged)).reason == "result"


def test_a_forged_call_is_rejected(writing: Trajectory) -> None:
    """A call that cannot have gone so: another name, or arguments that are refused."""
    forged = replace(writing.steps[0], call=ToolCall("no_such_tool", {}))
    assert verdict(with_step(writing, 0, forged)).reason == "call"
    forged = replace(writing.steps[0], call=ToolCall(writing.steps[0].call.name, "not json"))
    assert verdict(with_step(writing, 0, forged)).reason == "call"


def test_a_forged_final_state_is_rejected(writing: Trajectory) -> None:
    """A change left out, or made up."""
    assert verdict(replace(writing, changes=())).reason == "changes"
    change = writing.changes[0]
    assert verdict(replace(writing, changes=(replace(change, key="X-1"), *writing.changes[1:]))).reason == "changes"


def test_forged_success_and_reward_are_rejected(writing: Trajectory) -> None:
    """Each by its own name."""
    assert verdict(replace(writing, reward=0.5)).reason == "reward"
    lazy = record("finish", TASKS[writing.task])
    assert verdict(replace(lazy, success=True, reason="")).reason == "success"
    assert verdict(replace(lazy, reward=1.0)).reason == "reward"
    assert verdict(replace(lazy, reward=None)).reason == "reward"


def test_a_forged_ending_is_rejected(writing: Trajectory) -> None:
    """Another ending, a record cut short, and a call after the end."""
    assert verdict(replace(writing, ending=Ending("all fine"))).reason == "ending"
    assert verdict(replace(writing, steps=writing.steps[:-1])).reason == "ending"
    late = replace(writing.steps[0], turn=len(writing.steps))
    assert verdict(replace(writing, steps=(*writing.steps, late))).reason == "call"


def test_a_record_of_another_task_is_rejected(writing: Trajectory) -> None:
    """Even where the calls would be possible."""
    other = next(task for task in PACK.tasks if task.id != writing.task)
    assert validate(writing, PACK.domains[other.domain], other).reason == "task"


TURNS: dict[str, Callable[[Step], Step]] = {
    "another turn": lambda step: replace(step, turn=step.turn + 1),
    "a turn before the last": lambda step: replace(step, turn=-1),
    "a turn that is no number": lambda step: replace(step, turn=bool(step.turn)),
    "tokens below zero": lambda step: replace(step, tokens=-5),
    "tokens in words": lambda step: replace(step, tokens="9"),  # type: ignore[arg-type]
    "a text that is none": lambda step: replace(step, text=["x"]),  # type: ignore[arg-type]
    "spoken, but a call": lambda step: replace(step, spoken=True, text="I made this up"),
}


@pytest.mark.parametrize("name", TURNS)
def test_forged_turns_are_rejected(writing: Trajectory, name: str) -> None:
    """What an agent is made to have said, or when, though its calls are true."""
    assert verdict(with_step(writing, 1, TURNS[name](writing.steps[1]))).reason == "record"


def test_text_belongs_to_a_turns_first_step(writing: Trajectory) -> None:
    """There it may stand; on the turn's other steps it may not, nor may tokens."""
    together = tuple(replace(step, turn=0, text="") for step in writing.steps)
    assert verdict(replace(writing, steps=(replace(together[0], text="All at once.", tokens=7), *together[1:]))) == Verdict(True)
    assert verdict(replace(writing, steps=(together[0], replace(together[1], text="And more."), *together[2:]))).reason == "record"
    assert verdict(replace(writing, steps=(together[0], replace(together[1], tokens=7), *together[2:]))).reason == "record"


def test_what_was_spoken_is_what_finish_says() -> None:
    """A lone `finish` with the text as its answer may be text alone; with another text it may not."""
    played = play(Speaker(), TASKS[PACK.tasks[0].id], ToolEnv(PACK), pack=PACK.digest, trial=0, seed=1)
    assert played.steps[0].spoken
    assert verdict(played) == Verdict(True)
    assert verdict(with_step(played, 0, replace(played.steps[0], text="Something else."))).reason == "record"


@dataclass
class Speaker:
    """Says that it is done, and so is."""

    name: str = "speaker"
    identity: str = "speaker"

    def begin(self, opening: Opening) -> None:
        """Nothing to remember."""

    def act(self, observations: Sequence[str]) -> Turn:
        """Text alone."""
        return Turn((finish_call("Done."),), "Done.", 3, spoken=True)


def test_equal_is_not_enough(writing: Trajectory) -> None:
    """`25.0` for `25`, and `1` for true, are another record."""
    assert verdict(replace(writing, success=1)).reason == "record"  # type: ignore[arg-type]
    assert verdict(replace(writing, reward=True)).reason == "record"
    counted = next(item for task in PACK.tasks if (item := _floating(record("solution", task))) is not None)
    assert verdict(counted).reason == "record"


def _floating(trajectory: Trajectory) -> Trajectory | None:
    """The record with whole numbers of its changes as floats; None where it has none."""
    changes = tuple(
        replace(change, after={name: float(value) if isinstance(value, int) else value for name, value in change.after.items()})
        for change in trajectory.changes
    )
    made = replace(trajectory, changes=changes)
    return None if dump_trajectory(made) == dump_trajectory(trajectory) else made


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the solution."""
    out = tmp_path_factory.mktemp("run")
    rollout(Plan(PACK, (scripted("solution"),), seed=3), out)
    return out


def forged(run: Path, folder: Path, sql: str, change: Callable[[dict[str, Any]], object] | None = None) -> dict[str, int]:
    """How many trajectories are not valid, by reason, after a hand has been at the database and at every record."""
    shutil.copytree(run, folder / "run")
    database = apsw.Connection(str(folder / "run" / "run.db"))
    for key, text in list(database.execute("SELECT task, record FROM trajectory")) if change is not None else ():
        data = orjson.loads(text)
        change(data)
        database.execute("UPDATE trajectory SET record = ? WHERE task = ?", (orjson.dumps(data).decode(), key))
    database.execute(sql)
    database.close()
    with Stored(folder / "run") as stored:
        return dict(Counter(verdict.reason for _, verdict in validate_run(stored, PACK) if not verdict.valid))


COLUMNS = {
    **{"split": "'exam'", "kind": "'x'", "domain": "'zzz'", "calls": "99", "errors": "9", "tokens": "1000"},
    **{"reason": "'lie'", "reward": "9.5", "success": "2", "seconds": "seconds"},
}


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_of_a_row_is_what_its_record_and_task_say(run: Path, tmp_path: Path, column: str) -> None:
    """Only the time that it took is nobody's business."""
    found = forged(run, tmp_path, f"UPDATE trajectory SET {column} = {COLUMNS[column]}")
    assert found == ({} if column == "seconds" else {"record": len(PACK.tasks)})


RECORDS: dict[str, tuple[str, Callable[[dict[str, Any]], object]]] = {
    "the seed": ("", lambda data: data.update(seed=12345)),
    "the agent": ("UPDATE trajectory SET agent = 'gpt-9'", lambda data: data.update(agent="gpt-9")),
    "the agent, with the seed that it would have": (
        "UPDATE trajectory SET agent = 'gpt-9'",
        lambda data: data.update(agent="gpt-9", seed=seed_of(3, data["task"], "gpt-9", 0)),
    ),
    "the trial": ("UPDATE trajectory SET trial = 4", lambda data: data.update(trial=4, seed=seed_of(3, data["task"], "solution", 4))),
    "a key too many": ("", lambda data: data.update(note="mine")),
    "success as a number": ("", lambda data: data.update(success=1)),
    "the order of keys": ("", lambda data: data.update(agent=data.pop("agent"))),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_of_its_run_to_the_byte(run: Path, tmp_path: Path, name: str) -> None:
    """Seed, agent and trial follow from the run's settings, and the text is the canonical one."""
    sql, change = RECORDS[name]
    assert forged(run, tmp_path, sql, change) == {"record": len(PACK.tasks)}


def test_nothing_is_found_in_an_honest_run(run: Path, tmp_path: Path) -> None:
    """Reading and writing the same text is no forgery."""
    assert forged(run, tmp_path, "", lambda data: None) == {}
