"""A client of MCP as an agent: what its program does is what its episodes hold, and nothing of it stays behind."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.script import Heard, scripts
from agents.cli import invoke
from agents.episode import play
from agents.mcp_agent import McpAgent, mcp_agent
from agents.stored import Stored
from agents.trajectory import Trajectory
from envs import ToolEnv
from envs.adapters.mcp import ERROR, OVER
from envs.worlds import as_worlds
from packs import small_pack
from synthtools.pack import load_pack, save_pack

ROOT = Path(__file__).parent.parent.parent
PACK = load_pack(small_pack())
WORLDS = as_worlds(PACK)
SCRIPTS = list(scripts(PACK))
HEAD = """
import json, os, sys, urllib.request

def ask(method, **params):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    with urllib.request.urlopen(urllib.request.Request(os.environ["SYNTHTOOLS_MCP_URL"], body, headers)) as answer:
        return json.loads(answer.read())

def call(name, arguments):
    return ask("tools/call", name=name, arguments=arguments)["result"]
"""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Callable[..., McpAgent]]:
    """Makes agents of programs; they and their servers are ended afterwards."""
    made: list[McpAgent] = []

    def make(code: str, seconds: float = 120.0) -> McpAgent:
        (tmp_path / "mine.py").write_text(HEAD + code, encoding="utf-8")
        agent = mcp_agent(f"{sys.executable} {tmp_path / 'mine.py'}", seconds)({})
        assert isinstance(agent, McpAgent)
        made.append(agent)
        return agent

    yield make
    for agent in made:
        agent.close()


def one_episode(agent: McpAgent, task: str) -> Trajectory:
    """An episode of it."""
    return play(agent, WORLDS.find(task), ToolEnv(PACK), pack="p", trial=0, seed=7)


def shown(one: Heard) -> tuple[str, str | None, bool]:
    """A call as its agent hears of it."""
    return one.content, one.error, one.terminated or one.truncated


def heard_by(path: Path) -> list[Any]:
    """What a program noted, a line each."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_client_of_mcp_is_an_agent_like_any_other(client: Callable[..., McpAgent], tmp_path: Path) -> None:
    """Its episodes hold the calls that it made and come to what they come to in this process; it hears what it would hear there."""
    agent = client(f"""
with open({str(tmp_path / "heard")!r}, "w") as file:
    print(json.dumps([ask("prompts/get", name="task"), ask("tools/list"), os.environ["SYNTHTOOLS_SEED"]]), file=file, flush=True)
    for name, arguments in json.load(open({str(tmp_path / "calls")!r})):
        print(json.dumps(call(name, arguments)), file=file, flush=True)
""")
    for script in SCRIPTS[:3]:
        (tmp_path / "calls").write_text(json.dumps([(one.call.name, one.call.arguments) for one in script.heard]))
        trajectory = one_episode(agent, script.task)
        assert [(step.call, step.result.content, step.result.error) for step in trajectory.steps] == [
            (one.call, one.content, one.error) for one in script.heard
        ]
        assert (trajectory.reward, trajectory.success) == (sum(one.reward for one in script.heard), script.success)
        (opening, tools, seed), *results = heard_by(tmp_path / "heard")
        assert (opening["result"]["messages"][0]["content"]["text"], seed) == (script.opening, "7")
        assert [tool["name"] for tool in tools["result"]["tools"]] == [tool["function"]["name"] for tool in script.tools]
        told = [(result["content"][0]["text"], result["_meta"].get(ERROR), result["_meta"][OVER]) for result in results]
        assert told == list(map(shown, script.heard[: len(told)]))
        assert len(told) >= len(script.heard) - 1  # of the call that ends an episode it hears when the next begins
        assert script.task not in (tmp_path / "heard").read_text()


def test_a_program_that_leaves_has_answered_with_what_it_printed(client: Callable[..., McpAgent]) -> None:
    """As text alone does for chat models."""
    trajectory = one_episode(client("call('nothing', {}); print('On D4.')"), SCRIPTS[0].task)
    assert [step.call.name for step in trajectory.steps] == ["nothing", "finish"]
    assert trajectory.ending is not None
    assert (trajectory.ending.answer, trajectory.steps[1].spoken) == ("On D4.", True)


@pytest.mark.parametrize(
    ("code", "seconds", "words"),
    [
        ("sys.exit('no model here')", 120.0, "ended with code 1: no model here"),
        ("call('nothing', {}); os.kill(os.getpid(), 9)", 120.0, "ended with code -9"),
        ("import time; time.sleep(600)", 1.0, "made no call in time"),
        ("", 120.0, "left without a call or an answer"),
    ],
)
def test_a_program_that_fails_or_is_silent_gave_no_answer(code: str, seconds: float, words: str, client: Callable[..., McpAgent]) -> None:
    """One line says what it did; the next episode has a new program, and an endpoint of its own."""
    with pytest.raises(ConnectionError, match=words) as caught:
        one_episode(client(code, seconds), SCRIPTS[0].task)
    assert "\n" not in str(caught.value)
    assert one_episode(client("print('Sorry.')"), SCRIPTS[0].task).ending is not None


def test_the_endpoint_of_an_episode_ends_with_it(client: Callable[..., McpAgent], tmp_path: Path) -> None:
    """Whoever keeps its URL finds nothing there in the next episode."""
    agent = client(f"""
here, old = os.environ["SYNTHTOOLS_MCP_URL"], {str(tmp_path / "url")!r}
if os.path.exists(old):
    os.environ["SYNTHTOOLS_MCP_URL"] = open(old).read()
    print(ask("tools/call", name="finish", arguments={{"outcome": "done"}})["error"]["message"])
else:
    open(old, "w").write(here)
    print("None yet.")
""")
    assert one_episode(agent, SCRIPTS[0].task).ending is not None
    assert one_episode(agent, SCRIPTS[0].task).steps[0].text == "There is no such episode any more: it is over."


def test_a_bench_has_clients_of_mcp(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The example plays a pack in two processes by the command; every episode is valid and ended, none is lost."""
    few = replace(PACK, tasks=PACK.tasks[:1] + PACK.tasks[-1:])
    save_pack(tmp_path / "pack", few.domains, few.tasks, dropped={}, seed=few.seed)
    example = f"mcp:{sys.executable} {ROOT / 'examples/mcp_agent.py'}"
    command = ["bench", "--agent", example, "--suite", str(tmp_path / "pack"), "--split", "all", "--out", str(tmp_path / "run")]
    assert invoke([*command, "--workers", "2", "--json"]) == 0
    capsys.readouterr()
    with Stored(tmp_path / "run") as stored:
        rows = list(stored.rows())
    assert len(rows) == 2
    assert all(row.valid and row.trajectory().ending is not None for row in rows)
    assert {step.result.error for row in rows for step in row.trajectory().steps} <= {None, "refused", "not_found"}
