"""SkyRL-gym through its own registry: what comes of a turn's calls is what comes of them in this process."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pytest
import skyrl_gym
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.little import little_pack, played
from adapters.script import Script
from agents.adapters.skyrl import ENV_CLASS, rows
from envs import ToolEnv
from envs.reward import ERROR_COST
from envs.speech import finish_call
from synthtools.pack import load_pack
from synthtools.tool import FAULTS, ToolCall

skyrl_gym.register(id=ENV_CLASS, entry_point="agents.adapters.skyrl:ToolTextEnv")
pytestmark = pytest.mark.filterwarnings("default")  # of the framework's own
PACK = str(little_pack())
ROWS = {row["extra_info"]["task"]: row for row in rows(PACK, "all")}
RESULT = re.compile(r"<tool_response>\n(.*?)\n</tool_response>", re.DOTALL)


def made(task: str, **row: Any) -> Any:
    """An environment as SkyRL's generator makes it, at its episode's beginning."""
    env = skyrl_gym.make(ENV_CLASS, env_config={}, extras={**ROWS[task], **row})
    messages, _ = env.init(ROWS[task]["prompt"])
    assert messages == ROWS[task]["prompt"]
    return env


def written(*calls: ToolCall) -> str:
    """A turn of calls, as models write them."""
    return "I look.\n" + "\n".join(
        f"<tool_call>\n{orjson.dumps({'name': call.name, 'arguments': call.arguments}).decode()}\n</tool_call>" for call in calls
    )


def heard(observations: Sequence[dict[str, str]]) -> Iterator[str]:
    """The results that a turn was told."""
    for message in observations:
        assert message["role"] == "user"
        yield from RESULT.findall(message["content"])


def calls_of(script: Script) -> list[ToolCall]:
    """Its calls."""
    return [heard.call for heard in script.heard]


@pytest.mark.parametrize("script", played(), ids=lambda script: f"{script.task}-{script.success}")
def test_calls_come_to_what_they_come_to_in_this_process(script: Script) -> None:
    """Every kind of task: results, rewards and the end are equal, call by call."""
    env = made(script.task)
    for number, wanted in enumerate(script.heard):
        step = env.step(written(wanted.call))
        assert step["metadata"]["results"] == [wanted.content]
        assert list(heard(step["observations"])) == ([] if wanted.terminated else [wanted.content])
        assert (step["reward"], step["done"]) == (wanted.reward, wanted.terminated)
        assert env.get_metrics()["calls"] == number + 1
    errors = sum(one.error is not None and one.error not in FAULTS for one in script.heard)
    whole = {"success": float(script.success), "calls": float(len(script.heard)), "errors": float(errors), "malformed": 0.0, "finished": 1.0}
    assert env.get_metrics() == whole
    env.close()


def test_a_turn_of_many_calls_is_made_in_its_order() -> None:
    """What cannot be read comes back as its error; what follows the end is not made."""
    script = next(script for script in played() if script.success)
    name, calls = script.tools[0]["function"]["name"], calls_of(script)
    broken = f'<tool_call>\n{{"name": "{name}", "arguments": {{"a": \n</tool_call>\n'
    env = made(script.task)
    step = env.step(broken + written(*calls[2:], ToolCall(name, {})))
    beside = ToolEnv(load_pack(PACK))
    beside.reset(options={"task": script.task})
    results = [beside.step(call)[0] for call in calls[2:]]
    assert "invalid_json" in step["metadata"]["results"][0]
    assert step["metadata"]["results"][1:] == results
    assert (step["reward"], step["done"], env.get_metrics()["malformed"]) == (1.0, True, 1.0)


def test_the_prompt_holds_all_that_an_agent_is_given() -> None:
    """The briefing, the request, every schema exactly, and how a call is written."""
    for script in played():
        system, request = ROWS[script.task]["prompt"]
        assert script.opening.endswith(request["content"])
        assert script.opening.removesuffix(request["content"]).rstrip() in system["content"]
        lines = system["content"].partition("<tools>\n")[2].partition("\n</tools>")[0].splitlines()
        assert [orjson.loads(line) for line in lines] == [dict(tool) for tool in script.tools]
        assert "<tool_call>" in system["content"]


def test_text_alone_is_the_end_and_turns_are_bounded() -> None:
    """Where there is no user, text is the answer; an episode that runs out of turns is done, not finished, and earns nothing."""
    script = next(script for script in played() if script.success)
    env = made(script.task)
    step = env.step("<think>hm</think>There is nothing to do.<|im_end|>")
    assert (step["done"], step["reward"], step["observations"]) == (True, 0.0, [])
    beside = ToolEnv(load_pack(PACK))
    beside.reset(options={"task": script.task})
    assert step["metadata"]["results"] == [beside.step(finish_call("There is nothing to do."))[0]]
    assert env.get_metrics()["finished"] == 1.0
    env = made(script.task, max_turns=2)
    steps = [env.step(written(call)) for call in calls_of(script)[2:4]]
    assert [(step["reward"], step["done"]) for step in steps] == [(0.0, False), (0.0, True)]
    assert env.get_metrics()["finished"] == 0.0


@pytest.mark.parametrize("last", [ToolCall("finish", {"outcome": "not_allowed"}), ToolCall("no_such_tool", {})], ids=lambda call: call.name)
def test_the_shaped_reward_settles_however_an_episode_ends(last: ToolCall) -> None:
    """All the right changes and then a wrong ending, or no turn left for one: what was paid on the way is taken back."""
    script = max((script for script in played() if script.success), key=lambda script: len(script.heard))
    row = {**ROWS[script.task], "max_turns": len(script.heard)}
    env = skyrl_gym.make(ENV_CLASS, env_config={"reward": "shaped"}, extras=row)
    env.init(ROWS[script.task]["prompt"])
    steps = [env.step(written(call)) for call in [*calls_of(script)[:-1], last]]
    assert max(step["reward"] for step in steps) > 0.0
    assert sum(step["reward"] for step in steps) == pytest.approx(-ERROR_COST * env.get_metrics()["errors"])
    assert [step["done"] for step in steps] == [False] * (len(steps) - 1) + [True]
    env.close()


@settings(deadline=None, derandomize=True, database=None)
@given(st.text(max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    """Whatever a model writes is a turn."""
    env = made(next(iter(ROWS)))
    step = env.step(text)
    assert isinstance(step["done"], bool)
    assert step["metadata"]["results"]
    env.close()


def test_another_task_of_the_pack_is_not_known() -> None:
    """A row that names no task is an error of ours and says so."""
    row = {**ROWS[next(iter(ROWS))], "extra_info": {"source": PACK, "split": "all", "task": "marina_berths/none"}}
    with pytest.raises(KeyError, match="marina_berths/none"):
        skyrl_gym.make(ENV_CLASS, env_config={}, extras=row)
