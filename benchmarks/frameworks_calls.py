"""What a call costs inside Inspect, SkyRL-gym and verifiers beside the same call in this process.

    .venv-NAME/bin/python benchmarks/frameworks_calls.py NAME [--json] [--record]     # NAME: inspect, skyrl, verifiers

The call is a look-up. One episode of the framework's own loop makes it many times in one turn, another once a turn, a third once in all; what
the first two take beyond the third, over how many calls or turns they have more, is the cost of a call and of a turn. The model is scripted
and answers at once; for verifiers it is a server on this machine. In turn with them the calls are made in a bare environment, and all figures
are medians over the rounds, of this process's processor time (its threads' too, so of that server's). Figures of one framework are kept beside
those of the others.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from measure import RESULTS, emit, machine

from agents.cli.generate import make_pack
from envs import ToolEnv, worlds_of
from envs.speech import finish_call
from synthtools.pack import Pack, load_pack
from synthtools.task import Task, resolve
from synthtools.tool import ToolCall

ROOT = Path(__file__).parent.parent
MANY, TURNS, ROUNDS = 200, 40, 7
STEPS = MANY + 2
Turns = Sequence[Sequence[ToolCall]]
Play = Callable[[Turns], None]


def bare(pack: Pack, task: Task) -> Play:
    """Plays in an environment and nothing around it."""
    env = ToolEnv(worlds_of(pack.tasks, pack.domains), max_steps=STEPS)

    def play(turns: Turns) -> None:
        env.reset(options={"task": task})
        for turn in turns:
            for call in turn:
                env.step(call)

    return play


@contextmanager
def skyrl(folder: Path, task: Task) -> Iterator[Play]:
    """Plays in SkyRL-gym, where the calls stand in text."""
    import skyrl_gym

    from agents.adapters.skyrl import ENV_CLASS, rows

    skyrl_gym.register(id=ENV_CLASS, entry_point="agents.adapters.skyrl:ToolTextEnv")
    row = next(row for row in rows(str(folder), "all") if row["extra_info"]["task"] == task.id)

    def play(turns: Turns) -> None:
        env = skyrl_gym.make(ENV_CLASS, env_config={"max_steps": STEPS}, extras={**row, "max_turns": STEPS})
        env.init(row["prompt"])
        for turn in turns:
            written = [f'<tool_call>\n{{"name": "{call.name}", "arguments": {_text(call)}}}\n</tool_call>' for call in turn]
            env.step("\n".join(written))
        env.close()

    yield play


@contextmanager
def inspect(folder: Path, task: Task) -> Iterator[Play]:
    """Plays through Inspect's `eval`, log and score included, which a difference leaves out where they do not grow."""
    from inspect_ai import eval as evaluate
    from inspect_ai.model import ChatMessageAssistant, ModelOutput, ModelUsage, get_model
    from inspect_ai.tool import ToolCall as InspectCall

    from agents.adapters.inspect import bench

    def play(turns: Turns) -> None:
        def answer(messages: list[Any], tools: Any, choice: Any, config: Any) -> ModelOutput:
            number = sum(isinstance(message, ChatMessageAssistant) for message in messages)
            output = ModelOutput.from_content("scripted", "")
            calls = [InspectCall(id=f"c{number}-{n}", function=call.name, arguments=dict(call.arguments)) for n, call in enumerate(turns[number])]
            output.choices[0].message.tool_calls, output.usage = calls, ModelUsage()
            return output

        model = get_model("mockllm/model", custom_outputs=answer, memoize=False)
        (log,) = evaluate(
            bench(str(folder), "all", max_steps=STEPS),
            model=model,
            sample_id=task.id,
            log_dir=str(folder / "logs"),
            display="none",
            log_level="error",
        )
        if log.status != "success":
            raise RuntimeError(str(log.error))

    yield play


