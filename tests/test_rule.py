"""The agent of a few rules: it reads requests by form alone, solves some jobs of one call, and is no rival to understanding."""

from __future__ import annotations

from functools import cache

import pytest

from agents.agent import Opening, scripted
from agents.episode import play
from agents.reading import read
from agents.rule import RuleAgent
from agents.trajectory import Trajectory, dump_trajectory
from envs import ToolEnv
from envs.worlds import worlds_of
from synthtools.generate import generate_domain
from synthtools.load import load_domain
from synthtools.task import Task

DOMAINS = ("marina_berths", "coach_tours", "motor_claims")


@cache
def episodes() -> list[tuple[Task, Trajectory]]:
    """Its episodes at tasks of three domains."""
    found = []
    for name in DOMAINS:
        domain = load_domain(name)
        tasks = generate_domain(domain, 60, 2).tasks
        env = ToolEnv(worlds_of(tasks, {name: domain}))
        found += [(task, play(RuleAgent(), task, env, pack="p", trial=0, seed=0)) for task in tasks]
    return found


def test_it_does_some_jobs_of_one_call_and_few_others() -> None:
    """A floor above doing nothing, and far below half."""
    single = [trajectory.success for task, trajectory in episodes() if task.kind == "single"]
    others = [trajectory.success for task, trajectory in episodes() if task.kind != "single"]
    assert 0.15 < sum(single) / len(single) < 0.8
    assert sum(others) / len(others) < 0.2


def test_it_calls_tools_that_there_are_and_looks_names_up() -> None:
    """No call is of another tool, and some episode searches before it acts."""
    assert all(step.result.error != "unknown_tool" for _, trajectory in episodes() for step in trajectory.steps)
    assert any(len(trajectory.steps) > 2 and not trajectory.errors for _, trajectory in episodes())


def test_it_does_the_same_again_whatever_the_seed() -> None:
    """There is nothing in it that draws, and no episode is remembered in the next."""
    domain = load_domain(DOMAINS[0])
    tasks = generate_domain(domain, 20, 3).tasks
    env, agent = ToolEnv(worlds_of(tasks, {domain.name: domain})), scripted("rule")({})
    for task in tasks:
        first, second = (play(agent, task, env, pack="p", trial=0, seed=seed).steps for seed in (1, 2))
        assert first == second
    used, fresh = (play(each, tasks[0], env, pack="p", trial=0, seed=1) for each in (agent, RuleAgent()))
    assert dump_trajectory(used) == dump_trajectory(fresh)


def test_it_may_be_asked_on_after_its_end() -> None:
    """As where it is led along another's path: it ends once more."""
    tool = {"function": {"name": "finish", "parameters": {"properties": {"about": {"description": "one of: a."}}}}}
    agent = RuleAgent()
    agent.begin(Opening("t", "Today is 2026-06-12.", "Do it.", (tool,), 0))
    names = [agent.act(["{}"]).calls[0].name for _ in range(3)]
    assert names == ["finish"] * 3


@pytest.mark.parametrize(
    ("request_", "days", "numbers", "names"),
    [
        ("Put 3 of them down for 26 Sep, please.", ("2026-09-26",), (3.0,), ()),
        ("From June 7 to 2026-08-01, £1,250.50 in all.", ("2026-06-07", "2026-08-01"), (1250.5,), ()),
        ("Ask Oriana Godoy's brother, two nights.", (), (2.0,), ("Ask Oriana Godoy",)),
        ("It is for Lapwing, berth B16.", (), (), ("Lapwing", "B16")),
    ],
)
def test_requests_are_read_by_form(request_: str, days: tuple[str, ...], numbers: tuple[float, ...], names: tuple[str, ...]) -> None:
    """Days in ISO, amounts without their signs, words for numbers, names by their capitals."""
    reading = read(request_, "Today is 2026-04-17; it is 09:00.")
    assert (reading.days, reading.numbers, reading.names) == (days, numbers, names)


def test_ids_are_told_by_their_example() -> None:
    """Letters and signs as in the example, and other digits."""
    reading = read("Move S-00031 and S-4 to D18 (B-00031)", "2026")
    assert reading.like("S-00042") == ("S-00031", "S-4")
    assert reading.like("B16") == ()
