"""What a benchmark is likely to take, from the references alone: nothing is run but they.

The rule: an agent makes the reference's calls, one a turn. A token is four characters of JSON. Each turn's prompt is the briefing, the request and
the tools' schemas, with every call and result before; its completion is the call. A model in the users' part reads whom it plays and what both said,
and says what the script does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from agents.agent import Maker
from agents.budget import Account, Budget
from agents.episode import begin
from agents.model_user import ModelUsers, portrait
from envs import ToolEnv, Worlds
from envs.speech import reply_of
from synthtools.task import Task, resolve
from synthtools.user import RESPOND

CHARACTERS = 4
"""Of one token."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one trial of all tasks takes of an agent."""

    tasks: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    replies: int
    """Of users, as are the tokens of these completions, and of these prompts but for the settings' own."""
    read_tokens: int
    said_tokens: int


def work_of(tasks: Sequence[Task], worlds: Worlds) -> Work:
    """Carry out the references and count."""
    env = ToolEnv(worlds)
    calls = prompt = completion = replies = read = spoken = 0
    try:
        for task in tasks:
            _, opening = begin(task, env, 0)
            told = len(opening.briefing) + len(opening.request) + len(orjson.dumps(list(opening.tools)))
            heard = len(portrait(task.user)) if task.user else 0
            for step in task.solution:
                call = resolve(step, [orjson.loads(result.content) for _, result in env.calls])
                said = len(orjson.dumps({"name": call.name, "arguments": call.arguments}))
                observation, *_ = env.step(call)
                prompt, completion, calls = prompt + told, completion + said, calls + 1
                told += said + len(observation)
                if call.name == RESPOND.name and isinstance(call.arguments, Mapping):
                    reply = len(reply_of(observation))
                    heard += len(str(call.arguments["text"]))
                    read, spoken, replies = read + heard, spoken + reply, replies + 1
                    heard += reply
    finally:
        env.close()
    return Work(len(tasks), calls, _tokens(prompt), _tokens(completion), replies, _tokens(read), _tokens(spoken))


def _tokens(characters: int) -> int:
    return -(-characters // CHARACTERS)


def estimate(work: Work, trials: int, makers: Mapping[str, Maker], scripted: frozenset[str]) -> dict[str, dict[str, Any]]:
    """What each agent would take; those in `scripted` need no model. Money is None where the settings have no prices."""
    return {name: _one(work, trials, None if name in scripted else getattr(maker({}), "budget", Budget())) for name, maker in makers.items()}


def of_user(work: Work, trials: int, agents: int, users: ModelUsers) -> dict[str, Any]:
    """What a model in the users' part would take, with so many agents."""
    times = trials * agents
    read = work.read_tokens + _tokens(work.replies * len(users.sampling.prompt))
    return {"replies": work.replies * times, **_taken(read * times, work.said_tokens * times, users.budget)}


def _one(work: Work, trials: int, budget: Budget | None) -> dict[str, Any]:
    prompt, completion = (0, 0) if budget is None else (work.prompt_tokens * trials, work.completion_tokens * trials)
    return {"episodes": work.tasks * trials, "calls": work.calls * trials, **_taken(prompt, completion, budget or Budget())}


def _taken(prompt: int, completion: int, budget: Budget) -> dict[str, Any]:
    account = Account(budget=budget)
    account.pay(prompt, completion)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "money": round(account.spent.money, 4) if budget.priced else None}