@contextmanager
def verifiers(folder: Path, task: Task) -> Iterator[Play]:
    """Plays in verifiers' episodes, each turn a request over HTTP to its interception and on to a scripted endpoint."""
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "examples" / "verifiers")]
    os.environ["NO_KEY"] = "none"
    import verifiers.v1 as vf
    from verifiers.v1.configs.cli.eval import EvalConfig
    from verifiers.v1.utils.loaders import load_environment

    from endpoint import Reply, completion, serving

    playing: list[Turns] = []

    def script(body: dict[str, Any]) -> Reply:
        turn = playing[-1][sum(message["role"] == "assistant" for message in body["messages"])]
        return completion("", tuple((call.name, _text(call)) for call in turn))

    async def run(env: Any, config: Any) -> None:
        (row,) = env.taskset.include(ids=[task.id])
        async with env.serving():
            episode = await env.run_episode(row, vf.ModelContext(config.model, config.client))
        if not episode.ok:
            raise RuntimeError(str(episode.traces[0].errors))

    with serving(script) as (url, _):
        tasks = {"id": "synthtools_worlds", "source": str(folder), "split": "all", "max_steps": STEPS}
        client = {"base_url": url, "api_key_var": "NO_KEY"}
        config = EvalConfig.model_validate({"model": "scripted", "client": client, "env": {"taskset": tasks}})
        env = load_environment(config.env)

        def play(turns: Turns) -> None:
            playing.append(turns)
            asyncio.run(run(env, config))

        yield play


ADAPTERS = {"inspect": inspect, "skyrl": skyrl, "verifiers": verifiers}


def figures(name: str) -> dict[str, Any]:
    """Microseconds of a call and of a turn, bare and through the adapter."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "pack"
        make_pack(folder, ["marina_berths"], 8, 3, 1)
        pack = load_pack(folder)
        task, call = _look_up(pack)
        last = finish_call("done")
        shapes: dict[str, Turns] = {"one": [[call, last]], "many": [[call] * MANY + [last]], "turns": [*([[call]] * TURNS), [last]]}
        times: dict[tuple[str, str], list[float]] = {}
        with ADAPTERS[name](folder, task) as through:
            plays = {"bare": bare(pack, task), name: through}
            for number in range(ROUNDS + 1):
                for shape, turns in shapes.items():
                    for which, play in plays.items():
                        begun = time.process_time()
                        play(turns)
                        if number:
                            times.setdefault((which, shape), []).append(time.process_time() - begun)
    taken = {key: statistics.median(values) for key, values in times.items()}
    return {
        "bare_call_us": _each(taken, "bare", "many", MANY - 1),
        "call_us": _each(taken, name, "many", MANY - 1),
        "turn_us": _each(taken, name, "turns", TURNS),
        "rounds": ROUNDS,
        "machine": machine(),
    }


def _each(taken: dict[tuple[str, str], float], which: str, shape: str, more: int) -> float:
    return round((taken[which, shape] - taken[which, "one"]) / more * 1e6, 2)


def _look_up(pack: Pack) -> tuple[Task, ToolCall]:
    """A task whose reference begins with a look-up, and that call."""
    for task in pack.tasks:
        call = resolve(task.solution[0], [])
        if pack.domains[task.domain].tools[call.name].read_only:
            return task, call
    raise RuntimeError("no task begins with a look-up")


def _text(call: ToolCall) -> str:
    return orjson.dumps(call.arguments).decode()


def kept(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """What is on record, with these figures under their name."""
    file = RESULTS / "adapters.json"
    return {**(orjson.loads(file.read_bytes()) if file.is_file() else {}), name: found}


def main() -> None:
    """Measure one framework."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("adapter", choices=sorted(ADAPTERS))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--record", action="store_true", help="add to benchmarks/results/adapters.json")
    options = parser.parse_args()
    found = figures(options.adapter)
    emit("adapters", found, as_json=options.json, record=False)
    if options.record:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "adapters.json").write_bytes(orjson.dumps(kept(options.adapter, found), option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    main()
