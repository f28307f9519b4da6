"""A tool environment keeps Gymnasium's contract, answers whatever an agent does, forks, pickles and can be read."""

from __future__ import annotations

import datetime
import pickle
import threading
import warnings
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import orjson
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from envs import ToolEnv, Worlds, register_envs, worlds_of
from envs.registration import WORLDS_ID
from envs.worlds import GrownShelf
from playing import DOMAINS, coming_calls, make_env, solve, some_tasks
from synthtools.catalog import catalog
from synthtools.goal import Judgement
from synthtools.load import load_domain
from synthtools.pack import save_pack
from synthtools.task import Task
from synthtools.tool import ToolCall
from synthtools.user import RESPOND
from synthtools.user import User as Person

IDS = [*(catalog()[name].env_id for name in DOMAINS), WORLDS_ID]
FINISH = ToolCall("finish", {"outcome": "impossible", "about": ""})


def nested(depth: int, kind: str = "list") -> Any:
    """Lists in lists, or mappings in mappings."""
    value: Any = []
    for _ in range(depth):
        value = [value] if kind == "list" else {"a": value}
    return value


class Spiteful:
    """Breaks whoever looks at it."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("compared")

    def __repr__(self) -> str:
        raise RuntimeError("shown")

    def __deepcopy__(self, memo: object) -> Spiteful:
        raise RuntimeError("copied")


HOSTILE: list[Any] = [
    *({"name": name, "arguments": {"name": value}} for name in ("finish", "x") for value in (nested(5000), nested(5000, "dict"), nested(300))),
    ToolCall("finish", {"outcome": "done", "answer": nested(5000)}),
    ToolCall("finish", {"outcome": np.array(["done", "x"])}),
    ToolCall("finish", {"outcome": "done", "answer": np.array([1, 2])}),
    ToolCall("finish", {"outcome": "done", "answer": float("inf")}),
    ToolCall("finish", {"outcome": "done", "answer": 2**70}),
    ToolCall("finish", {"outcome": "done", "answer": np.int64(3)}),
    ToolCall("finish", {"outcome": "done", "answer": datetime.date(2026, 1, 1)}),
    ToolCall("finish", {"outcome": Spiteful()}),
    ToolCall("finish", {Spiteful(): 1}),  # type: ignore[dict-item]
    *(ToolCall("x", {"a": value}) for value in ([(i for i in range(3))], [threading.Lock()], {1, 2}, [Spiteful()], 10**5000, "\ud800")),
    ToolCall("x", {"\ud800": 1}),
    ToolCall("x", '{"a": "\ud800"}'),
    ToolCall("x", nested(5000)),
    None,
    3,
    float("nan"),
    "get",
    b"bytes",
    [],
    {},
    {"name": "finish"},
    {"name": "finish", "arguments": None},
    {"name": ["finish"], "arguments": {}},
    {"name": "finish", "arguments": {"outcome": "won"}},
    ToolCall("finish", "{"),
    ToolCall("finish", {"answer": {"deep": [object()]}}),
    ToolCall("finish", {"answer": float("nan")}),
    ToolCall("finish", {1: 2}),  # type: ignore[dict-item]
    ToolCall("finish", {"about": "\ud800"}),
    ToolCall("reset", {}),
    ToolCall("__class__", {}),
    ToolCall("'; DROP TABLE x; --", {}),
    ToolCall("\ud800", {}),
    ToolCall("", ""),
    ToolCall([], {}),  # type: ignore[arg-type]
    ToolCall("respond", {"text": "hello"}),
    ToolCall("x", object()),  # type: ignore[arg-type]
    ToolCall("x" * 100_000, "[" * 100_000),
]


@pytest.mark.parametrize("env_id", IDS)
def test_gymnasium_finds_nothing_wrong(env_id: str) -> None:
    """`check_env` passes on every registered id, with every warning an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make(env_id)
        check_env(env.unwrapped)
        env.close()


