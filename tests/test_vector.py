"""The vector environment gives what Gymnasium's own give over the same environments, in every autoreset mode."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv

from envs import ToolVectorEnv
from envs.registration import WORLDS_ID
from playing import DOMAINS, coming_calls, make_env
from synthtools.catalog import catalog
from synthtools.tool import ToolCall

COUNT = 3
LENGTH = 14
MAX_STEPS = 5
MODES = list(AutoresetMode)
IDS = [*(catalog()[name].env_id for name in DOMAINS), WORLDS_ID]
Stream = list[tuple[Any, ...]]


def make(env_id: str) -> gymnasium.Env[Any, Any]:
    """One environment; importing this module in a worker has registered its id."""
    return gymnasium.make(env_id, max_steps=MAX_STEPS, reward="shaped", split=None)


def solutions(env_id: str) -> list[list[ToolCall]]:
    """For each environment of seed 11, its first episode's solution."""
    found = []
    for index in range(COUNT):
        env = make(env_id).unwrapped
        env.reset(seed=11 + index)
        calls = []
        for call in coming_calls(env):  # type: ignore[arg-type]
            calls.append(call)
            if env.step(call)[3]:
                break
        found.append(calls)
        env.close()
    return found


def actions_for(env_id: str) -> list[tuple[ToolCall, ...]]:
    """Solutions first, so that episodes end at different steps, then drawn calls, wrong ones and hasty endings."""
    rng = np.random.default_rng(5)
    env = make(env_id)
    env.reset(seed=11)
    env.action_space.seed(6)
    others = [ToolCall("no_such_tool", "{"), ToolCall("finish", {"outcome": "impossible"}), *(env.action_space.sample() for _ in range(20))]
    begun = solutions(env_id)
    return [tuple(calls[step] if step < len(calls) else others[rng.integers(len(others))] for calls in begun) for step in range(LENGTH)]


def play(envs: VectorEnv[Any, Any, Any], actions: Sequence[tuple[ToolCall, ...]], mode: AutoresetMode) -> Stream:
    """All that a seeded reset and these actions return; where nothing resets by itself, what is over is reset with its mask."""
    stream: Stream = [envs.reset(seed=11)]
    for step in actions:
        stepped = envs.step(step)
        stream.append(stepped)
        over = stepped[2] | stepped[3]
        if mode is AutoresetMode.DISABLED and over.any():
            stream.append(envs.reset(options={"reset_mask": over}))
    envs.close()
    return stream


def plain(value: Any) -> Any:
    """Arrays as lists with their types, so that streams compare as wholes."""
    if isinstance(value, np.ndarray):
        return (str(value.dtype), [plain(item) for item in value.tolist()])
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def gymnasiums_own(kind: Callable[..., Any], env_id: str, mode: AutoresetMode) -> VectorEnv[Any, Any, Any]:
    """Gymnasium's vector environment over the same environments."""
    settings = {"shared_memory": False} if kind is AsyncVectorEnv else {}
    made: VectorEnv[Any, Any, Any] = kind([partial(make, env_id)] * COUNT, autoreset_mode=mode, **settings)
    return made


def ours(env_id: str, mode: AutoresetMode) -> VectorEnv[Any, Any, Any]:
    """What `make_vec` makes by default."""
    return gymnasium.make_vec(env_id, COUNT, max_steps=MAX_STEPS, reward="shaped", split=None, autoreset_mode=mode)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("env_id", IDS)
def test_the_stream_is_sync_vector_envs(env_id: str, mode: AutoresetMode) -> None:
    """The same observations, rewards, endings and infos, to the last mask."""
    actions = actions_for(env_id)
    wanted = play(gymnasiums_own(SyncVectorEnv, env_id, mode), actions, mode)
    got = play(ours(env_id, mode), actions, mode)
    assert plain(got) == plain(wanted)
    assert any(step[2].any() for step in wanted if len(step) == 5)
    assert any(step[3].any() for step in wanted if len(step) == 5)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
def test_the_stream_is_async_vector_envs(mode: AutoresetMode) -> None:
    """Worker processes give the same as this one."""
    env_id = IDS[0]
    actions = actions_for(env_id)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        wanted = play(gymnasiums_own(AsyncVectorEnv, env_id, mode), actions, mode)
    assert plain(play(ours(env_id, mode), actions, mode)) == plain(wanted)


