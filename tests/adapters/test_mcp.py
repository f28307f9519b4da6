"""MCP through its official client, in memory, over stdio and over HTTP: what comes of calls is what comes of them in this process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import anyio
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from adapters.script import Heard, Script, scripts
from envs import make_env
from envs.adapters.episodes import Answer, Episodes
from envs.adapters.mcp import ACCOUNT, ERROR, OVER, Sitting, agent_server
from envs.adapters.mcp_http import agents_app, episode_path, http_app
from envs.adapters.web import listen, serving
from envs.worlds import as_worlds
from packs import small_pack
from synthtools.pack import load_pack
from synthtools.tool import ToolCall

ROOT = Path(__file__).parent.parent.parent
PACK = load_pack(small_pack())
WORLDS = as_worlds(PACK)
SCRIPTS = list(scripts(PACK))
BRIEF = sorted(SCRIPTS, key=lambda script: len(script.heard))[:12]
AGES: tuple[Literal["auto", "legacy"], ...] = ("auto", "legacy")
SERVE = ["-c", "import sys; from agents.cli import main; main()", "serve", str(small_pack()), "--mcp"]
ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT)}
KEY = "a key"


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """The URL of a server over HTTP."""
    with serving(http_app(Episodes(WORLDS)), listen()) as url:
        yield url


@asynccontextmanager
async def sat(age: Literal["auto", "legacy"] = "auto") -> AsyncIterator[Client]:
    """A client in memory of a connection that harness and agent share."""
    episodes = Episodes(WORLDS)
    async with Client(Sitting(episodes, seed=1).server(), mode=age) as client:
        yield client
    episodes.close()


async def structured(client: Client, name: str, arguments: Mapping[str, Any]) -> Any:
    """What a harness's tool answers."""
    result = await client.call_tool(name, dict(arguments))
    assert not result.is_error, result.content
    return result.structured_content


async def call(client: Client, made: ToolCall) -> Any:
    """An agent's call of a tool."""
    assert isinstance(made.arguments, Mapping)
    return await client.call_tool(made.name, dict(made.arguments))


def said(result: Any) -> tuple[str, str | None, bool]:
    """Content, error and whether it is over, which agree with `is_error`."""
    (content,) = result.content
    assert result.is_error == (ERROR in result.meta)
    return content.text, result.meta.get(ERROR), result.meta[OVER]


def heard(one: Heard) -> tuple[str, str | None, bool]:
    """The same of a call in this process."""
    return one.content, one.error, one.terminated or one.truncated


def schemas(tools: Sequence[Any]) -> list[tuple[str, str, Any]]:
    """Names, descriptions and schemas of MCP's tools or of chat models'."""
    if tools and isinstance(tools[0], Mapping):
        return [(tool["function"]["name"], tool["function"]["description"], tool["function"]["parameters"]) for tool in tools]
    return [(tool.name, tool.description, tool.input_schema) for tool in tools]


def came_to(script: Script) -> dict[str, Any]:
    """The account of a script's episode, but for the judgement in words."""
    last, reward = script.heard[-1], sum(one.reward for one in script.heard)
    ends = {"terminated": last.terminated, "truncated": last.truncated, "reward": reward, "success": script.success}
    return {"task": script.task, "domain": script.domain, "calls": len(script.heard), **ends}


async def play_sitting(client: Client, script: Script) -> None:
    """A script over a shared connection: prompts begin, tools act, a resource says what it came to."""
    opening = await client.get_prompt("begin", {"task": script.task})
    assert opening.messages[0].content.text == script.opening
    assert schemas((await client.list_tools()).tools) == schemas(script.tools)
    for one in script.heard:
        with pytest.raises(MCPError, match="is not over"):
            await client.read_resource(ACCOUNT)
        assert said(await call(client, one.call)) == heard(one)
    account = json.loads((await client.read_resource(ACCOUNT)).contents[0].text)
    assert account.items() >= came_to(script).items()


