"""A command line as an agent: its protocol, its mistakes, its end, and the example that ships."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.agent import Closable, OutOfBudget
from agents.budget import Budget, Spender
from agents.command import CommandAgent, command_agent
from agents.episode import play
from agents.lines import Lines
from agents.player import GIVE_UP
from agents.rollout import Plan, rollout
from agents.stored import Stored
from agents.trajectory import Trajectory
from envs import ToolEnv
from packs import small_pack
from synthtools.pack import load_pack

PACK = load_pack(small_pack())
EXAMPLE = Path(__file__).parent.parent / "examples" / "line_agent.py"
MADE: list[CommandAgent] = []
HEAD = """
import json, os, sys
def say(**answer):
    print(json.dumps(answer), flush=True)
done = {"calls": [{"name": "finish", "arguments": {"outcome": "done"}}]}
"""
QUIET = HEAD + "for line in sys.stdin: say(**done)"
"""It finishes at once."""


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Every process that a test began has ended when it is over."""
    yield
    while MADE:
        MADE.pop().close()


def agent(path: Path, code: str, seconds: float = 20.0, budget: Budget | None = None) -> CommandAgent:
    """An agent that is this program."""
    path.write_text(code, encoding="utf-8")
    made = command_agent(f"{sys.executable} {path}", seconds, budget)({})
    assert isinstance(made, CommandAgent)
    MADE.append(made)
    return made


def episode(made: CommandAgent, number: int = 0) -> Trajectory:
    """One episode of it."""
    return play(made, PACK.tasks[number], ToolEnv(PACK), pack="p", trial=0, seed=7)


def lives(process: int) -> bool:
    """Whether a process is there and not merely waited for."""
    try:
        return " Z" not in Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2][:3]
    except OSError:
        return False


def gone(process: int) -> bool:
    """Whether a process has ended; it is given some time."""
    for _ in range(300):
        if not lives(process):
            return True
        time.sleep(0.02)
    return False


def test_it_is_told_everything_but_which_task_it_is(tmp_path: Path) -> None:
    """The first line holds briefing, request, tools and seed; the next ones the results; nothing names the task or its kind."""
    code = (
        HEAD
        + f"""
told = open({str(tmp_path / "told")!r}, "w")
first = None
for line in sys.stdin:
    print(line, file=told, end="", flush=True)
    message = json.loads(line)
    if message["type"] == "begin":
        first = message["tools"][0]["function"]["name"]
        say(calls=[{{"name": first, "arguments": {{}}}}, {{"name": first, "arguments": "{{}}"}}], text="Looking.", tokens=12)
    else:
        say(**done)
"""
    )
    trajectory = episode(agent(tmp_path / "a.py", code))
    begin, observe = (json.loads(line) for line in (tmp_path / "told").read_text(encoding="utf-8").splitlines())
    assert set(begin) == {"type", "briefing", "request", "tools", "seed"}
    assert (begin["request"], begin["seed"]) == (PACK.tasks[0].request, 7)
    assert PACK.tasks[0].id not in str(begin)
    assert observe == {"type": "observe", "observations": [trajectory.steps[0].result.content, trajectory.steps[1].result.content]}
    assert [(step.turn, step.call.name != "finish", step.text, step.tokens) for step in trajectory.steps] == [
        (0, True, "Looking.", 12),
        (0, True, "", 0),
        (1, False, "", 0),
    ]