@pytest.mark.parametrize("env_id", IDS)
def test_the_default_wrappers_find_nothing_wrong(env_id: str) -> None:
    """An episode goes through PassiveEnvChecker and OrderEnforcing, with every warning an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make(env_id, render_mode="ansi", max_steps=5)
        env.reset(seed=3)
        env.action_space.seed(3)
        over = False
        while not over:
            _, _, terminated, truncated, _ = env.step(env.action_space.sample())
            over = terminated or truncated
        assert isinstance(env.render(), str)
        env.close()


@pytest.mark.parametrize("env_id", IDS)
def test_the_spec_goes_through_json(env_id: str) -> None:
    """What made an environment can be written down and makes the same one again."""
    env = gymnasium.make(env_id, reward="shaped", difficulty=(1, 9))
    spec = EnvSpec.from_json(env.spec.to_json())  # type: ignore[union-attr]
    again = gymnasium.make(spec)
    assert again.reset(seed=5) == env.reset(seed=5)
    assert again.unwrapped.reward == "shaped"  # type: ignore[attr-defined]


def test_registering_twice_changes_nothing() -> None:
    """Importing, reloading or registering again overrides no id and warns of none."""
    before = dict(gymnasium.registry)
    register_envs()
    assert dict(gymnasium.registry) == before


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_opening(domain: str) -> None:
    """The first observation holds the day, every policy and the request; info lists the tools that the agent has."""
    env = make_env(domain)
    observation, info = env.reset(seed=2)
    assert env.domain.today in observation
    assert all(policy.text in observation and name in observation for name, policy in env.domain.policies.items())
    assert observation.endswith(env.task.request)
    assert info == {"task_id": env.task.id, "domain": domain, "tools": orjson.dumps(list(env.tools)).decode()}
    names = [tool["function"]["name"] for tool in env.tools]
    assert names[-1] == "finish"
    assert len(names) == len(env.domain.tools) - len(env.task.withheld) + 1


@pytest.mark.parametrize("domain", DOMAINS)
def test_solutions_succeed(domain: str) -> None:
    """Each task's solution ends its episode with reward 1, and only there."""
    env = make_env(domain)
    for task in some_tasks(domain, 6):
        env.reset(options={"task": task})
        *before, (_, reward, terminated, truncated, info) = solve(env)
        assert [step[1:4] for step in before] == [(0.0, False, False)] * len(before)
        assert (reward, terminated, truncated, info) == (1.0, True, False, {"success": True, "judgement": ""})
        assert env.judgement == Judgement(True)
        assert len(env.calls) == len(task.solution)


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_seed_decides(domain: str) -> None:
    """Equal seeds give equal episodes; without a seed the chain of episodes goes on."""
    one, two = make_env(domain), make_env(domain)
    first = [one.reset(seed=9), one.reset(), one.reset()]
    assert [two.reset(seed=9), two.reset(), two.reset()] == first
    assert len({info["task_id"] for _, info in first}) > 1


def test_a_task_can_be_named() -> None:
    """By id or as it is; anything else that is asked for is an error that says what there is."""
    env = make_env(DOMAINS[0])
    task = some_tasks(DOMAINS[0], 3)[2]
    assert env.reset(options={"task": task.id}) == env.reset(options={"task": task})
    assert env.task is task
    with pytest.raises(ValueError, match="no task"):
        env.reset(options={"task": f"{DOMAINS[0]}/single/none"})
    with pytest.raises(ValueError, match="no domain 'nowhere'"):
        env.reset(options={"task": "nowhere/single/1"})
    with pytest.raises(ValueError, match="unknown option 'goal'"):
        env.reset(options={"goal": 1})


def test_hostile_actions_are_answered() -> None:
    """Whatever is passed for an action comes back as a typed error in JSON; nothing has changed, and the episode goes on."""
    env = make_env(DOMAINS[0], max_steps=len(HOSTILE) + 2)
    env.reset(options={"task": next(task for task in some_tasks(DOMAINS[0], 20) if task.user is None)})
    for action in HOSTILE:
        observation, reward, terminated, truncated, info = env.step(action)
        assert (reward, terminated, truncated) == (0.0, False, False), action
        assert info["error"], action
        assert orjson.loads(observation)
        assert env.backend.changes() == ()
    assert len(env.calls) == len(HOSTILE)
    for call, _ in env.calls:
        plain = {"name": call.name, "arguments": call.arguments}
        assert orjson.loads(orjson.dumps(plain)) == plain
    assert env.step(FINISH)[2]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@cache
def arena() -> ToolEnv:
    """One environment for all examples."""
    return make_env(DOMAINS[0], max_steps=1_000_000)


NAMES = st.deferred(lambda: st.sampled_from([*arena().worlds.offers(DOMAINS[0]).domain.tools, "finish"])) | st.text()


