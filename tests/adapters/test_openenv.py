"""OpenEnv through its own clients, over its websocket: what comes of calls is what comes of them in this process."""

from __future__ import annotations

import asyncio
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from openenv.core import GenericEnvClient
from openenv.core.env_server.mcp_types import CallToolAction
from openenv.core.mcp_client import MCPToolClient

from adapters.script import Heard, Script, scripts
from envs import make_env
from envs.adapters.episodes import Episodes
from envs.adapters.openenv import openenv_app
from envs.adapters.web import listen, serving
from envs.env import ToolEnv
from envs.worlds import as_worlds
from packs import small_pack
from synthtools.pack import load_pack

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ROOT = Path(__file__).parent.parent.parent
PACK = load_pack(small_pack())
WORLDS = as_worlds(PACK)
SCRIPTS = list(scripts(PACK))
BRIEF = sorted(SCRIPTS, key=lambda script: len(script.heard))[:12]
ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """The URL of a server."""
    episodes = Episodes(WORLDS)
    with serving(openenv_app(episodes), listen()) as url:
        yield url
    episodes.close()


def action(one: Heard) -> dict[str, Any]:
    """A call, as the generic client sends it."""
    return {"type": "call_tool", "tool_name": one.call.name, "arguments": one.call.arguments}


def said(result: Any) -> tuple[str, str | None, float, bool]:
    """Content, error, reward and whether it is over."""
    return result.observation["result"], (result.metadata or {}).get("error"), result.reward, result.done


def heard(one: Heard) -> tuple[str, str | None, float, bool]:
    """The same of a call in this process."""
    return one.content, one.error, one.reward, one.terminated or one.truncated


async def play(client: GenericEnvClient, script: Script) -> None:
    """A script in one session."""
    begun = await client.reset(task=script.task, episode_id=script.task)
    assert (begun.observation["opening"], begun.reward, begun.done) == (script.opening, None, False)
    assert begun.observation["tool_schemas"] == list(script.tools)
    for number, one in enumerate(script.heard):
        assert said(await client.step(action(one))) == heard(one)
        state = await client.state()
        assert (state["episode_id"], state["step_count"]) == (script.task, number + 1)
        assert set(state) == {"episode_id", "step_count"}


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run it, within a bound."""
    asyncio.run(asyncio.wait_for(work, 300))


def test_it_is_as_in_this_process(served: str) -> None:
    """Every domain and kind, by the generic client: openings, schemas, results, errors, rewards and ends are equal."""

    async def work() -> None:
        async with GenericEnvClient(base_url=served) as client:
            for script in SCRIPTS:
                await play(client, script)

    assert {script.domain for script in SCRIPTS} == set(PACK.domains)
    run(work())


def test_a_seed_draws_what_it_draws_in_an_environment(served: str) -> None:
    """The same openings in turn."""
    env = ToolEnv(PACK)

    async def work() -> None:
        async with GenericEnvClient(base_url=served) as client:
            for seed in (0, 5, 2**40):
                assert (await client.reset(seed=seed)).observation["opening"] == env.reset(seed=seed)[0]

    run(work())
    env.close()


def test_the_client_of_tools_has_an_episodes_tools(served: str) -> None:
    """Its list is the episode's schemas, its calls are the episode's, and an episode begins where nobody reset."""
    script = SCRIPTS[0]

    async def work() -> None:
        async with MCPToolClient(base_url=served) as client:
            assert [tool.name for tool in await client.list_tools()][-1] == "finish"
            await client.reset(task=script.task)
            tools = await client.list_tools(use_cache=False)
            assert [(tool.name, tool.input_schema) for tool in tools] == [
                (tool["function"]["name"], tool["function"]["parameters"]) for tool in script.tools
            ]
            for one in script.heard:
                assert isinstance(one.call.arguments, dict)
                result = await client.step(CallToolAction(tool_name=one.call.name, arguments=one.call.arguments))
                assert (result.observation.result, result.reward, result.done) == (one.content, one.reward, one.terminated or one.truncated)

    run(work())


def test_what_is_malformed_is_answered_and_harms_nothing(served: str) -> None:
    """Garbage on the socket is an error of the protocol; the session and the episode go on."""
    script = SCRIPTS[0]

    async def work() -> None:
        async with websockets.connect(served.replace("http", "ws") + "/ws") as socket:

            async def ask(message: str) -> Any:
                await socket.send(message)
                return json.loads(await socket.recv())

            assert (await ask(json.dumps({"type": "reset", "data": {"task": script.task}})))["type"] == "observation"
            for message in ("{", '{"type": "fly"}', '{"type": "step", "data": {"type": "call_tool"}}', '{"type": "step", "data": 3}'):
                assert (await ask(message))["type"] == "error"
            for data, words in (({"task": "no/such"}, "There is no domain 'no' here"), ({"seed": "x"}, "Seed")):
                answer = await ask(json.dumps({"type": "reset", "data": data}))
                assert answer["type"] == "error"
                assert words in str(answer)
            for one in script.heard:
                answer = (await ask(json.dumps({"type": "step", "data": action(one)})))["data"]
                assert (answer["observation"]["result"], answer["reward"]) == (one.content, one.reward)

    run(work())


def test_a_call_whose_client_leaves_is_made_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket breaks while the call is being made: it is made once, and its session ends after it."""
    begun, go_on, made, closed = threading.Event(), threading.Event(), list[str](), threading.Event()
    step, close = ToolEnv.step, ToolEnv.close

    def slow(env: ToolEnv, call: Any) -> Any:
        begun.set()
        assert go_on.wait(120)
        answer = step(env, call)
        made.append(call.name)
        return answer

    def noted(env: ToolEnv) -> None:
        close(env)
        closed.set()

    monkeypatch.setattr(ToolEnv, "step", slow)
    monkeypatch.setattr(ToolEnv, "close", noted)
    episodes = Episodes(WORLDS)

    async def leave(url: str) -> None:
        async with websockets.connect(url.replace("http", "ws") + "/ws") as socket:
            await socket.send(json.dumps({"type": "reset", "data": {}}))
            await socket.recv()
            await socket.send(json.dumps({"type": "step", "data": {"type": "call_tool", "tool_name": "any", "arguments": {}}}))
            assert await asyncio.to_thread(begun.wait, 120)
            socket.transport.abort()
        go_on.set()
        assert await asyncio.to_thread(closed.wait, 120)

    with serving(openenv_app(episodes), listen()) as url:
        run(leave(url))
    assert made == ["any"]
    assert len(episodes) == 0