def test_text_alone_ends_the_episode_with_that_answer(tmp_path: Path) -> None:
    """As it does for chat models."""
    trajectory = episode(agent(tmp_path / "a.py", HEAD + "for line in sys.stdin: say(text='On D4.')"))
    assert trajectory.ending is not None
    assert (trajectory.ending.answer, trajectory.steps[0].spoken) == ("On D4.", True)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("nothing", "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "neither `calls` nor `text`"),
        ('{"calls": 3}', "`calls` is a list"),
        ('{"calls": [{"arguments": {}}]}', "each of `calls` is an object with `name`"),
        ('{"calls": [{"name": "finish", "arguments": [1]}]}', "each of `calls`"),
        ('{"text": "hi", "tokens": -1}', "`tokens` a whole number"),
        ("\\xff\\xfe", "not JSON"),
    ],
)
def test_a_line_that_is_no_answer_is_the_agents_mistake(answer: str, problem: str, tmp_path: Path) -> None:
    """It counts as a call of no tool, the agent is told what was wrong, and the episode goes on to its end."""
    code = (
        HEAD
        + f"""
for line in sys.stdin:
    message = json.loads(line)
    if message["type"] == "begin":
        sys.stdout.buffer.write({answer!r}.encode("latin-1") + b"\\n")
        sys.stdout.buffer.flush()
    else:
        say(text=message["problem"])
"""
    )
    trajectory = episode(agent(tmp_path / "a.py", code))
    assert [step.result.error for step in trajectory.steps] == ["unknown_tool", None]
    assert problem in trajectory.steps[1].text


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys; sys.exit('no model here')", "ended with code 1: no model here"),
        ("import sys; sys.stdin.readline(); raise KeyError('x')", "ended with code 1: KeyError: 'x'"),
        ("import os, sys; sys.stdin.readline(); os.kill(os.getpid(), 9)", "ended with code -9"),
        ("import sys, time; sys.stdin.readline(); time.sleep(60)", "gave no answer in time"),
        ("import os, sys, time; sys.stdin.readline(); os.close(1); time.sleep(60)", "closed its output"),
    ],
)
def test_a_process_that_is_gone_or_silent_is_no_answer(code: str, words: str, tmp_path: Path) -> None:
    """One line says what it did; nothing of it stays behind, and the next episode has a new process."""
    made = agent(tmp_path / "a.py", code, 2.0)
    with pytest.raises(ConnectionError, match=words) as caught:
        episode(made)
    assert "\n" not in str(caught.value)
    (tmp_path / "a.py").write_text(QUIET, encoding="utf-8")
    assert episode(made).ending is not None


def test_a_process_that_takes_one_episode_each_is_begun_again(tmp_path: Path) -> None:
    """Ending between episodes is no failure, whenever it is noticed."""
    code = HEAD + "sys.stdin.readline(); say(**done)"
    made = agent(tmp_path / "a.py", code)
    assert [episode(made, number).ending is not None for number in range(3)] == [True] * 3


def test_what_was_written_before_an_episode_is_not_its_answer(tmp_path: Path) -> None:
    """Lines that a process said too much do not shift the turns of the next episode."""
    code = HEAD + "for line in sys.stdin: print('noise\\nnoise\\n' * 3 + json.dumps(done) if 'observe' in line else 'noise', flush=True)"
    made = agent(tmp_path / "a.py", code)
    one, two = episode(made), episode(made)
    assert [step.result for step in one.steps[:2]] == [step.result for step in two.steps[:2]]
    assert one.ending == two.ending


def test_a_process_that_never_stops_writing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is thrown away between episodes has a bound, so that neither time nor memory is spent without end."""
    monkeypatch.setattr("agents.lines.LONGEST", 1_000)
    lines = Lines([sys.executable, "-S", "-c", "import os, sys; os.write(1, b'{}' * 1_500); sys.stdin.read()"])
    select.select([lines._output], [], [], 60)
    with pytest.raises(ConnectionError, match="that nobody had asked for"):
        lines.ask(b"{}", time.monotonic() + 60, fresh=True)
    lines.close()


def test_long_lines_go_both_ways(tmp_path: Path) -> None:
    """Longer than a pipe holds, while neither side reads."""
    code = HEAD + "for line in sys.stdin: say(calls=[{'name': 'finish', 'arguments': {'outcome': 'done', 'answer': 'x' * 300_000}}])"
    trajectory = episode(agent(tmp_path / "a.py", code))
    assert len(str(trajectory.steps[0].call.arguments)) > 300_000


def test_the_process_ends_with_its_group_and_no_other(tmp_path: Path) -> None:
    """One that will not hear is ended, with what it has begun; a neighbour goes on."""
    code = (
        HEAD
        + """
import signal, subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
for line in sys.stdin: say(calls=done["calls"], text=f"{os.getpid()} {child.pid}")
import time
time.sleep(60)
"""
    )
    made, other = agent(tmp_path / "a.py", code), agent(tmp_path / "b.py", QUIET.replace("**done", "calls=done['calls'], text=str(os.getpid())"))
    one, child = map(int, episode(made).steps[0].text.split())
    two = int(episode(other).steps[0].text)
    assert lives(one)
    made.close()
    assert gone(one)
    assert gone(child)
    assert lives(two)
    assert episode(other, 1).steps[0].text == str(two)


def test_its_identity_follows_its_file(tmp_path: Path) -> None:
    """Another version of the script is another agent; the name is the script's."""
    first = agent(tmp_path / "mine.py", QUIET)
    again, changed = agent(tmp_path / "mine.py", QUIET), agent(tmp_path / "mine.py", QUIET + "\n")
    assert first.identity == again.identity != changed.identity
    assert first.identity.startswith(f"cmd:{sys.executable} {tmp_path / 'mine.py'}:")
    assert first.name == "mine"
    assert isinstance(first, Spender)
    assert isinstance(first, Closable)