@given(st.builds(ToolCall, NAMES, st.dictionaries(st.text(), JSON) | st.text()) | JSON)
@settings(max_examples=150, deadline=None)
def test_no_action_raises(action: Any) -> None:
    """Nothing that an agent can write raises, and every answer is text of the observation space."""
    arena().reset(seed=1)
    observation, *_ = arena().step(action)
    assert arena().observation_space.contains(observation)
    assert observation.encode()


def test_after_the_end() -> None:
    """A call after the end is told so, earns nothing and leaves everything as it was."""
    env = make_env(DOMAINS[0])
    env.reset(seed=1)
    env.step(FINISH)
    calls, changes, judgement = list(env.calls), env.backend.changes(), env.judgement
    late: list[Any] = [FINISH, ToolCall("x", {}), None]
    for call in late:
        _, reward, terminated, truncated, info = env.step(call)
        assert (reward, terminated, truncated, info["error"]) == (0.0, True, False, "episode_done")
    assert (env.calls, env.backend.changes(), env.judgement) == (calls, changes, judgement)


def test_steps_before_a_reset_are_our_mistake() -> None:
    """Before the first reset, and after closing, there is no episode."""
    env = make_env(DOMAINS[0], render_mode="ansi")
    with pytest.raises(ResetNeeded):
        env.step(FINISH)
    with pytest.raises(ResetNeeded):
        env.render()
    env.reset()
    env.close()
    env.close()
    with pytest.raises(ResetNeeded):
        env.step(FINISH)
    assert env.reset()


def test_the_limit_truncates() -> None:
    """The last step allowed truncates unless it finishes; the episode is then not met for want of an ending."""
    env = make_env(DOMAINS[0], max_steps=3)
    env.reset(seed=1)
    flags = [env.step(ToolCall("x", {}))[2:4] for _ in range(3)]
    assert flags == [(False, False), (False, False), (False, True)]
    assert env.judgement == Judgement(False, "no_ending")
    assert env.step(FINISH)[2:4] == (False, True)
    env.reset(seed=1)
    assert [env.step(call)[2:4] for call in (ToolCall("x", {}), ToolCall("x", {}), FINISH)] == [
        (False, False),
        (False, False),
        (True, False),
    ]


@pytest.mark.parametrize(("setting", "value"), [("max_steps", 1), ("reward", "sucess"), ("render_mode", "human")])
def test_wrong_settings_are_refused(setting: str, value: Any) -> None:
    """With a line that names the setting."""
    with pytest.raises(ValueError, match=setting):
        make_env(DOMAINS[0], **{setting: value})


def outcome(env: ToolEnv) -> tuple[Any, ...]:
    """All that an episode came to."""
    return env.calls, env.backend.changes(), env.ending, env.judgement, env.terminated, env.truncated


@pytest.mark.parametrize("reward", ["success", "shaped"])
@pytest.mark.parametrize("domain", DOMAINS)
def test_forks_at_every_step(domain: str, reward: str) -> None:
    """A fork at any step of a solution goes on as the original does, and the original never notices."""
    env = make_env(domain, reward=reward)
    for task in some_tasks(domain, 4):
        env.reset(seed=1, options={"task": task})
        whole = solve(env)
        wanted = outcome(env)
        env.reset(seed=1, options={"task": task})
        for number, call in enumerate(coming_calls(env)):
            fork = env.fork()
            before = (list(env.calls), env.backend.changes())
            assert solve(fork) == whole[number:]
            assert outcome(fork) == wanted
            assert (env.calls, env.backend.changes()) == before
            fork.close()
            env.step(call)
        assert outcome(env) == wanted


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_fork_draws_the_same_tasks_and_actions(domain: str) -> None:
    """Chance is copied, not shared: before the first reset, in an episode and after its end."""
    env = make_env(domain)
    env.action_space.seed(1)
    unborn = env.fork()
    assert unborn.reset(seed=4) == env.reset(seed=4)
    fork = env.fork()
    assert [fork.action_space.sample() for _ in range(5)] == [env.action_space.sample() for _ in range(5)]
    assert [fork.reset() for _ in range(3)] == [env.reset() for _ in range(3)]
    env.step(FINISH)
    ended = env.fork()
    assert outcome(ended) == outcome(env)
    assert ended.step(FINISH) == env.step(FINISH)