async def play_http(harness: Client, script: Script, age: Literal["auto", "legacy"]) -> None:
    """A script over an episode's own endpoint, begun and ended by the harness."""
    begun = await structured(harness, "begin_episode", {"task": script.task})
    assert (begun["opening"], begun["domain"]) == (script.opening, script.domain)
    async with Client(begun["url"], mode=age) as agent:
        assert schemas((await agent.list_tools()).tools) == schemas(begun["tools"]) == schemas(script.tools)
        assert (await agent.get_prompt("task")).messages[0].content.text == script.opening
        for one in script.heard:
            assert said(await call(agent, one.call)) == heard(one)
    account = await structured(harness, "end_episode", {"episode": begun["episode"]})
    assert account.items() >= came_to(script).items()


def run(work: Callable[[], Awaitable[None]]) -> None:
    """Run it, within a bound."""

    async def bounded() -> None:
        with anyio.fail_after(300):
            await work()

    anyio.run(bounded)


@pytest.mark.parametrize("age", AGES)
def test_in_memory_it_is_as_in_this_process(age: Literal["auto", "legacy"]) -> None:
    """Every domain and kind, in both ages of the protocol: openings, schemas, results, errors, ends and rewards are equal."""

    async def work() -> None:
        async with sat(age) as client:
            for script in SCRIPTS:
                await play_sitting(client, script)

    assert {script.domain for script in SCRIPTS} == set(PACK.domains)
    assert {script.success for script in SCRIPTS} == {True, False}
    run(work)


@pytest.mark.parametrize("age", AGES)
def test_over_http_it_is_as_in_this_process(age: Literal["auto", "legacy"], served: str) -> None:
    """The same through each episode's own endpoint."""

    async def work() -> None:
        async with Client(f"{served}/mcp", mode=age) as harness:
            for script in SCRIPTS:
                await play_http(harness, script, age)

    run(work)


def test_over_stdio_it_is_as_in_this_process() -> None:
    """The same through `synthtools serve --mcp stdio`; its first episode is the one that the seed draws."""
    server = StdioServerParameters(command=sys.executable, args=[*SERVE, "stdio", "--seed", "5"], env=ENVIRON, cwd=str(ROOT))
    env = make_env(pack=small_pack(), split=None)
    opening, _ = env.reset(seed=5)

    async def work() -> None:
        async with Client(server) as client:
            assert (await client.get_prompt("task")).messages[0].content.text == opening
            for script in SCRIPTS[::2]:
                await play_sitting(client, script)

    run(work)
    env.close()


def test_the_tools_change_with_the_episode_and_clients_are_told() -> None:
    """In either age a client that listens hears of it once for each episode that is begun."""
    one, other = (next(script for script in SCRIPTS if script.domain == domain) for domain in PACK.domains)

    async def legacy() -> None:
        told: list[str] = []

        async def listen_to(message: Any) -> None:
            told.append(type(message).__name__)

        episodes = Episodes(WORLDS)
        async with Client(Sitting(episodes).server(), mode="legacy", message_handler=listen_to) as client:
            for script in (one, other):
                await client.get_prompt("begin", {"task": script.task})
                assert schemas((await client.list_tools()).tools) == schemas(script.tools)
            await anyio.sleep(0.1)
        assert [name for name in told if "ToolListChanged" in name] == ["ToolListChangedNotification"] * 2
        episodes.close()

    async def modern() -> None:
        async with sat() as client, client.listen(tools_list_changed=True) as changes:
            for script in (one, other):
                await client.get_prompt("begin", {"task": script.task})
                assert type(await anext(aiter(changes))).__name__ == "ToolsListChanged"

    run(legacy)
    run(modern)


