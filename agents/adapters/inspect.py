"""Inspect AI: a suite or a pack as a task, `inspect eval synthtools/bench -T suite=smoke --model …`.

Tools are Inspect's own, so its approvals, limits, epochs and other agents (`--solver`) work; calls are kept in the sample's store, and the
score comes of making them again, so that `inspect score` can score a log anew.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

import orjson
from inspect_ai import Task, task
from inspect_ai.agent import Agent, AgentState, agent, as_solver, react
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser, ModelAPI, get_model, modelapi
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Target, accuracy, grouped, scorer, stderr
from inspect_ai.scorer import Scorer as InspectScorer
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import Tool

from agents.adapters.inspect_episode import PLAYING, Episode, Played
from agents.adapters.inspect_model import ScriptedModel
from agents.adapters.scoring import Scorer
from agents.bench.source import load_source
from agents.bench.suite import Suite
from agents.chat import PROMPT
from agents.conversation import Conversation, as_text
from agents.episode import begin
from envs import ToolEnv, worlds_of
from envs.env import MAX_STEPS
from synthtools.seed import derive
from synthtools.tool import ToolCall

Made = TypeVar("Made", bound=Callable[..., Any])


def _named(made: Made) -> Made:
    """Let Inspect find it as `synthtools/…`: it names things by the package that they are in, and looks for what that one installs."""
    made.__module__ = "synthtools"
    return made


@task
@_named
def bench(suite: str = "smoke", split: str = "test", max_steps: int = MAX_STEPS, trust: bool = False) -> Task:
    """A suite (its name or file) or a pack's folder, one sample a task. `max_steps`: calls until an episode is cut off."""
    loaded = _suite(suite, split, trust)
    return Task(
        dataset=MemoryDataset(list(map(_sample, loaded.tasks)), name=loaded.label.name),
        setup=world(suite, split, max_steps, trust),
        solver=play(),
        scorer=executed(suite, split, max_steps, trust),
        metrics=[accuracy(), stderr(cluster="domain" if len(loaded.domains) > 1 else None), grouped(accuracy(), "kind", all=False)],
        cleanup=_clean_up,
        name=f"synthtools_{loaded.label.name}",
        version=loaded.label.version,
        metadata=loaded.label.settings(),
    )


@solver
@_named
def world(suite: str, split: str, max_steps: int, trust: bool) -> Solver:
    """Begin the sample's episode: its tools, and the words before the request."""
    loaded = _suite(suite, split, trust)
    worlds, tasks = worlds_of(loaded.tasks, loaded.domains), {one.id: one for one in loaded.tasks}

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        env = ToolEnv(worlds, max_steps=max_steps)
        observation, opening = begin(tasks[str(state.sample_id)], env, derive(0, str(state.sample_id), state.epoch) >> 11)
        system, request = Conversation(opening, PROMPT, as_text).messages
        state.messages = [ChatMessageSystem(content=system["content"]), ChatMessageUser(content=request["content"])]
        played = PLAYING[state.uuid] = Played(env, observation, opening)
        state.store.set("Episode:task", env.task.id)
        state.store.set("Episode:calls", played.calls)
        played.message = state.messages[0].id
        state.tools = [tool.as_tool() for tool in played.tools()]
        return state

    return solve


@solver
@_named
def play() -> Solver:
    """Inspect's `react` until the world is over: text without a call goes to the user, or where there is none is the end."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        played = PLAYING[state.uuid]

        async def go_on(now: AgentState) -> bool | str:
            if now.output.message.tool_calls:
                played.settle(now.messages)
                return not played.over
            return played.say(now.output.message.text)

        reacting = react(prompt=None, tools=list(state.tools), model=_hearing(played), submit=False, on_continue=go_on)
        return await as_solver(reacting)(state, generate)

    return solve


@agent
def _hearing(played: Played) -> Agent:
    """The model, with each turn told to the episode before its calls are carried out."""

    async def execute(state: AgentState, tools: list[Tool]) -> AgentState:
        state.output = await get_model().generate(state.messages, tools)
        state.messages.append(state.output.message)
        played.turn(state.output.message.tool_calls or [])
        return state

    return execute


@scorer(metrics=[accuracy(), stderr()])
@_named
def executed(suite: str, split: str, max_steps: int, trust: bool) -> InspectScorer:
    """Whether the calls, made again, meet the goal; with the cause where they do not."""
    judge = Scorer(_suite(suite, split, trust), max_steps)

    async def score(state: TaskState, target: Target) -> Score:
        kept = state.store_as(Episode)
        found = judge.score(kept.task, [ToolCall(name, arguments) for name, arguments in kept.calls])
        data = {"reason": found.reason, "cause": found.cause, "reward": found.reward, "calls": found.calls, "errors": found.errors}
        return Score(
            value=CORRECT if found.success else INCORRECT,
            answer=_ending(kept),
            explanation=f"{found.cause}: {found.detail}" if found.cause else "",
            metadata={**data, "finished": found.finished},
        )

    return score


@modelapi(name="synthtools")
@_named
def scripted_model() -> type[ModelAPI]:
    """`--model synthtools/solution` and the other scripted agents, which need no model: to try a suite, or for a baseline."""
    return ScriptedModel


def _ending(kept: Episode) -> str:
    """The arguments of `finish`, where the episode came to it."""
    name, arguments = kept.calls[-1] if kept.calls else ("", "")
    return (arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()) if name == "finish" else ""


def _sample(one: Any) -> Sample:
    metadata = {"domain": one.domain, "field": one.field, "kind": one.kind, "difficulty": one.difficulty}
    return Sample(id=one.id, input=one.request, metadata=metadata)


async def _clean_up(state: TaskState) -> None:
    played = PLAYING.pop(state.uuid, None)
    if played is not None:
        played.close()


@lru_cache(maxsize=4)
def _suite(suite: str, split: str, trust: bool) -> Suite:
    """Loaded once in a process."""
    return load_source(suite, split, trust=trust)