@pytest.mark.parametrize("domain", DOMAINS)
def test_pickles_go_on(domain: str) -> None:
    """A pickle in the middle of an episode goes on identically, chance and spaces included."""
    env = make_env(domain, reward="shaped", max_steps=20)
    env.action_space.seed(8)
    fresh = pickle.loads(pickle.dumps(env))
    assert fresh.reset(seed=6) == env.reset(seed=6)
    task = next(task for task in some_tasks(domain, 20) if len(task.solution) > 2)
    env.reset(options={"task": task})
    env.step(next(coming_calls(env)))
    copy: ToolEnv = pickle.loads(pickle.dumps(env))
    assert outcome(copy) == outcome(env)
    assert [copy.action_space.sample() for _ in range(5)] == [env.action_space.sample() for _ in range(5)]
    assert solve(copy) == solve(env)
    assert copy.reset() == env.reset()
    assert (copy.max_steps, copy.reward, copy.spec) == (env.max_steps, env.reward, env.spec)


def test_a_made_env_pickles() -> None:
    """With Gymnasium's wrappers and spec."""
    env = gymnasium.make(IDS[0])
    env.reset(seed=1)
    assert pickle.loads(pickle.dumps(env)).step(FINISH) == env.step(FINISH)


def test_withheld_tools_do_not_exist() -> None:
    """A tool that the task withholds is not listed and answers as one that never was."""
    domain = DOMAINS[0]
    env = make_env(domain)
    env.reset()
    task = replace(some_tasks(domain, 1)[0], withheld=(next(iter(env.domain.tools.values())).key,))
    env.reset(options={"task": task})
    name = env.domain.tool(task.withheld[0]).name
    assert name not in {tool["function"]["name"] for tool in env.tools}
    barred, unknown = env.step(ToolCall(name, {})), env.step(ToolCall("no_such_tool", {}))
    assert barred[0].replace(name, "no_such_tool") == unknown[0]
    assert barred[1:] == unknown[1:]


def test_the_transcript_reads() -> None:
    """`ansi` shows the request, each call with its result, and how it ended; without a render mode there is nothing."""
    env = make_env(DOMAINS[0], render_mode="ansi")
    env.reset(seed=2)
    solve(env)
    text = env.render()
    assert text is not None
    assert env.task.request in text
    assert all(call.name in text for call, _ in env.calls)
    assert text.endswith("goal       met")
    assert make_env(DOMAINS[0]).render() is None


def test_mixtures_change_tools() -> None:
    """A mixture draws from its domains by weight; a weight of zero is never drawn."""
    env = gymnasium.make(WORLDS_ID, split=None).unwrapped
    assert isinstance(env, ToolEnv)
    drawn = {}
    env.reset(seed=1)
    for _ in range(20 * len(DOMAINS)):
        _, info = env.reset()
        drawn[info["domain"]] = info["tools"]
    assert set(drawn) == set(DOMAINS)
    assert len(set(drawn.values())) >= len(DOMAINS)


def test_weights_decide_how_often() -> None:
    """A domain of weight zero is never drawn; the others by their shares."""
    names = {"one": 3.0, "two": 0.0, "three": 1.0}
    shelf = GrownShelf(DOMAINS[0])
    worlds = Worlds(dict.fromkeys(names, shelf), names)
    picks = Counter(worlds.pick(np.random.default_rng(seed)) for seed in range(400))
    assert set(picks) == {"one", "three"}
    assert 0.68 < picks["one"] / 400 < 0.82


def test_own_blueprints_make_a_mixture() -> None:
    """Blueprint files are compiled and their tasks grown; a file that is none says so."""
    entry = catalog()[DOMAINS[0]]
    env = gymnasium.make(WORLDS_ID, pack=[str(entry.path)], split=None)
    assert env.reset(seed=1)[1]["domain"] == entry.name
    with pytest.raises(ValueError, match="no_such_file"):
        gymnasium.make(WORLDS_ID, pack=["no_such_file.yaml"])


def test_a_pack_makes_a_mixture(tmp_path: Path) -> None:
    """A pack's folder brings its tasks and domains; they pickle, and the split and names asked for are kept to."""
    entry = catalog()[DOMAINS[0]]
    tasks = some_tasks(entry.name, 4)
    save_pack(tmp_path, {entry.name: load_domain(entry.name)}, tasks, dropped={}, seed=0)
    env = gymnasium.make(WORLDS_ID, pack=str(tmp_path), split=entry.split, domains=[entry.name])
    assert {env.reset(seed=seed)[1]["task_id"] for seed in range(60)} == {task.id for task in tasks}
    assert pickle.loads(pickle.dumps(env)).reset(seed=3) == env.reset(seed=3)
    envs = gymnasium.make_vec(WORLDS_ID, 2, pack=str(tmp_path), split=None)
    assert set(envs.reset(seed=1)[1]["task_id"]) <= {task.id for task in tasks}
    with pytest.raises(ValueError, match=f"{entry.name} is of {entry.split}"):
        gymnasium.make(WORLDS_ID, pack=str(tmp_path), split="another")


