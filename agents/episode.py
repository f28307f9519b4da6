"""Episodes: an agent plays tasks in environments, one at a time or many together, and the records of them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Protocol, runtime_checkable

from agents.agent import Agent, Opening, Turn
from agents.trajectory import Step, Trajectory
from envs import ToolEnv
from envs.action import printable
from synthtools.seed import derive
from synthtools.task import Task

Play = Generator[Sequence[str], Turn, Trajectory]
"""An episode that gives observations, takes turns, and returns its record."""


class Seat(Protocol):
    """One episode's place in an agent that acts in many at once."""

    def take(self, turn: Turn) -> None:
        """What is done next in this episode, by whomever."""

    def hear(self, observations: Sequence[str]) -> None:
        """The results of that."""


@runtime_checkable
class Crowd(Protocol):
    """An agent that acts in many episodes at once."""

    @property
    def batch(self) -> int:
        """In how many at most."""

    def seat(self, opening: Opening) -> Seat:
        """A place for one more episode."""

    def answer(self, seats: Sequence[Any]) -> Sequence[Turn | None]:
        """The next turn in each of these; none is taken yet. None: nothing yet, ask again beside others."""


def seed_of(seed: int, task: str, agent: str, trial: int) -> int:
    """The seed of one episode of a rollout with this seed."""
    return derive(seed, task, agent, trial) >> 11


def begin(task: Task, env: ToolEnv, seed: int) -> tuple[str, Opening]:
    """Start a task's episode: the first observation, and what the agent is given."""
    observation, _ = env.reset(options={"task": task})
    return observation, Opening(task.id, observation.removesuffix(task.request).rstrip(), task.request, env.tools, seed)


def make(turn: Turn, number: int, env: ToolEnv) -> tuple[list[str], list[Step], float]:
    """Make the calls of a turn until the episode is over: their observations, their records, and the reward. ValueError where it has none."""
    if not turn.calls:
        raise ValueError("an agent made a turn without a call; text alone is a turn that calls `finish`")
    observations: list[str] = []
    steps: list[Step] = []
    reward = 0.0
    for place, call in enumerate(turn.calls):
        observation, gained, terminated, truncated, _ = env.step(call)
        observations.append(observation)
        reward += float(gained)
        taken, result = env.calls[-1]
        text, tokens = (printable(turn.text), turn.tokens) if place == 0 else ("", 0)
        steps.append(Step(number, taken, result, text, tokens, turn.spoken))
        if terminated or truncated:
            break
    return observations, steps, reward


def episode(observation: str, opening: Opening, env: ToolEnv, *, pack: str, agent: str, trial: int) -> Play:
    """An episode that was begun, to its end: the agent's `finish`, or the environment's limit of steps."""
    observations, steps, reward, turns = [observation], list[Step](), 0.0, 0
    while not (env.terminated or env.truncated):
        turn = yield observations
        observations, made, gained = make(turn, turns, env)
        steps += made
        reward += gained
        turns += 1
    judgement = env.judgement
    return Trajectory(
        pack=pack,
        task=env.task.id,
        domain=env.task.domain,
        agent=agent,
        trial=trial,
        seed=opening.seed,
        steps=tuple(steps),
        ending=env.ending,
        success=judgement.success,
        reason=judgement.reason,
        reward=reward,
        changes=env.backend.changes(),
    )


def play(agent: Agent, task: Task, env: ToolEnv, *, pack: str, trial: int, seed: int) -> Trajectory:
    """Play one episode to its end."""
    observation, opening = begin(task, env, seed)
    agent.begin(opening)
    playing = episode(observation, opening, env, pack=pack, agent=agent.identity, trial=trial)
    observations = next(playing)
    try:
        while True:
            observations = playing.send(_turn(agent.act(observations)))
    except StopIteration as over:
        return over.value  # type: ignore[no-any-return]


def _turn(given: object) -> Turn:
    """What `act` returned; TypeError where it is no turn."""
    if isinstance(given, Turn):
        return given
    kind = type(given).__name__
    what = "None" if given is None else f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"
    raise TypeError(f"act returned {what}, not a Turn")


def play_together(agent: Crowd, begun: Sequence[tuple[Play, Opening]]) -> list[Trajectory | Exception]:
    """Play episodes side by side; one that breaks is given up with what broke it, and the others go on."""
    results: dict[int, Trajectory | Exception] = {}
    seats: dict[int, Seat] = {}
    for index, (playing, opening) in enumerate(begun):
        next(playing)
        seats[index] = agent.seat(opening)
    while seats:
        turns = agent.answer(list(seats.values()))
        for (index, seat), turn in zip(list(seats.items()), turns, strict=True):
            if turn is None:
                continue
            try:
                seat.take(turn)
                seat.hear(begun[index][0].send(turn))
            except StopIteration as over:
                results[index] = over.value
            except Exception as error:  # noqa: BLE001  ours, and of this episode alone
                results[index] = error
            if index in results:
                del seats[index]
    return [results[index] for index in range(len(begun))]
