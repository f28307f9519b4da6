"""verifiers through its own rollouts, against an endpoint on this machine: what comes of calls is what comes of them in this process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
import verifiers.v1 as vf
from verifiers.v1.configs.cli.eval import EvalConfig
from verifiers.v1.utils.loaders import load_environment

from adapters.little import little_pack, played
from adapters.script import Script
from agents.chat import PROMPT
from endpoint import Reply, completion, serving
from envs import ToolEnv
from synthtools.pack import load_pack
from synthtools.tool import FAULTS, ToolCall

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.filterwarnings("default")  # of the framework's own
PACK = str(little_pack())
Turns = Sequence[Sequence[ToolCall] | str]
"""Calls made together, or text."""


@pytest.fixture(autouse=True)
def _environ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "verifiers"))
    monkeypatch.setenv("NO_KEY", "none")


def as_text(call: ToolCall) -> str:
    """Arguments as a model sends them."""
    return call.arguments if isinstance(call.arguments, str) else orjson.dumps(call.arguments).decode()


def rollouts(turns: Mapping[str, Turns], **agent: Any) -> tuple[dict[str, vf.Episode], list[dict[str, Any]]]:
    """Verifiers' episodes of these tasks by the scripted endpoint, and the requests that it got."""
    asked = {task.request: turns[task.id] for task in load_pack(PACK).tasks if task.id in turns}

    def script(body: dict[str, Any]) -> Reply:
        request = next(message["content"] for message in body["messages"] if message["role"] == "user")
        turn = asked[request][sum(message["role"] == "assistant" for message in body["messages"])]
        return completion(turn) if isinstance(turn, str) else completion("", tuple((call.name, as_text(call)) for call in turn))

    async def run(url: str) -> dict[str, vf.Episode]:
        config = EvalConfig.model_validate(
            {
                "model": "tiny",
                "client": {"base_url": url, "api_key_var": "NO_KEY"},
                "env": {"taskset": {"id": "synthtools_worlds", "source": PACK, "split": "all"}, "agent": agent},
            }
        )
        env = load_environment(config.env)
        ctx = vf.ModelContext(config.model, config.client)
        tasks = list(env.taskset.include(ids=list(turns)))
        async with env.serving():
            episodes = await asyncio.gather(*(env.run_episode(task, ctx) for task in tasks))
        return {str(task.data.id): episode for task, episode in zip(tasks, episodes, strict=True)}

    with serving(script) as (url, requests):
        return asyncio.run(run(url)), requests


def told(messages: Sequence[Any]) -> list[str]:
    """What the model was told of its calls."""
    return [str(message.content) for message in messages if message.role == "tool"]


@pytest.mark.parametrize("vain", [False, True])
def test_calls_come_to_what_they_come_to_in_this_process(vain: bool) -> None:
    """Every kind of task, side by side: results, reward and metrics are equal, and what ends in vain has a cause."""
    wanted = [script for script in played() if script.success is not vain]
    episodes, requests = rollouts({script.task: [[heard.call] for heard in script.heard] for script in wanted})
    for script in wanted:
        (trace,) = episodes[script.task].traces
        assert episodes[script.task].ok, [error.message for error in trace.errors]
        assert trace.info["calls"] == [[heard.call.name, as_text(heard.call)] for heard in script.heard]
        assert trace.reward == float(script.success)
        errors = sum(heard.error is not None and heard.error not in FAULTS for heard in script.heard)
        assert trace.metrics == {"calls": float(len(script.heard)), "errors": float(errors), "finished": 1.0}
        assert (trace.info["judgement"]["cause"] == "") is script.success
        assert heard_by_model(requests, script) == [heard.content for heard in script.heard[:-1]]
    assert len(episodes) == len(wanted)


def heard_by_model(requests: Sequence[dict[str, Any]], script: Script) -> list[str]:
    """The results that the last request of an episode holds."""
    longest = max((body["messages"] for body in requests if script.opening.endswith(body["messages"][1]["content"])), key=len)
    return [message["content"] for message in longest if message["role"] == "tool"]


def test_models_get_the_schemas_and_the_opening_exactly() -> None:
    """The tools and both messages are those that any other agent is given."""
    script = played()[0]
    _, (request,) = rollouts({script.task: [[script.heard[-1].call]]})
    assert request["tools"] == [dict(tool) for tool in script.tools]
    system, asked = request["messages"]
    assert f"{system['content']}\n{asked['content']}" == f"{PROMPT}\n\n{script.opening}".replace(f"\n\n{asked['content']}", f"\n{asked['content']}")


def test_a_turn_of_many_calls_is_made_in_its_order() -> None:
    """Bad JSON, a tool that is none, good calls, the end and a call after it: as in this process."""
    script = next(script for script in played() if script.success)
    name = script.tools[0]["function"]["name"]
    turn = [ToolCall(name, '{"broken'), ToolCall("no_such_tool", {"a": 1}), *(heard.call for heard in script.heard[2:]), ToolCall(name, {})]
    episodes, _ = rollouts({script.task: [turn]})
    env = ToolEnv(load_pack(PACK))
    env.reset(options={"task": script.task})
    for call in turn:
        env.step(call)
    (trace,) = episodes[script.task].traces
    assert trace.info["calls"] == [[call.name, as_text(call)] for call, _ in env.calls]
    assert trace.reward == 1.0


def test_text_alone_is_the_end() -> None:
    """Where there is no user, what is only said is the answer that ends the episode."""
    script = played()[0]
    episodes, _ = rollouts({script.task: ["I have looked into it."]})
    (trace,) = episodes[script.task].traces
    assert trace.info["calls"] == [["finish", {"answer": "I have looked into it.", "outcome": "done"}]]
    assert trace.metrics["finished"] == 1.0


def test_an_episode_that_verifiers_cuts_off_did_not_end() -> None:
    """A limit of verifiers' is no success and no failure of ours: the trace is sound, and nothing was finished."""
    script = next(script for script in played() if script.success)
    episodes, _ = rollouts({script.task: [[heard.call] for heard in script.heard]}, max_turns=3)
    (trace,) = episodes[script.task].traces
    assert (trace.ok, trace.reward, trace.metrics["finished"]) == (True, 0.0, 0.0)
    assert trace.info["judgement"]["cause"] == "no_ending"


def test_it_runs_from_the_command_line(tmp_path: Path) -> None:
    """`vf-eval synthtools_worlds` needs no flag but the model's and the tasks'."""
    script = played()[0]
    command = [str(Path(sys.executable).parent / "vf-eval"), "synthtools_worlds", "-m", "tiny", "--no-push", "--output-dir", str(tmp_path)]
    with serving(lambda body: completion("Done.")) as (url, requests):
        endpoint = ["--client.base-url", url, "--client.api-key-var", "NO_KEY"]
        tasks = ["--env.taskset.source", PACK, "--env.taskset.split", "all", "-n", "2", "-r", "1"]
        environ = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'examples' / 'verifiers'}"}
        done = subprocess.run([*command, *endpoint, *tasks], capture_output=True, text=True, env=environ, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(requests) == 2
    assert requests[0]["tools"]
    assert script.tools
