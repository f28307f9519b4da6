"""Inspect AI through its own `eval`: what comes of calls, and the score, are those of this process, and the log holds them."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from inspect_ai import eval, score
from inspect_ai.log import EvalLog, list_eval_logs, read_eval_log
from inspect_ai.model import ChatMessageAssistant, ChatMessageTool, ChatMessageUser, ModelOutput, ModelUsage, get_model
from inspect_ai.model._call_tools import parse_tool_call
from inspect_ai.util._json import json_schema_dump

from adapters.little import little_pack, played
from adapters.script import Script
from agents.adapters.inspect import bench, executed
from agents.chat import PROMPT
from agents.teacher import SolutionAgent
from envs import ToolEnv
from envs.env import MAX_STEPS
from synthtools.pack import load_pack
from synthtools.tool import FAULTS, ToolCall

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.filterwarnings("default")  # of the framework's own
PACK = str(little_pack())
USAGE = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
Turns = Sequence[Sequence[ToolCall] | str]
"""Calls made together, or text."""
SEEN: list[Any] = []
"""Tools that the scripted model was given, as its provider would send them."""


def scripted(turns: Mapping[str, Turns]) -> Any:
    """Inspect's mock model, playing these turns by the request."""

    def answer(messages: list[Any], tools: list[Any], choice: Any, config: Any) -> ModelOutput:
        SEEN.append([json_schema_dump(tool) | {"parameters": json_schema_dump(tool.parameters)} for tool in tools])
        request = next(message.text for message in messages if isinstance(message, ChatMessageUser))
        turn = turns[request][sum(isinstance(message, ChatMessageAssistant) for message in messages)]
        output = ModelOutput.from_content("mockllm", turn if isinstance(turn, str) else "")
        if not isinstance(turn, str):
            made = [parse_tool_call(f"c{number}", call.name, as_text(call), tools) for number, call in enumerate(turn)]
            output.choices[0].message.tool_calls = made
        output.usage = USAGE
        return output

    return get_model("mockllm/model", custom_outputs=answer, memoize=False)


def as_text(call: ToolCall) -> str:
    """Arguments as a model sends them."""
    return call.arguments if isinstance(call.arguments, str) else orjson.dumps(call.arguments).decode()


def evaluated(turns: Mapping[str, Turns], folder: Path, **settings: Any) -> EvalLog:
    """What Inspect logs of these tasks, read back from its file."""
    asked = {task.request: turns[task.id] for task in load_pack(PACK).tasks if task.id in turns}
    (log,) = eval(
        bench(PACK, "all"), model=scripted(asked), sample_id=list(turns), log_dir=str(folder), display="none", log_level="error", **settings
    )
    assert log.status == "success", log.error
    return read_eval_log(log.location)


def request_of(script: Script) -> str:
    """What is asked for."""
    return next(task.request for task in load_pack(PACK).tasks if task.id == script.task)


def told(sample: Any) -> list[str]:
    """What the model was told of its calls."""
    messages = [message for message in sample.messages if isinstance(message, ChatMessageTool)]
    return [message.error.message if message.error else message.text for message in messages]


@pytest.mark.parametrize("vain", [False, True])
def test_calls_come_to_what_they_come_to_in_this_process(vain: bool, tmp_path: Path) -> None:
    """Every kind of task: results, errors and score are equal; the reference scores 1, and what ends in vain has a cause."""
    wanted = [script for script in played() if script.success is not vain]
    log = evaluated({script.task: [[heard.call] for heard in script.heard] for script in wanted}, tmp_path)
    samples = {sample.id: sample for sample in log.samples or ()}
    for script in wanted:
        sample = samples[script.task]
        assert told(sample) == [heard.content for heard in script.heard]
        assert [message.text for message in sample.messages[:2]] == [
            f"{PROMPT}\n\n{script.opening.removesuffix(request_of(script)).rstrip()}",
            request_of(script),
        ]
        calls = sample.store["Episode:calls"]
        assert [(name, arguments) for name, arguments in calls] == [(heard.call.name, dict(heard.call.arguments)) for heard in script.heard]
        found = sample.scores["executed"]
        assert found.value == ("C" if script.success else "I")
        assert found.metadata["reward"] == sum(heard.reward for heard in script.heard)
        assert (found.metadata["cause"] == "") is script.success
        assert found.metadata["errors"] == sum(heard.error is not None and heard.error not in FAULTS for heard in script.heard)
    assert len(samples) == len(wanted)
    (scored, *_) = log.results.scores
    assert scored.metrics["accuracy"].value == (0.0 if vain else 1.0)
    assert "stderr" in scored.metrics


