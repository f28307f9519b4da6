"""The evaluator: every decision scored by carrying it out, and tables that say how sure they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agents.agent import SCRIPTED, Opening, Turn, finish_call, scripted
from agents.choice import Choice, ChoiceError, choose_tasks
from agents.cli import invoke
from agents.conversation import Conversation, as_object
from agents.evaluation.evaluate import EvaluationError, View, evaluate, prepare
from agents.evaluation.interval import difference, estimate
from agents.evaluation.probe import Probed
from agents.evaluation.score import score
from agents.evaluation.table import METRICS, failures, gains, table
from envs import ToolEnv
from packs import small_pack
from synthtools.pack import Pack, load_pack
from synthtools.task import Task, resolve
from synthtools.tool import ToolCall


@pytest.fixture(scope="module")
def pack() -> Pack:
    """Two domains of the train split."""
    return load_pack(small_pack())


def evaluated(pack: Pack, agent: str, **choice: Any) -> list[Probed]:
    """A scripted agent at the pack's tasks."""
    return evaluate(prepare(pack, Choice("train", **choice), View()), scripted(agent))


def test_the_solution_is_right_everywhere(pack: Pack) -> None:
    """Every decision of every kind of task, and every episode, counts as right for the agent that replays the reference."""
    shares = {metric: estimate.mean for metric, estimate in table(evaluated(pack, "solution")).items()}
    assert shares == dict.fromkeys(METRICS, 1.0)


@pytest.mark.parametrize("agent", [name for name in SCRIPTED if name not in ("solution", "rule")])
def test_agents_that_do_nothing_sensible_never_succeed(pack: Pack, agent: str) -> None:
    """And those that always refuse are credited with declining, and with nothing else."""
    made = table(evaluated(pack, agent))
    assert made["episode_success"].mean == 0.0
    assert made["exact_call"].mean is not None
    assert made["exact_call"].mean < 0.2
    if agent in ("refuse", "impossible"):
        assert made["irrelevance"].mean == 1.0


@dataclass
class Strays:
    """Follows the reference but for one decision, where it makes another call; it acts in many episodes at once."""

    tasks: dict[str, Task]
    at: int
    call: ToolCall
    batch: int = 4
    name: str = "strays"
    identity: str = "strays"

    def seat(self, opening: Opening) -> Any:
        """A conversation that knows its task."""
        conversation = Conversation(opening, "", as_object)
        conversation.task = self.tasks[opening.task]  # type: ignore[attr-defined]
        return conversation

    def answer(self, seats: Any) -> list[Turn]:
        """The reference's call after what was heard; at one place the other call."""
        return [Turn((self._next(seat),)) for seat in seats]

    def _next(self, seat: Any) -> ToolCall:
        results = [json.loads(message["content"]) for message in seat.messages if message["role"] == "tool"]
        return self.call if len(results) == self.at else resolve(seat.task.solution[min(len(results), len(seat.task.solution) - 1)], results)


def test_one_wrong_decision_is_one_wrong_decision(pack: Pack) -> None:
    """Along the reference's path only the stray decision is wrong; the episode is the agent's own from there, and fails where it ends there."""
    chains = [task.id for task in pack.tasks if len(task.solution) > 2]
    maker = partial(_strays, 1, finish_call())
    probes = [probed for probed in evaluate(prepare(pack, Choice("train"), View()), maker) if probed.task in chains]
    assert probes
    for probed in probes:
        assert [point.exact for point in probed.points] == [number != 1 for number in range(len(probed.points))]
        assert probed.points[1].fault == "finished too early"
        assert not probed.episode.success
        assert len(probed.episode.calls) == 2


def test_a_needless_look_costs_a_decision_but_not_the_episode(pack: Pack) -> None:
    """A call that is not the reference's but harms nothing is wrong as a decision, and the agent's own episode may still succeed."""
    reads = next(tool for domain in pack.domains.values() for tool in domain.tools.values() if tool.read_only and not tool.parameters["required"])
    domain = next(name for name, domain in pack.domains.items() if reads.name in domain.tools)
    evaluation = prepare(pack, Choice("train", fields=(domain,), kinds=("single",)), View())
    probes = evaluate(evaluation, partial(_wanders, ToolCall(reads.name, {})))
    assert probes
    assert all(not probed.points[0].tool and probed.points[0].valid and probed.episode.success for probed in probes)


def _strays(at: int, call: ToolCall, tasks: Any) -> Any:
    return Strays(tasks, at, call)


def _wanders(call: ToolCall, tasks: Any) -> Any:
    return Wanders(tasks, 0, call)