def test_an_agents_endpoint_has_its_tools_and_its_task_and_nothing_else(served: str) -> None:
    """No prompt begins, no resource tells, no result carries a reward or the task's name, and the harness's tools are unknown there."""

    async def work() -> None:
        async with Client(f"{served}/mcp") as harness:
            begun = await structured(harness, "begin_episode", {"task": SCRIPTS[0].task})
            async with Client(begun["url"]) as agent:
                assert [prompt.name for prompt in (await agent.list_prompts()).prompts] == ["task"]
                for wrong in ("begin", ""):
                    with pytest.raises(MCPError, match="There is no prompt"):
                        await agent.get_prompt(wrong)
                with pytest.raises(MCPError):
                    await agent.read_resource(ACCOUNT)
                assert said(await agent.call_tool("end_episode", {"episode": begun["episode"]}))[1] == "unknown_tool"
                results = [await call(agent, one.call) for one in SCRIPTS[0].heard]
            assert "reward" not in str(results)
            assert SCRIPTS[0].task not in str(results)

    run(work)


@pytest.mark.parametrize("age", AGES)
def test_servers_say_their_name_and_version(age: Literal["auto", "legacy"], served: str) -> None:
    """The package's, in either age of the protocol: a harness's endpoint, an agent's, and the connection that both share."""

    async def work() -> None:
        async with sat(age) as shared, Client(f"{served}/mcp", mode=age) as harness:
            begun = await structured(harness, "begin_episode", {})
            async with Client(begun["url"], mode=age) as agent:
                told = [(client.server_info.name, client.server_info.version) for client in (harness, agent, shared) if client.server_info]
            await structured(harness, "end_episode", {"episode": begun["episode"]})
        package = version("synthtools")
        assert told == [("synthtools-harness", package), ("synthtools", package), ("synthtools", package)]

    run(work)


def test_what_is_malformed_is_answered_and_harms_nothing(served: str) -> None:
    """Mistakes of an agent and of a harness are results that say what is wrong; what is no MCP is refused; episodes go on."""

    async def work() -> None:
        async with Client(f"{served}/mcp") as harness, httpx2.AsyncClient() as raw:
            begun = await structured(harness, "begin_episode", {})
            for name, arguments, words in (
                ("begin_episode", {"task": "no/such"}, "There is no domain 'no' here"),
                ("begin_episode", {"seed": -1}, "seed"),
                ("begin_episode", {"tusk": 1}, "tusk"),
                ("end_episode", {"episode": "0-0"}, "not of this server"),
                ("call", {"episode": begun["episode"]}, "name"),
                ("reset", {}, "there are begin_episode, call, end_episode"),
            ):
                result = await harness.call_tool(name, arguments)
                assert result.is_error
                assert words in result.content[0].text
            async with Client(begun["url"]) as agent:
                assert said(await agent.call_tool("nothing", {}))[1] == "unknown_tool"
                assert said(await agent.call_tool("finish", {"outcome": 3}))[1] == "invalid_argument"
            json_both = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
            for body in (b"", b"{", b"[]", b"\xff", b'{"jsonrpc":"2.0"}', b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}'):
                answer = await raw.post(begun["url"], content=body, headers=json_both)
                assert 400 <= answer.status_code < 500
            assert (await raw.get(f"{served}/episodes")).status_code == 404
            assert (await raw.post(f"{served}/mcp", content=b"{}", headers={**json_both, "host": "elsewhere"})).status_code == 421
            account = await structured(harness, "end_episode", {"episode": begun["episode"]})
            assert (account["calls"], account["reward"]) == (2, None)
            async with Client(begun["url"]) as agent:
                with pytest.raises(MCPError, match="Begin another"):
                    await agent.list_tools()

    run(work)


def test_a_key_keeps_others_from_the_harness_endpoint() -> None:
    """Without it nothing is begun; an episode's own endpoint is known by its token alone."""

    async def work(url: str) -> None:
        async with httpx2.AsyncClient() as plain:
            for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": KEY}):
                assert (await plain.post(f"{url}/mcp", headers=headers)).status_code == 401
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {KEY}"}) as keyed:
            async with Client(streamable_http_client(f"{url}/mcp", http_client=keyed)) as harness:
                begun = await structured(harness, "begin_episode", {"seed": 3})
            async with Client(begun["url"]) as agent:
                assert (await agent.list_tools()).tools

    with serving(http_app(Episodes(WORLDS), key=KEY), listen()) as url:
        run(partial(work, url))