def test_shared_memory_is_refused_in_words() -> None:
    """Gymnasium's default for processes cannot carry text; it says so instead of giving garbage."""
    with pytest.raises(ValueError, match="shared_memory=False"):
        AsyncVectorEnv([partial(make, IDS[0])])


def test_ours_is_the_default() -> None:
    """`make_vec` picks it without being asked, with a declared autoreset mode and no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        envs = gymnasium.make_vec(IDS[0], num_envs=2)
    assert isinstance(envs, ToolVectorEnv)
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert envs.spec is not None
    assert envs.spec.id == IDS[0]
    observations, _ = envs.reset(seed=1)
    assert observations in envs.observation_space
    assert envs.action_space.sample() in envs.action_space


def test_samples_are_of_the_tools_at_hand() -> None:
    """Each environment's part of a drawn action is a call of a tool that it has."""
    envs = gymnasium.make_vec(WORLDS_ID, COUNT, split=None)
    assert isinstance(envs, ToolVectorEnv)
    envs.reset(seed=2)
    for env, call in zip(envs.envs, envs.action_space.sample(), strict=True):
        assert call.name in {tool["function"]["name"] for tool in env.tools}


def test_a_mask_resets_its_own_alone() -> None:
    """The others keep their observation and their episode; a mask of another kind is refused."""
    envs = ToolVectorEnv(make_env(DOMAINS[0]), COUNT, autoreset_mode=AutoresetMode.DISABLED.value)
    envs.reset(seed=3)
    before, *_ = envs.step([ToolCall("no_such_tool", {})] * COUNT)
    after, infos = envs.reset(options={"reset_mask": np.array([False, True, False])})
    assert (after[0], after[2]) == (before[0], before[2])
    assert after[1] != before[1]
    assert infos["_task_id"].tolist() == [False, True, False]
    assert [len(env.calls) for env in envs.envs] == [1, 0, 1]
    for mask, error in (
        ([True] * COUNT, TypeError),
        (np.zeros(COUNT, dtype=np.bool_), ValueError),
        (np.ones(2, dtype=np.bool_), ValueError),
    ):
        with pytest.raises(error):
            envs.reset(options={"reset_mask": mask})


def test_disabled_means_disabled() -> None:
    """Where nothing is reset by itself, stepping past an end is a mistake of the caller's."""
    envs = ToolVectorEnv(make_env(DOMAINS[0]), 2, autoreset_mode=AutoresetMode.DISABLED)
    envs.reset(seed=3)
    envs.step([ToolCall("finish", {"outcome": "impossible"}), ToolCall("no_such_tool", {})])
    with pytest.raises(ResetNeeded):
        envs.step([ToolCall("no_such_tool", {})] * 2)


def test_what_is_returned_stays() -> None:
    """Later steps change nothing that was handed out."""
    envs = ToolVectorEnv(make_env(DOMAINS[0]), 2)
    stream = [envs.reset(seed=1), envs.step([ToolCall("no_such_tool", {})] * 2)]
    kept = plain(stream)
    envs.step([ToolCall("finish", {})] * 2)
    envs.step([ToolCall("finish", {})] * 2)
    assert plain(stream) == kept


def test_numbers_must_agree() -> None:
    """As many seeds and actions as environments, and at least one environment."""
    envs = ToolVectorEnv(make_env(DOMAINS[0]), 2)
    with pytest.raises(ValueError, match="3 seeds for 2"):
        envs.reset(seed=[1, 2, 3])
    envs.reset(seed=[1, None])
    for actions in ([ToolCall("x", {})], [ToolCall("x", {})] * 3):
        with pytest.raises(ValueError, match=f"{len(actions)} actions for 2"):
            envs.step(actions)
    assert [len(env.calls) for env in envs.envs] == [0, 0]
    with pytest.raises(ValueError, match="num_envs"):
        ToolVectorEnv(make_env(DOMAINS[0]), 0)


def test_forks_of_a_seeded_environment_do_not_run_in_lockstep() -> None:
    """Each draws its own episodes and samples its own calls, and the one seed decides them all."""

    def drawn() -> tuple[list[str], list[ToolCall]]:
        env = make_env(DOMAINS[0])
        env.reset(seed=3)
        env.action_space.seed(4)
        envs = ToolVectorEnv(env, 4)
        _, infos = envs.reset()
        return list(infos["task_id"]), list(envs.action_space.sample())

    tasks, calls = drawn()
    assert len(set(tasks)) > 1
    assert len({str(call) for call in calls}) > 1
    assert drawn() == (tasks, calls)
