"""Scores of episodes that other frameworks played: what the calls come to, and why where they fail."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from agents.adapters.scoring import Scorer
from agents.bench.source import load_packed, load_source
from agents.bench.suite import SuiteError
from agents.choice import ChoiceError
from envs import ToolEnv, worlds_of
from envs.speech import finish_call
from packs import small_pack
from playing import coming_calls
from synthtools.fault import Unavailable
from synthtools.tool import ToolCall

SUITE = load_packed(small_pack(), "all")


def reference(task_id: str) -> list[ToolCall]:
    """The solution's calls."""
    env = ToolEnv(worlds_of(SUITE.tasks, SUITE.domains))
    env.reset(options={"task": task_id})
    for call in coming_calls(env):
        env.step(call)
    return [call for call, _ in env.calls]


def test_references_succeed_and_their_beginnings_did_not_end() -> None:
    """Every task: its solution scores 1 without a cause; without its end nothing is finished; the end alone has a cause."""
    scorer = Scorer(SUITE)
    for task in SUITE.tasks:
        calls = reference(task.id)
        whole = scorer.score(task.id, calls)
        assert (whole.success, whole.reward, whole.cause, whole.detail, whole.calls, whole.finished) == (True, 1.0, "", "", len(calls), True)
        begun = scorer.score(task.id, calls[:-1])
        assert (begun.success, begun.reward, begun.cause, begun.finished) == (False, 0.0, "no_ending", False)
        ended = scorer.score(task.id, [finish_call("in vain")])
        assert (ended.success, ended.finished, ended.cause != "", ended.detail != "") == (False, True, True, True)


def test_mistakes_are_counted_and_a_limit_is_no_end() -> None:
    """Errors are the calls that came to one; calls after the limit of steps were never made, and a limit is no `finish`."""
    task = SUITE.tasks[0].id
    calls = [ToolCall("no_such_tool", {}), ToolCall(reference(task)[0].name, "{broken"), finish_call()]
    cut_off = Scorer(SUITE, max_steps=2).score(task, calls)
    assert (cut_off.calls, cut_off.errors, cut_off.finished, cut_off.cause) == (2, 2, False, "malformed_calls")
    ended = Scorer(SUITE).score(task, calls)
    assert (ended.calls, ended.errors, ended.finished, ended.cause) == (3, 2, True, "malformed_calls")


def test_faults_of_the_service_are_no_mistakes() -> None:
    """They are met and got over, and none is counted as an error."""
    plain = next(task for task in SUITE.tasks if task.kind == "single")
    tool = next(tool for tool in SUITE.domains[plain.domain].tools.values() if tool.name == plain.solution[0].name)
    struck = replace(plain, faults=(Unavailable(tool.key),))
    calls = reference(plain.id)
    score = Scorer(replace(SUITE, tasks=(struck,))).score(struck.id, [ToolCall("no_such_tool", {}), calls[0], *calls])
    assert (score.success, score.calls, score.errors) == (True, len(calls) + 2, 1)


def test_the_same_episode_scores_the_same_whatever_came_before() -> None:
    """Nothing of an episode is left for the next."""
    scorer, tasks = Scorer(SUITE), SUITE.tasks[:6]
    first = [scorer.score(task.id, reference(task.id)[:2]) for task in tasks]
    assert [scorer.score(task.id, reference(task.id)[:2]) for task in reversed(tasks)] == first[::-1]
    assert orjson.dumps(first)


def test_what_is_not_there_is_said() -> None:
    """A task of another suite, a name of nothing, a split that the pack lacks: one line each."""
    with pytest.raises(ValueError, match="no task 'x/y' in this suite"):
        Scorer(SUITE).score("x/y", [])
    with pytest.raises(SuiteError, match="no such suite or folder; there are core, hard, smoke"):
        load_source("nowhere")
    with pytest.raises(ChoiceError, match="no task of the nonsense split"):
        load_source(str(small_pack()), "nonsense")