@dataclass
class Slow:
    """An episode whose calls take until they are let go on."""

    begun: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    made: list[str] = field(default_factory=list)
    opening: str = "Wait."
    tools: tuple[Mapping[str, Any], ...] = ()

    def call(self, name: str, arguments: Mapping[str, Any]) -> Answer:
        """Begin, wait, and be whole."""
        self.begun.set()
        assert self.go_on.wait(120)
        self.made.append(name)
        return Answer("{}", None, False)


@pytest.mark.parametrize("age", AGES)
def test_a_call_whose_client_leaves_is_made_whole(age: Literal["auto", "legacy"]) -> None:
    """The client is gone while the call is being made; it is made once, and the next client finds it done."""
    slow = Slow()

    async def leave(url: str) -> None:
        async with Client(url + episode_path("0"), mode=age) as client, anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "left", {})
            assert await anyio.to_thread.run_sync(slow.begun.wait, 120)
            group.cancel_scope.cancel()
        assert slow.made == []
        slow.go_on.set()
        async with Client(url + episode_path("0"), mode=age) as client:
            assert said(await client.call_tool("next", {})) == ("{}", None, False)
        assert slow.made == ["left", "next"]

    with serving(agents_app(lambda _: slow), listen()) as url:
        run(partial(leave, url))


def test_a_fault_of_ours_looks_like_no_mistake_of_the_agents() -> None:
    """It is a protocol's error and not a result."""

    class Broken(Slow):
        def call(self, name: str, arguments: Mapping[str, Any]) -> Answer:
            raise ZeroDivisionError

    async def work() -> None:
        async with Client(agent_server(lambda _: Broken())) as client:
            with pytest.raises(MCPError):
                await client.call_tool("any", {})

    run(work)


@dataclass
class Crowd:
    """Many episodes of one harness at once, some of which make a mistake more than their script."""

    harness: Client
    count: int
    tokens: dict[int, str] = field(default_factory=dict)
    room: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(16))

    def script(self, number: int) -> Script:
        """What one of them does."""
        return BRIEF[number % len(BRIEF)]

    async def all(self, work: Callable[[int], Awaitable[None]]) -> None:
        """Do it for all of them, sixteen at a time."""

        async def one(number: int) -> None:
            async with self.room:
                await work(number)

        async with anyio.create_task_group() as group:
            for number in range(self.count):
                group.start_soon(one, number)

    async def begin(self, number: int) -> None:
        """Begin it."""
        self.tokens[number] = (await structured(self.harness, "begin_episode", {"task": self.script(number).task}))["episode"]

    async def step(self, place: int, number: int) -> None:
        """Make one call of its script, if it has so many; the first, up to three times."""
        for one in self.script(number).heard[place : place + 1]:
            made = {"episode": self.tokens[number], "name": one.call.name, "arguments": one.call.arguments}
            for _ in range(1 + number % 3 if place == 0 else 1):
                assert said(await self.harness.call_tool("call", made)) == heard(one)

    async def end(self, number: int) -> None:
        """End it: it came to what its script says, after its own number of calls."""
        account = await structured(self.harness, "end_episode", {"episode": self.tokens[number]})
        expected = came_to(self.script(number))
        assert account.items() >= {**expected, "calls": expected["calls"] + number % 3}.items()


async def interleaved(url: str, count: int) -> None:
    """So many episodes at once, all begun before the first call and live until the last."""
    async with Client(f"{url}/mcp") as harness:
        crowd = Crowd(harness, count)
        await crowd.all(crowd.begin)
        assert len(set(crowd.tokens.values())) == count
        for place in range(max(len(script.heard) for script in BRIEF)):
            await crowd.all(partial(crowd.step, place))
        await crowd.all(crowd.end)


def test_forty_episodes_at_once_do_not_mix(served: str) -> None:
    """Over one server, calls in turn."""
    run(partial(interleaved, served, 40))


