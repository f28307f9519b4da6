"""One task, two ways: along the reference's path, where every decision is scored, and on the agent's own, where the end counts."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from agents.agent import Opening, Turn
from agents.episode import Crowd, Seat, make
from agents.evaluation.score import Point, score
from envs import ToolEnv
from envs.transcript import write_call
from synthtools.task import Task, resolve
from synthtools.tool import ToolCall

Walk = Generator[Seat, Turn, "Walked"]
Own = Generator[Seat, Turn, "Episode"]
Probe = Generator[Seat, Turn, "Probed"]


@dataclass(frozen=True, slots=True)
class Walked:
    """What an agent decided along the reference's path."""

    points: tuple[Point, ...]
    left_at: int | None
    """The number of the first turn that is not the reference's; None: there is none, so its own path is the reference's."""
    turn: Turn | None
    """That turn."""


@dataclass(frozen=True, slots=True)
class Episode:
    """How an episode of the agent's own ended."""

    success: bool
    reason: str
    """What was nearest at fault; empty on success."""
    declined: bool
    """It ended by saying that this cannot or may not be done, with nothing changed."""
    calls: tuple[str, ...]
    """As people read them."""
    errors: int


@dataclass(frozen=True, slots=True)
class Probed:
    """All that is known of an agent at one task."""

    task: str
    domain: str
    field: str
    kind: str
    length: int
    """Calls of the reference, `finish` not counted."""
    outcome: str
    """How it should end."""
    request: str
    points: tuple[Point, ...]
    episode: Episode


def walk(task: Task, opening: Opening, env: ToolEnv, agent: Crowd) -> Walk:
    """Ask at every decision of the reference; what is done is the reference's call."""
    env.reset(options={"task": task})
    seat, offered = agent.seat(opening), {tool["function"]["name"] for tool in opening.tools}
    points: list[Point] = []
    results: list[Any] = []
    left_at, left_by = None, None
    for number, step in enumerate(task.solution):
        call = resolve(step, results)
        turn = yield seat
        points.append(score(turn, call, env, offered))
        if left_at is None and not _is(turn, call, last=number + 1 == len(task.solution)):
            left_at, left_by = number, turn
        seat.take(Turn((call,)))
        observation = env.step(call)[0]
        seat.hear([observation])
        results.append(orjson.loads(observation))
    return Walked(tuple(points), left_at, left_by)


def _is(turn: Turn, call: ToolCall, *, last: bool) -> bool:
    """Whether a turn leaves the conversation as the reference's would; words beside the last call change nothing any more."""
    return turn.calls == (call,) and not turn.spoken and (last or not turn.text)


def own(task: Task, opening: Opening, env: ToolEnv, agent: Crowd, walked: Walked) -> Own:
    """The agent's own episode, taken up where it left the reference's path."""
    env.reset(options={"task": task})
    seat = agent.seat(opening)
    results: list[Any] = []
    for step in task.solution[: walked.left_at]:
        call = resolve(step, results)
        seat.take(Turn((call,)))
        observation = env.step(call)[0]
        seat.hear([observation])
        results.append(orjson.loads(observation))
    turn, number = walked.turn, len(results)
    while turn is not None:
        seat.take(turn)
        observations, _, _ = make(turn, number, env)
        if env.terminated or env.truncated:
            break
        seat.hear(observations)
        turn = yield seat
        number += 1
    return ended(env)


def ended(env: ToolEnv) -> Episode:
    """How the environment's episode ended."""
    ending, judgement = env.ending, env.judgement
    declined = ending is not None and ending.outcome != "done" and not env.backend.changes()
    calls = tuple(write_call(call) for call, _ in env.calls)
    return Episode(judgement.success, judgement.reason, declined, calls, sum(result.mistaken for _, result in env.calls))


def probe(task: Task, opening: Opening, env: ToolEnv, agent: Crowd) -> Probe:
    """Ask at every decision of the reference, then, where the agent left its path, let it go on."""
    walked = yield from walk(task, opening, env, agent)
    episode = ended(env) if walked.left_at is None else (yield from own(task, opening, env, agent, walked))
    return _probed(task, walked.points, episode)


def probe_together(
    agent: Crowd, tasks: Iterable[tuple[Task, Opening]], envs: Sequence[ToolEnv], answered: Callable[[], None] = lambda: None
) -> Iterator[Probed]:
    """Probe tasks side by side, one in each environment; the next begins where one has ended. `answered` is called when all have had a turn."""
    left, free = iter(tasks), list(envs)
    asking: list[tuple[Probe, ToolEnv, Seat]] = []
    while True:
        for task, opening in islice(left, len(free)):
            env = free.pop()
            begun = probe(task, opening, env, agent)
            asking.append((begun, env, next(begun)))
        if not asking:
            return
        turns = agent.answer([seat for _, _, seat in asking])
        answered()
        asked, asking = asking, []
        for (one, env, seat), turn in zip(asked, turns, strict=True):
            try:
                asking.append((one, env, seat if turn is None else one.send(turn)))
            except StopIteration as over:
                free.append(env)
                yield over.value


def _probed(task: Task, points: tuple[Point, ...], episode: Episode) -> Probed:
    goal = task.goal.alternatives[0]
    about = (task.id, task.domain, task.field, task.kind, len(task.solution) - 1, goal.outcome, task.request)
    return Probed(*about, points, episode)
