"""What a call costs through each adapter, beside the same call in this process; and a thousand episodes at once over one server.

    make test-adapters                                  # makes the environments that hold the clients
    python benchmarks/adapters.py [--json] [--record]

One keyed read, made over and over in one episode by the protocol's own client, one call after another; the median of all, in microseconds, and
the tenth part that other work on the machine disturbed least.
Each adapter is measured in its own environment (`.venv-mcp`, `.venv-openenv`: their pins exclude each other), beside calls in that process.
Many: episodes that are all live, each of which makes the same calls, sixteen under way at a time; calls a second, with the client in this process.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
from measure import emit, machine

from envs import ToolEnv, make_env
from envs.adapters.episodes import Episodes
from synthtools.task import resolve
from synthtools.tool import ToolCall

ROOT = Path(__file__).parent.parent
BLUEPRINT = next((ROOT / "synthtools/catalog").rglob("marina_berths.yaml"))
CALLS, MANY, EACH, AT_ONCE = 300, 1000, 2, 16
STEPS = 10**6
ENVIRON = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "benchmarks")])}


def workload() -> tuple[ToolEnv, str, ToolCall]:
    """An environment in an episode whose reference begins with a look-up, its task, and that call."""
    env = make_env(pack=BLUEPRINT, split=None, max_steps=STEPS)
    for seed in range(100):
        env.reset(seed=seed)
        call = resolve(env.task.solution[0], [])
        if env.domain.tools[call.name].read_only:
            return env, env.task.id, call
    raise RuntimeError("no task begins with a look-up")


async def one_after_another(name: str, make: Callable[[], Awaitable[Any]]) -> dict[str, float]:
    """Microseconds of a call: the median, and the tenth part of them that was least disturbed."""
    times = []
    for number in range(CALLS + 20):
        begun = time.perf_counter_ns()
        await make()
        if number >= 20:
            times.append((time.perf_counter_ns() - begun) / 1000)
    return {f"{name}_us": statistics.median(times), f"{name}_us_p10": statistics.quantiles(times, n=10)[0]}


async def in_process(name: str, env: ToolEnv, call: ToolCall) -> dict[str, float]:
    """The same of a step in this process."""

    async def step() -> None:
        env.step(call)

    return await one_after_another(f"in_process_beside_{name}", step)


async def many(makes: list[Callable[[], Awaitable[Any]]]) -> float:
    """Calls a second, where each of many episodes makes a few."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(make: Callable[[], Awaitable[Any]]) -> None:
        async with room:
            await make()

    begun = time.perf_counter()
    for _ in range(EACH):
        await asyncio.gather(*map(one, makes))
    return EACH * len(makes) / (time.perf_counter() - begun)


async def mcp_figures(env: ToolEnv, task: str, call: ToolCall) -> dict[str, Any]:
    """Of MCP: in memory, over stdio, over HTTP."""
    from mcp import Client, StdioServerParameters

    from envs.adapters.mcp import Sitting
    from envs.adapters.mcp_http import http_app
    from envs.adapters.web import listen, serving

    figures: dict[str, Any] = {}
    code = "from agents.cli import main; main()"
    words = ["-c", code, "serve", str(BLUEPRINT), "--mcp", "stdio", "--task", task, "--max-steps", str(STEPS)]
    episodes = Episodes(env.worlds, max_steps=STEPS)
    stdio = StdioServerParameters(command=sys.executable, args=words, env=ENVIRON, cwd=str(ROOT))
    for name, server in (("mcp_memory", Sitting(episodes, task).server()), ("mcp_stdio", stdio)):
        async with Client(server) as client:
            figures |= await one_after_another(name, lambda client=client: client.call_tool(call.name, call.arguments))
    with serving(http_app(episodes), listen()) as url:
        async with Client(f"{url}/mcp") as harness:
            begun = (await harness.call_tool("begin_episode", {"task": task})).structured_content
            async with Client(begun["url"]) as client:
                figures |= await one_after_another("mcp_http", lambda: client.call_tool(call.name, call.arguments))
            tokens = [(await harness.call_tool("begin_episode", {"task": task})).structured_content["episode"] for _ in range(MANY)]
            made = {"name": call.name, "arguments": call.arguments}
            makes = [lambda token=token: harness.call_tool("call", {"episode": token, **made}) for token in tokens]
            figures["mcp_http_many_per_s"] = await many(makes)
    return figures


async def openenv_figures(env: ToolEnv, task: str, call: ToolCall) -> dict[str, Any]:
    """Of OpenEnv: over its websocket."""
    from openenv.core import GenericEnvClient

    from envs.adapters.openenv import openenv_app
    from envs.adapters.web import listen, serving

    action = {"type": "call_tool", "tool_name": call.name, "arguments": call.arguments}
    figures: dict[str, Any] = {}
    with serving(openenv_app(Episodes(env.worlds, max_steps=STEPS)), listen()) as url:
        async with contextlib.AsyncExitStack() as stack:
            clients = [GenericEnvClient(base_url=url, websocket_ping_interval_s=None, message_timeout_s=600) for _ in range(MANY)]
            for client in clients:
                await stack.enter_async_context(client)
                await client.reset(task=task)
                if client is clients[0]:
                    figures |= await one_after_another("openenv", lambda client=client: client.step(action))
            figures["openenv_many_per_s"] = await many([lambda client=client: client.step(action) for client in clients])
    return figures


def measured(adapter: str) -> dict[str, Any]:
    """The figures of an adapter, measured in its environment."""
    python = ROOT / f".venv-{adapter}/bin/python"
    if not python.exists():
        raise SystemExit(f"{python} is not there: `make test-adapters` makes it")
    done = subprocess.run([python, "-W", "ignore", __file__, "--adapter", adapter], capture_output=True, text=True, env=ENVIRON)
    if done.returncode:
        raise SystemExit(done.stderr)
    figures: dict[str, Any] = orjson.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Measure, print, and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--record", action="store_true", help="write benchmarks/results/servers.json")
    parser.add_argument("--adapter", choices=("mcp", "openenv"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.adapter:
        env, task, call = workload()
        beside = asyncio.run(in_process(options.adapter, env, call))
        figures = asyncio.run((mcp_figures if options.adapter == "mcp" else openenv_figures)(env, task, call))
        print(orjson.dumps({**beside, **figures}).decode())
        return
    result = {**measured("mcp"), **measured("openenv"), "episodes_at_once": MANY, "machine": machine()}
    emit("servers", result, as_json=options.json, record=options.record)


if __name__ == "__main__":
    main()
