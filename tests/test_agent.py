"""The scripted agents, and what each is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema
import pytest

from agents.agent import SCRIPTED, Agent, RandomAgent, scripted
from agents.episode import play
from agents.trajectory import Trajectory, dump_trajectory, load_trajectory
from envs import ToolEnv
from packs import small_pack
from synthtools.pack import load_pack
from synthtools.task import Task

PACK = load_pack(small_pack())
TASKS: Mapping[str, Task] = {task.id: task for task in PACK.tasks}


def episode(agent: Agent, task: Task, env: ToolEnv, seed: int = 5) -> Trajectory:
    """One episode of the pack."""
    return play(agent, task, env, pack=PACK.digest, trial=0, seed=seed)


@pytest.fixture(scope="module")
def env() -> ToolEnv:
    """An environment over the pack."""
    return ToolEnv(PACK)


def test_the_solution_succeeds_at_every_task(env: ToolEnv) -> None:
    """Replaying the reference is a success, earns 1, and ends as the goal says."""
    agent = scripted("solution")(TASKS)
    played = [episode(agent, task, env) for task in PACK.tasks]
    assert [(item.task, item.success, item.reward, item.reason) for item in played] == [(task.id, True, 1.0, "") for task in PACK.tasks]
    assert all(item.ending is not None and len(item.steps) == len(task.solution) for item, task in zip(played, PACK.tasks, strict=True))


@pytest.mark.parametrize("name", ["finish", "refuse", "impossible", "echo"])
def test_a_constant_agent_ends_at_once_and_changes_nothing(name: str, env: ToolEnv) -> None:
    """One call, `finish`, and it seldom meets a goal; never those of both halves of a twin pair."""
    agent = scripted(name)(TASKS)
    played = {task.id: episode(agent, task, env) for task in PACK.tasks}
    assert {len(item.steps) for item in played.values()} == {1}
    assert all(item.ending is not None and item.changes == () for item in played.values())
    won = {task for task, item in played.items() if item.success}
    assert not [task for task in won if TASKS[task].twin in won]


def test_random_calls_are_schema_valid_and_come_from_the_seed(env: ToolEnv) -> None:
    """Equal seeds act equally, other seeds otherwise; every argument object is one that the schema allows."""
    agent = RandomAgent()
    for task in PACK.tasks[:8]:
        first, again, other = (episode(agent, task, env, seed) for seed in (5, 5, 6))
        assert first == again
        assert first.steps != other.steps
        schemas: dict[str, Any] = {tool["function"]["name"]: tool["function"]["parameters"] for tool in env.tools}
        for step in first.steps:
            jsonschema.validate(step.call.arguments, schemas[step.call.name])
        assert first.steps[-1].call.name == "finish"


@pytest.mark.parametrize("name", SCRIPTED)
def test_a_record_reads_back_equal(name: str, env: ToolEnv) -> None:
    """Through JSON and back, to the byte."""
    agent = scripted(name)(TASKS)
    for task in PACK.tasks[:6]:
        trajectory = episode(agent, task, env)
        record = dump_trajectory(trajectory)
        assert load_trajectory(record) == trajectory
        assert dump_trajectory(load_trajectory(record)) == record


def test_an_unknown_agent_is_named() -> None:
    """The message lists those there are."""
    with pytest.raises(ValueError, match="no agent called 'oracle'.*solution, random"):
        scripted("oracle")
