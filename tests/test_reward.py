"""Rewards: what an episode earns is its success less the cost of its errors, and detours earn nothing."""

from __future__ import annotations

from typing import Any

import pytest

from envs import ToolEnv
from envs.reward import ERROR_COST, Shaping
from playing import DOMAINS, Stepped, coming_calls, make_env, solve, some_tasks
from synthtools.goal import Changes, Ending
from synthtools.task import Task
from synthtools.tool import ToolCall, ToolResult

REFUSE = ToolCall("finish", {"outcome": "not_allowed"})
WRONG = ToolCall("no_such_tool", {})


def earned(steps: list[Stepped]) -> float:
    """The sum of the rewards."""
    return sum(step[1] for step in steps)


def writing_task(env: ToolEnv, least: int = 1) -> Task:
    """A task whose solution succeeds with at least so many calls that change the world."""
    for task in some_tasks(env.worlds.names[0], 40):
        env.reset(options={"task": task})
        writes = [s for s in task.solution if s.name in env.domain.tools and not env.domain.tools[s.name].read_only]
        if len(writes) >= least:
            return task
    raise AssertionError("no such task")


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_solution_earns_one(domain: str) -> None:
    """The shaped rewards of any solution add up to 1, also where the goal is that nothing changes."""
    env = make_env(domain, reward="shaped")
    for task in some_tasks(domain, 12):
        env.reset(options={"task": task})
        assert earned(solve(env)) == pytest.approx(1.0)


def test_progress_is_paid_before_the_end() -> None:
    """A right change is rewarded when it is made, not only at `finish`."""
    env = make_env(DOMAINS[0], reward="shaped")
    env.reset(options={"task": writing_task(env)})
    assert earned(solve(env)[:-1]) > 0.0


def test_errors_cost() -> None:
    """Each call that comes to an error takes its cost from the return, and changes nothing else of it."""
    env = make_env(DOMAINS[0], reward="shaped")
    env.reset(options={"task": writing_task(env)})
    fork = env.fork()
    solution = solve(env)
    wrong = [fork.step(WRONG), fork.step(WRONG)]
    right = [fork.step(call) for call, _ in env.calls]
    assert [step[1] for step in wrong] == [-ERROR_COST] * 2
    assert [step[1] for step in right] == [step[1] for step in solution]


@pytest.mark.parametrize("domain", DOMAINS)
def test_failing_earns_nothing(domain: str) -> None:
    """All the right changes and then the wrong ending, or no ending at all, add up to nothing."""
    env = make_env(domain, reward="shaped")
    task = writing_task(env)
    env.reset(options={"task": task})
    calls = coming_calls(env)
    steps = [env.step(next(calls)) for _ in task.solution[:-1]]
    assert earned([*steps, env.step(REFUSE)]) == pytest.approx(0.0)
    short = make_env(domain, reward="shaped", max_steps=max(2, len(task.solution) - 1))
    short.reset(options={"task": task})
    calls = coming_calls(short)
    steps = [short.step(next(calls) if len(short.calls) < len(task.solution) - 1 else WRONG) for _ in range(short.max_steps)]
    assert short.truncated
    assert earned(steps) == pytest.approx(-ERROR_COST * sum(bool(step[4].get("error")) for step in steps))


@pytest.mark.parametrize("reward", ["success", "shaped"])
def test_an_episode_that_is_ended_from_outside_has_earned_nothing(reward: Any) -> None:
    """What was paid on the way is taken back, once, but for the cost of errors; calls after that are of an episode that is over."""
    env = make_env(DOMAINS[0], reward=reward)
    task = writing_task(env)
    env.reset(options={"task": task})
    calls = coming_calls(env)
    steps = [*(env.step(next(calls)) for _ in task.solution[:-1]), env.step(WRONG)]
    assert (earned(steps) > 0.0) == (reward == "shaped")
    assert earned(steps) + env.truncate() == pytest.approx(-ERROR_COST if reward == "shaped" else 0.0)
    assert (env.truncated, env.terminated, env.truncate()) == (True, False, 0.0)
    assert env.step(REFUSE)[4]["error"] == "episode_done"
    env.reset(options={"task": task})
    assert (earned(solve(env)), env.truncate(), env.truncated) == (pytest.approx(1.0), 0.0, False)


def test_doing_and_undoing_earns_nothing() -> None:
    """However often the potential goes up and comes down again, only where it ends counts."""
    shaping = Shaping(0.25)
    levels = [0.5, 0.75, 0.5, -0.25, 0.75, 0.5]
    assert sum(shaping.advance(level, failed=False) for level in levels) == 0.5
    assert shaping.advance(0.5, failed=True) == -ERROR_COST


def test_success_pays_at_the_end_alone() -> None:
    """0 until the goal is met at `finish`; 0 too when it is not."""
    env = make_env(DOMAINS[0])
    env.reset(seed=3)
    *before, last = solve(env)
    assert [step[1] for step in before] == [0.0] * len(before)
    assert last[1] == 1.0


def test_a_function_sees_what_happened() -> None:
    """The user's own function is told the task, the net change, the ending and the result, after every step."""
    seen: list[tuple[Any, ...]] = []

    def reward(task: Task, changes: Changes, ending: Ending | None, result: ToolResult) -> float:
        seen.append((task.id, changes, ending, result))
        return len(changes) + (10 if ending else 0)

    env = make_env(DOMAINS[0], reward=reward)
    task = writing_task(env)
    seen.clear()
    env.reset(options={"task": task})
    rewards = []
    for call in coming_calls(env):
        rewards.append(env.step(call)[1])
        assert seen[-1] == (task.id, env.backend.changes(), env.ending, env.calls[-1][1])
    assert rewards[-1] == len(env.backend.changes()) + 10
    assert len(seen) == len(task.solution)