async def together(url: str, count: int) -> None:
    """So many sessions at once, all begun before the first call and live until the last."""
    chosen = [BRIEF[number % len(BRIEF)] for number in range(count)]
    room = asyncio.Semaphore(16)
    clients = [GenericEnvClient(base_url=url, message_timeout_s=600, connect_timeout_s=600, websocket_ping_interval_s=None) for _ in chosen]

    async def begin(client: GenericEnvClient, script: Script) -> None:
        async with room:
            await client.connect()
            assert (await client.reset(task=script.task)).observation["opening"] == script.opening

    async def call(client: GenericEnvClient, one: Heard) -> None:
        async with room:
            assert said(await client.step(action(one))) == heard(one)

    try:
        await asyncio.gather(*map(begin, clients, chosen))
        for place in range(max(len(script.heard) for script in chosen)):
            await asyncio.gather(*(call(client, one.heard[place]) for client, one in zip(clients, chosen, strict=True) if place < len(one.heard)))
    finally:
        await asyncio.gather(*(client.close() for client in clients))


def test_twenty_sessions_at_once_do_not_mix(served: str) -> None:
    """Over one server, calls in turn."""
    run(together(served, 20))


@pytest.mark.slow
def test_a_thousand_sessions_at_once_do_not_mix(served: str) -> None:
    """As twenty do."""
    asyncio.run(together(served, 1000))


def test_more_sessions_than_there_is_room_for_are_refused() -> None:
    """With a message; those that are there go on, and lose nothing when their neighbours reset."""
    episodes = Episodes(WORLDS, most=4)

    async def work(url: str) -> None:
        async with GenericEnvClient(base_url=url) as one, GenericEnvClient(base_url=url) as two:
            await one.reset(task=SCRIPTS[0].task)
            for _ in range(5):
                await two.reset()
            with pytest.raises(Exception, match="(?i)capacity|closed|2 "):
                async with GenericEnvClient(base_url=url) as other:
                    await other.reset()
            for first in SCRIPTS[0].heard[:2]:
                assert said(await one.step(action(first))) == heard(first)

    with serving(openenv_app(episodes), listen()) as url:
        run(work(url))
    episodes.close()


def test_openenv_validates_the_example_and_its_running_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own command, over the package and over the server that is in it."""
    monkeypatch.setenv("SYNTHTOOLS_PACK", str(small_pack()))
    application = runpy.run_path(str(ROOT / "examples/openenv/server/app.py"))["app"]
    openenv = [str(Path(sys.executable).parent / "openenv"), "validate"]
    package = subprocess.run([*openenv, str(ROOT / "examples/openenv"), "--level", "static"], capture_output=True, text=True, env=ENVIRON)
    with serving(application, listen()) as url:
        running = subprocess.run([*openenv, "--url", url, "--timeout", "60"], capture_output=True, text=True, env=ENVIRON)
    assert package.returncode == 0, package.stdout + package.stderr
    assert running.returncode == 0, running.stdout + running.stderr


def test_the_command_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    """One JSON object when it answers; after SIGTERM it exits well and has said so."""
    code = "import sys; from agents.cli import main; main()"
    command = [sys.executable, "-W", "ignore", "-c", code, "serve", str(small_pack()), "--openenv", "--port", "0", "--json"]
    env = make_env(pack=small_pack(), split=None)
    opening, _ = env.reset(seed=4)
    with (tmp_path / "errors").open("w") as errors:
        process = subprocess.Popen(command, env=ENVIRON, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert httpx.get(f"{told['url']}/health", timeout=60).json()["status"] == "healthy"

        async def work() -> None:
            async with GenericEnvClient(base_url=told["url"]) as client:
                assert (await client.reset(seed=4)).observation["opening"] == opening

        run(work())
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
        assert process.stdout.read() == ""
        process.stdout.close()
    env.close()
    assert "synthtools: ended after 1 episode" in (tmp_path / "errors").read_text().splitlines()
