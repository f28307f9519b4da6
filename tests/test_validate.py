"""Validation: true records pass, forged ones are told by what is forged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agents.agent import scripted
from agents.episode import play
from agents.trajectory import Step, Trajectory
from agents.validate import Verdict, validate
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


def test_a_forged_ending_is_rejected(writing: Trajectory) -> None:
    """Another ending, a record cut short, and a call after the end."""
    assert verdict(replace(writing, ending=Ending("all fine"))).reason == "ending"
    assert verdict(replace(writing, steps=writing.steps[:-1])).reason == "ending"
    assert verdict(replace(writing, steps=(*writing.steps, writing.steps[0]))).reason == "call"


def test_a_record_of_another_task_is_rejected(writing: Trajectory) -> None:
    """Even where the calls would be possible."""
    other = next(task for task in PACK.tasks if task.id != writing.task)
    assert validate(writing, PACK.domains[other.domain], other).reason == "task"