@pytest.mark.slow
def test_a_thousand_episodes_at_once_do_not_mix() -> None:
    """All begun before the first call, all live until the last."""
    with serving(http_app(Episodes(WORLDS)), listen()) as url:
        anyio.run(interleaved, url, 1000)


def test_there_is_no_stream_to_listen_to(served: str) -> None:
    """Neither endpoint ever sends on one, so a GET is answered at once, with 405 and what to do instead."""

    async def work() -> None:
        async with Client(f"{served}/mcp") as harness, httpx2.AsyncClient() as raw:
            begun = await structured(harness, "begin_episode", {})
            for url in (f"{served}/mcp", begun["url"]):
                async with raw.stream("GET", url, headers={"accept": "text/event-stream"}) as answer:
                    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
                    assert "by POST alone" in (await answer.aread()).decode()
            await structured(harness, "end_episode", {"episode": begun["episode"]})

    run(work)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_told_to_end(number: signal.Signals, tmp_path: Path) -> None:
    """One JSON object when it answers; after a signal it exits well and has said so and no more, though somebody who asked for a stream is there."""
    with (tmp_path / "errors").open("w") as errors:
        command = [sys.executable, *SERVE, "http", "--port", "0", "--json"]
        process = subprocess.Popen(command, env=ENVIRON, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())

        async def work() -> None:
            async with Client(told["url"]) as harness:
                await structured(harness, "begin_episode", {"seed": 1})

        run(work)
        with socket.create_connection(("127.0.0.1", told["port"])) as listening:
            listening.sendall(f"GET /mcp HTTP/1.1\r\nHost: 127.0.0.1:{told['port']}\r\nAccept: text/event-stream\r\n\r\n".encode())
            assert listening.recv(100)
            process.send_signal(number)
            assert process.wait(120) == 0
        assert process.stdout.read() == ""
        process.stdout.close()
    assert (told["protocol"], told["host"]) == ("mcp", "127.0.0.1")
    said_of = [line.partition(" at ")[0] for line in (tmp_path / "errors").read_text().splitlines()]
    assert said_of == ["synthtools: serving MCP", "synthtools: ended after 1 episode"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_over_stdio_a_signal_ends_it_well(number: signal.Signals, tmp_path: Path) -> None:
    """Though its client is still there and says nothing; stdout stays the protocol's."""
    with (tmp_path / "errors").open("w") as errors:
        command = [sys.executable, *SERVE, "stdio", "--task", SCRIPTS[0].task]
        process = subprocess.Popen(command, env=ENVIRON, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write('{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n')
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 1
        process.send_signal(number)
        assert process.wait(120) == 0
        assert process.stdout.read() == ""
        process.stdin.close()
        process.stdout.close()
    assert (tmp_path / "errors").read_text().splitlines()[-1] == "synthtools: ended after 1 episode"


@pytest.mark.parametrize("stdin", ["<&-", "</dev/null", "<lines"], ids=["closed", "null device", "file"])
def test_a_stdin_that_has_no_other_end_is_told(stdin: str, tmp_path: Path) -> None:
    """In one line and at once: no traceback, and no server that waits for ever."""
    (tmp_path / "lines").write_text('{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n', encoding="utf-8")
    command = ["sh", "-c", f'exec "$@" {stdin}', "sh", sys.executable, *SERVE, "stdio"]
    done = subprocess.run(command, env=ENVIRON, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "--mcp stdio: stdin is closed, or a file" in done.stderr


def test_answers_are_not_held_back() -> None:
    """Nagle's delay is off on connections that are accepted; with it every answer over HTTP comes some 40 ms late."""

    async def accepted() -> int:
        told: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def noted(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            told.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        async with await asyncio.start_server(noted, sock=(listener := listen())):
            _, writer = await asyncio.open_connection(*listener.getsockname()[:2])
            found = await told
            writer.close()
            await writer.wait_closed()
        return found

    assert asyncio.run(accepted())