def test_a_budget_is_of_the_tokens_that_it_says(tmp_path: Path) -> None:
    """Spent, it begins no more."""
    made = agent(tmp_path / "a.py", HEAD + "for line in sys.stdin: say(calls=done['calls'], tokens=10)", budget=Budget(15))
    assert [episode(made, number).steps[0].tokens for number in range(2)] == [10, 10]
    with pytest.raises(OutOfBudget, match="has spent 20 tokens"):
        episode(made)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_rollout_has_one_process_a_worker_and_ends_them_all(workers: int, tmp_path: Path) -> None:
    """Every episode is played and valid; afterwards none of the processes is there."""
    code = HEAD + "for line in sys.stdin: say(calls=done['calls'], text=str(os.getpid()))"
    (tmp_path / "a.py").write_text(code, encoding="utf-8")
    summary = rollout(Plan(PACK, (command_agent(f"{sys.executable} {tmp_path / 'a.py'}"),)), tmp_path / "run", workers=workers)
    assert (summary.added, summary.failures) == (len(PACK.tasks), 0)
    with Stored(tmp_path / "run") as run:
        rows = list(run.rows())
    assert all(row.valid for row in rows)
    processes = {int(row.trajectory().steps[0].text) for row in rows}
    assert len(processes) == workers
    assert all(map(gone, processes))


def test_what_a_dead_process_loses_is_lost_and_not_scored(tmp_path: Path) -> None:
    """After some in a row no more are begun; once mended, the run has them all."""
    (tmp_path / "a.py").write_text("raise SystemExit('broken')", encoding="utf-8")
    maker = command_agent(f"{sys.executable} {tmp_path / 'a.py'}")
    broken = rollout(Plan(PACK, (maker,)), tmp_path / "run")
    assert (broken.added, broken.failures, broken.unbegun) == (0, GIVE_UP, len(PACK.tasks) - GIVE_UP)
    with Stored(tmp_path / "run") as run:
        assert run.lost_most_by()[0].endswith("ended with code 1: broken")
    (tmp_path / "a.py").write_text(QUIET, encoding="utf-8")
    mended = rollout(Plan(PACK, (maker,)), tmp_path / "run")
    assert (mended.added, mended.failures) == (len(PACK.tasks), 0)


def test_a_rollout_that_is_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    """Its agents' input closes with it, and they read that as their end."""
    code = (
        HEAD
        + f"""
open({str(tmp_path)!r} + "/" + str(os.getpid()) + ".pid", "w").close()
import time
for line in sys.stdin: time.sleep(0.2); say(**done)
"""
    )
    (tmp_path / "a.py").write_text(code, encoding="utf-8")
    script = f"""
from pathlib import Path
from agents.command import command_agent
from agents.rollout import Plan, rollout
from synthtools.pack import load_pack
if __name__ == "__main__":
    plan = Plan(load_pack({str(small_pack())!r}), (command_agent({f"{sys.executable} {tmp_path / 'a.py'}"!r}),))
    rollout(plan, Path({str(tmp_path / "run")!r}), workers=2)
"""
    (tmp_path / "main.py").write_text(script, encoding="utf-8")
    root = Path(__file__).parent.parent
    with subprocess.Popen([sys.executable, tmp_path / "main.py"], cwd=root, env={**os.environ, "PYTHONPATH": str(root)}) as process:
        for _ in range(1000):
            if len(list(tmp_path.glob("*.pid"))) == 2:
                break
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    found = [int(path.stem) for path in tmp_path.glob("*.pid")]
    assert len(found) == 2
    assert all(map(gone, found))


def test_the_example_is_an_agent_that_looks_things_up() -> None:
    """It ends every episode, makes no mistake of form, and reads about what a request names."""
    made = command_agent(f"{sys.executable} {EXAMPLE}")({})
    assert isinstance(made, CommandAgent)
    MADE.append(made)
    trajectories = [episode(made, number) for number in range(12)]
    assert all(trajectory.ending is not None for trajectory in trajectories)
    assert {step.result.error for trajectory in trajectories for step in trajectory.steps} <= {None, "refused"}
    assert any(len(trajectory.steps) > 1 for trajectory in trajectories)


def test_the_seed_of_an_episode_is_its_own(tmp_path: Path) -> None:
    """So that an agent which draws can be the same again."""
    code = HEAD + "for line in sys.stdin: say(calls=done['calls'], text=str(json.loads(line).get('seed')))"
    made = agent(tmp_path / "a.py", code)
    env = ToolEnv(PACK)
    texts = [play(made, PACK.tasks[0], env, pack="p", trial=0, seed=seed).steps[0].text for seed in (1, 2)]
    assert texts == ["1", "2"]