def test_difficulty_is_kept() -> None:
    """Every task drawn is of the difficulty asked for, and one that nobody has is an error."""
    domain = DOMAINS[0]
    levels = sorted({task.difficulty for task in some_tasks(domain, 64)})
    env = gymnasium.make(IDS[0], difficulty=(levels[0], levels[1])).unwrapped
    assert isinstance(env, ToolEnv)
    drawn = []
    for seed in range(30):
        env.reset(seed=seed)
        drawn.append(env.task.difficulty)
    assert set(drawn) <= {levels[0], levels[1]}
    env.reset(options={"difficulty": levels[-1]})
    assert env.task.difficulty == levels[-1]
    with pytest.raises(ValueError, match="difficulty"):
        env.reset(options={"difficulty": 1000})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"domains": "atlantis"}, "no domain 'atlantis'"),
        ({"weights": {"atlantis": 1.0}}, "'atlantis'"),
        ({"weights": {DOMAINS[0]: -1.0}}, "below zero"),
        ({"difficulty": (5, 2)}, "between 5 and 2"),
        ({"split": "trian"}, "trian"),
    ],
)
def test_wrong_mixtures_are_refused(settings: dict[str, Any], words: str) -> None:
    """With a line that says what is wrong."""
    with pytest.raises(ValueError, match=words):
        gymnasium.make(WORLDS_ID, **{"split": None, **settings})


def test_worlds_of_tasks_at_hand() -> None:
    """Tasks and their domains make an environment; a task of another domain does not go in."""
    domain = DOMAINS[0]
    tasks = some_tasks(domain, 3)
    env = make_env(domain)
    env.reset()
    held = ToolEnv(worlds_of(tasks, {domain: env.domain}))
    assert {held.reset(seed=seed)[1]["task_id"] for seed in range(40)} == {task.id for task in tasks}
    assert held.reset(options={"task": tasks[1].id})[1]["task_id"] == tasks[1].id
    with pytest.raises(ValueError, match="not among"):
        worlds_of(tasks, {})


class Guest:
    """A user who counts what it hears, and stays."""

    gone = False

    def __init__(self) -> None:
        self.heard: list[str] = []

    def begin(self, task: Task) -> None:
        """Forget."""
        self.heard = []

    def hear(self, text: str) -> str:
        """Say which remark that was."""
        self.heard.append(text)
        return f"That is remark {len(self.heard)}, é."


ANYONE = Person("plain", 1, "Do it.")
"""A user who knows nothing."""


def test_who_stays_away_is_not_asked() -> None:
    """A task without a user has no `respond`, whoever is there to play one."""
    env = make_env(DOMAINS[0], user=Guest())
    env.reset(options={"task": some_tasks(DOMAINS[0], 1)[0]})
    assert "respond" not in [tool["function"]["name"] for tool in env.tools]
    assert env.step(ToolCall(RESPOND.name, {"text": "hello"}))[4]["error"] == "unknown_tool"


def test_a_user_is_heard() -> None:
    """Where a task has a user there is `respond`, and who plays the user answers; forks remember what was said and go on apart."""
    env = make_env(DOMAINS[0], user=Guest())
    env.reset(options={"task": replace(some_tasks(DOMAINS[0], 1)[0], user=ANYONE)})
    assert [tool["function"]["name"] for tool in env.tools][-2:] == [RESPOND.name, "finish"]
    replies = [env.step(ToolCall(RESPOND.name, {"text": "hello"}))[0] for _ in range(2)]
    assert replies == ['{"reply":"That is remark 1, é."}', '{"reply":"That is remark 2, é."}']
    fork: ToolEnv = pickle.loads(pickle.dumps(env.fork()))
    assert fork.step(ToolCall(RESPOND.name, '{"text": "and?"}'))[0] == '{"reply":"That is remark 3, é."}'
    assert env.step(ToolCall(RESPOND.name, {"text": "and?"}))[0] == '{"reply":"That is remark 3, é."}'
    assert env.step(ToolCall(RESPOND.name, {"words": "?"}))[4]["error"] == "unexpected_argument"