def test_models_get_the_schemas_exactly(tmp_path: Path) -> None:
    """Names, descriptions and parameters are those that any other agent is given, keywords included that Inspect does not know."""
    script = played()[0]
    SEEN.clear()
    evaluated({script.task: [[script.heard[-1].call]]}, tmp_path)
    given = [{key: tool[key] for key in ("name", "description", "parameters")} for tool in SEEN[0]]
    assert given == [dict(tool["function"]) for tool in script.tools]
    assert "minItems" in orjson.dumps(SEEN[0]).decode()


def test_a_turn_of_many_calls_is_made_in_its_order(tmp_path: Path) -> None:
    """Bad JSON, a tool that is none, wrong forms, good calls, the end and a call after it: as in this process, and all in the store."""
    script = next(script for script in played() if script.success)
    name = script.tools[0]["function"]["name"]
    bad = [ToolCall(name, '{"broken'), ToolCall("no_such_tool", {"a": 1}), ToolCall(name, {"nonsense": 1})]
    turn = [*bad, *(heard.call for heard in script.heard[2:]), ToolCall(name, {}), bad[0]]
    log = evaluated({script.task: [turn]}, tmp_path)
    env = ToolEnv(load_pack(PACK))
    env.reset(options={"task": script.task})
    heard = [env.step(call)[0] for call in turn]
    (sample,) = log.samples or ()
    assert told(sample) == heard
    assert len(sample.store["Episode:calls"]) == len(env.calls) == len(turn) - 2
    assert sample.scores["executed"].value == "C"


def test_text_alone_is_the_end(tmp_path: Path) -> None:
    """Where there is no user, what is only said is the answer that ends the episode."""
    script = played()[0]
    (sample,) = evaluated({script.task: ["I have looked into it."]}, tmp_path).samples or ()
    assert sample.store["Episode:calls"] == [["finish", {"answer": "I have looked into it.", "outcome": "done"}]]
    assert sample.scores["executed"].metadata["finished"]


def test_an_episode_that_inspect_cuts_off_did_not_end(tmp_path: Path) -> None:
    """A limit of Inspect's is no success and no error: the score says that nothing was finished."""
    script = next(script for script in played() if script.success)
    log = evaluated({script.task: [[heard.call] for heard in script.heard]}, tmp_path, message_limit=4)
    (sample,) = log.samples or ()
    assert sample.limit.type == "message"
    assert sample.scores["executed"].metadata["cause"] == "no_ending"


def test_a_log_is_scored_anew(tmp_path: Path) -> None:
    """The score follows from the log alone."""
    script = next(script for script in played() if script.success)
    log = evaluated({script.task: [[heard.call] for heard in script.heard]}, tmp_path)
    (before,) = (dict(sample.scores) for sample in log.samples or ())
    again = score(log, executed(PACK, "all", MAX_STEPS, False), action="overwrite", display="none")
    (after,) = (sample.scores for sample in again.samples or ())
    assert [(found.value, found.metadata) for found in after.values()] == [(found.value, found.metadata) for found in before.values()]


def test_agents_of_episodes_that_are_over_are_not_kept(tmp_path: Path) -> None:
    """However many episodes a scripted model plays, each has an agent of its own, which goes with it."""
    model = get_model("synthtools/solution", memoize=False)
    (log,) = eval(bench(PACK, "all"), model=model, epochs=2, log_dir=str(tmp_path), display="none", log_level="error")
    assert log.status == "success", log.error
    assert log.results.scores[0].metrics["accuracy"].value == 1.0
    gc.collect()
    assert [one for one in gc.get_objects() if isinstance(one, SolutionAgent)] == []


def test_it_runs_from_the_command_line(tmp_path: Path) -> None:
    """`inspect eval synthtools/bench` finds the task by its entry point and writes a log that holds every episode."""
    command = [sys.executable, "-m", "inspect_ai", "eval", "synthtools/bench", "-T", f"suite={PACK}", "-T", "split=all"]
    options = ["--model", "synthtools/solution", "--epochs", "2", "--display", "none", "--log-dir", str(tmp_path)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command, *options], capture_output=True, text=True, env=environ, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (info,) = list_eval_logs(str(tmp_path))
    log = read_eval_log(info)
    assert log.status == "success", log.error
    made = sorted((str(sample.id), sample.epoch, len(sample.store["Episode:calls"])) for sample in log.samples or ())
    assert made == sorted((task.id, epoch, len(task.solution)) for task in load_pack(PACK).tasks for epoch in (1, 2))
    assert log.results.scores[0].metrics["accuracy"].value == 1.0
