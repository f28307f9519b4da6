"""What a benchmark is likely to take, from the references alone: nothing is run but they.

The rule: an agent makes the reference's calls, one a turn. A token is four characters of JSON. Each turn's prompt is the briefing, the request and
the tools' schemas, with every call and result before; its completion is the call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from agents.agent import Maker
from agents.budget import Budget
from agents.episode import begin
from envs import ToolEnv, Worlds
from synthtools.task import Task, resolve

CHARACTERS = 4
"""Of one token."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one trial of all tasks takes of an agent."""

    tasks: int
    calls: int
    prompt_tokens: int
    completion_tokens: int


def work_of(tasks: Sequence[Task], worlds: Worlds) -> Work:
    """Carry out the references and count."""
    env = ToolEnv(worlds)
    calls = prompt = completion = 0
    try:
        for task in tasks:
            _, opening = begin(task, env, 0)
            told = len(opening.briefing) + len(opening.request) + len(orjson.dumps(list(opening.tools)))
            for step in task.solution:
                call = resolve(step, [orjson.loads(result.content) for _, result in env.calls])
                said = len(orjson.dumps({"name": call.name, "arguments": call.arguments}))
                observation, *_ = env.step(call)
                prompt, completion, calls = prompt + told, completion + said, calls + 1
                told += said + len(observation)
    finally:
        env.close()
    return Work(len(tasks), calls, -(-prompt // CHARACTERS), -(-completion // CHARACTERS))


def estimate(work: Work, trials: int, makers: Mapping[str, Maker], scripted: frozenset[str]) -> dict[str, dict[str, Any]]:
    """What each agent would take; those in `scripted` need no model. Money is None where the settings have no prices."""
    return {name: _one(work, trials, None if name in scripted else getattr(maker({}), "budget", Budget())) for name, maker in makers.items()}


def _one(work: Work, trials: int, budget: Budget | None) -> dict[str, Any]:
    prompt, completion = (0, 0) if budget is None else (work.prompt_tokens * trials, work.completion_tokens * trials)
    paid = budget is not None and bool(budget.prompt_price + budget.completion_price)
    money = round((prompt * budget.prompt_price + completion * budget.completion_price) / 1e6, 4) if budget is not None and paid else None
    counts = {"episodes": work.tasks * trials, "calls": work.calls * trials}
    return {**counts, "prompt_tokens": prompt, "completion_tokens": completion, "money": money}