class Wanders(Strays):
    """Makes the other call first, and then what the reference does, whose results it counts from there."""

    def _next(self, seat: Any) -> ToolCall:
        said = [message for message in seat.messages if message["role"] == "assistant"]
        strayed = bool(said) and said[0]["tool_calls"][0]["function"]["name"] == self.call.name
        results = [json.loads(message["content"]) for message in seat.messages if message["role"] == "tool"][int(strayed) :]
        return self.call if not said else resolve(seat.task.solution[len(results)], results)


def test_equal_effects_are_equal_calls(pack: Pack) -> None:
    """Other arguments with the same result and the same changes are exact; the environment is left where it was."""
    task = next(task for task in pack.tasks if task.kind == "chain" and any(key in task.solution[0].arguments for key in ("name", "holder_name")))
    env = ToolEnv(pack)
    env.reset(options={"task": task})
    call = resolve(task.solution[0], [])
    assert isinstance(call.arguments, dict)
    key = next(key for key in ("name", "holder_name") if key in call.arguments)
    offered = {tool["function"]["name"] for tool in env.tools}
    shouted = ToolCall(call.name, {**call.arguments, key: str(call.arguments[key]).upper()})
    assert score(Turn((shouted,)), call, env, offered).exact
    wrong = score(Turn((ToolCall(call.name, {**call.arguments, key: "Nobody of that name"}),)), call, env, offered)
    assert (wrong.valid, wrong.tool, wrong.exact, wrong.fault) == (True, True, False, "wrong value of an argument")
    assert env.calls == []


@pytest.mark.parametrize(
    ("turn", "fault"),
    [
        (Turn((finish_call("yes"),), "yes", spoken=True), "said something and called nothing"),
        (Turn((ToolCall("no_such_tool", {}),)), "called a tool that is not there"),
        (Turn((ToolCall("search_boats", '{"name": '),)), "invalid json in a call of the right tool"),
        (Turn((ToolCall("search_boats", {"nmae": "x"}),)), "unexpected argument in a call of the right tool"),
        (Turn((finish_call(),)), "finished too early"),
    ],
)
def test_mistakes_have_names(pack: Pack, turn: Turn, fault: str) -> None:
    """Each kind of mistake is told by what it is, and none is a valid call of the right tool."""
    task = next(task for task in pack.tasks if task.solution[0].name == "search_boats")
    env = ToolEnv(pack)
    env.reset(options={"task": task})
    point = score(turn, resolve(task.solution[0], []), env, {tool["function"]["name"] for tool in env.tools})
    assert point.fault == fault
    assert not point.exact
    assert point.valid is (fault == "finished too early")


def test_intervals_hold_what_they_should() -> None:
    """All right is 1 without doubt, nothing counted is nothing said, and clustered halves are less sure than single ones."""
    assert (estimate([(1, 1)] * 50).low, estimate([(1, 1)] * 50).high) == (1.0, 1.0)
    assert estimate([(0, 0)] * 5).mean is None
    single, clustered = estimate([(1, 1), (0, 1)] * 100), estimate([(20, 20), (0, 20)] * 5)
    assert single.mean == clustered.mean == 0.5
    assert single.n == clustered.n == 200
    assert single.high is not None
    assert clustered.high is not None
    assert clustered.high > single.high
    assert difference([(0, 1)] * 40, [(1, 1)] * 40).low == 1.0


def test_before_and_after_are_the_same_tasks(pack: Pack) -> None:
    """What was gained is told over the tasks that both hold."""
    before, after = evaluated(pack, "finish"), evaluated(pack, "solution")
    won = gains(before, after[:10])
    assert won["episode_success"].n == 10
    assert won["episode_success"].mean == 1.0


def test_failures_come_with_examples(pack: Pack) -> None:
    """The commonest first, ten at most, each with a request, what was wanted and what was done."""
    listed = failures(evaluated(pack, "random"))
    assert [failure.count for failure in listed] == sorted((failure.count for failure in listed), reverse=True)
    assert 0 < len(listed) <= 10
    assert all(example["request"] and example["wanted"] and example["did"] for failure in listed for example in failure.examples)


def test_tasks_are_drawn_evenly_and_by_the_seed(pack: Pack) -> None:
    """As many of each domain and kind as there can be; the same for the same seed; a smaller draw is part of a larger one."""
    some, more = (choose_tasks(pack, Choice("train", most=most)) for most in (8, 14))
    assert {task.id for task in some} <= {task.id for task in more}
    assert some == choose_tasks(pack, Choice("train", most=8))
    assert some != choose_tasks(pack, Choice("train", most=8, seed=1))
    assert {task.domain for task in some} == set(pack.domains)
    with pytest.raises(ChoiceError, match="no such field"):
        choose_tasks(pack, Choice("train", fields=("Alchemy",)))
    with pytest.raises(ChoiceError, match="of the test split: those that it has are of train"):
        choose_tasks(pack, Choice("test"))


def test_what_is_shown_of_the_tools_tells_nothing(pack: Pack) -> None:
    """Fewer tools hold all that the task needs, and what its twin does but for what is withheld."""
    evaluation = prepare(pack, Choice("train"), View(tools=5, brief=True))
    shown = {opening.task: {tool["function"]["name"] for tool in opening.tools} for opening in evaluation.openings}
    for task in evaluation.tasks:
        assert {step.name for step in task.solution} <= shown[task.id]
        twin = next((other for other in evaluation.tasks if other.id == task.twin), None)
        if twin is not None:
            names = {pack.domains[task.domain].tool(key).name for key in (*task.withheld, *twin.withheld)}
            assert {step.name for step in twin.solution} - names <= shown[task.id]


def test_an_evaluation_goes_on_where_it_was_stopped(pack: Pack, tmp_path: Path) -> None:
    """A file cut in the middle of a line is gone on with, to the same results; one of other tasks is refused."""
    evaluation = prepare(pack, Choice("train", most=10), View())
    whole = evaluate(evaluation, scripted("solution"), tmp_path)
    (file,) = tmp_path.glob("*.jsonl")
    file.write_bytes(file.read_bytes()[:-200])
    assert evaluate(evaluation, scripted("solution"), tmp_path) == whole
    assert len(file.read_bytes().splitlines()) == 11
    with pytest.raises(EvaluationError, match="another evaluation"):
        evaluate(replace(evaluation, settings={**evaluation.settings, "view": {}}), scripted("solution"), tmp_path)


def test_progress_is_told_before_the_first_task_is_done(pack: Pack) -> None:
    """After every turn, so that a slow agent's evaluation is seen to go on; and of every task that is done."""
    told: list[tuple[int, int]] = []
    evaluation = prepare(pack, Choice("train", kinds=("chain",), most=3), View())
    evaluate(evaluation, scripted("solution"), progress=lambda done, total: told.append((done, total)))
    assert told.count((0, 3)) > 2
    assert (told[-1], sorted(told)) == ((3, 3), told)


def test_the_command_prints_the_keys_that_scripts_rely_on(capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON object with every metric's mean, low, high and n, and each agent's own table."""
    command = ["evaluate", "--pack", str(small_pack()), "--agent", "solution", "--agent", "random", "--split", "train", "--tasks", "6"]
    assert invoke([*command, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert all(set(data[metric]) == {"mean", "low", "high", "n"} for metric in METRICS)
    assert data["agents"]["solution"]["episode_success"]["mean"] == 1.0
    assert invoke(command) == 0
    assert "episode success" in capsys.readouterr().out


class Silent:
    """An agent that says something without a call, again and again."""

    name = identity = "silent"

    def begin(self, opening: Opening) -> None:
        """Nothing is needed."""

    def act(self, observations: Sequence[str]) -> Turn:
        """No call."""
        return Turn((), "hello")


def test_a_turn_without_a_call_is_an_error(pack: Pack) -> None:
    """As in a rollout, for an episode would never end."""
    with pytest.raises(ValueError, match="a turn without a call"):
        evaluate(prepare(pack, Choice("train", most=1), View()), lambda tasks: Silent())


@pytest.mark.parametrize(("agent", "words"), [("gone", "nobody is there"), ("poor", "spent")])
def test_an_agent_that_is_lost_loses_nothing_else(agent: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An endpoint that is down and a budget that is spent are told in one line, with where the rest is kept."""
    command = ["evaluate", "--pack", str(small_pack()), "--agent", f"packs:{agent}", "--split", "all", "--json"]
    for out, kept in (([], "nothing is kept without --out"), (["--out", str(tmp_path)], f"what was done is in {tmp_path}")):
        assert invoke([*command, *out]) == 1
        printed = capsys.readouterr()
        assert (printed.out, words in printed.err, kept in printed.err) == ("", True, True)
        assert "Traceback" not in printed.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no agent to evaluate"),
        (["--agent", "nobody"], "no such agent"),
        (["--agent", "solution", "--fields", "Alchemy"], "no such field"),
        (["--agent", "solution"], "no task of the test split: those that it has are of train"),
        (["--model", "./nowhere"], "no such folder"),
    ],
)
def test_bad_input_gets_one_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be evaluated is said in one line that names it."""
    assert invoke(["evaluate", "--pack", str(small_pack()), *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
