"""One episode: an agent plays a task in an environment, and the record of it."""

from __future__ import annotations

from agents.agent import Agent, Opening
from agents.trajectory import Step, Trajectory
from envs import ToolEnv
from envs.action import printable
from synthtools.seed import derive
from synthtools.task import Task


def seed_of(seed: int, task: str, agent: str, trial: int) -> int:
    """The seed of one episode of a rollout with this seed."""
    return derive(seed, task, agent, trial) >> 11


def play(agent: Agent, task: Task, env: ToolEnv, *, pack: str, trial: int, seed: int) -> Trajectory:
    """Play to the end: the agent's `finish`, or the environment's limit of steps."""
    observation, _ = env.reset(options={"task": task})
    agent.begin(Opening(task.id, observation.removesuffix(task.request).rstrip(), task.request, env.tools, seed))
    steps: list[Step] = []
    observations, reward, turns, over = [observation], 0.0, 0, False
    while not over:
        turn = agent.act(observations)
        if not turn.calls:
            raise ValueError(f"agent {agent.name} made a turn without a call; text alone is a turn that calls `finish`")
        observations = []
        for number, call in enumerate(turn.calls):
            observation, gained, terminated, truncated, _ = env.step(call)
            observations.append(observation)
            reward += float(gained)
            taken, result = env.calls[-1]
            first = number == 0
            steps.append(Step(turns, taken, result, printable(turn.text) if first else "", turn.tokens if first else 0, turn.spoken))
            over = terminated or truncated
            if over:
                break
        turns += 1
    judgement = env.judgement
    return Trajectory(
        pack=pack,
        task=task.id,
        domain=task.domain,
        agent=agent.identity,
        trial=trial,
        seed=seed,
        steps=tuple(steps),
        ending=env.ending,
        success=judgement.success,
        reason=judgement.reason,
        reward=reward,
        changes=env.backend.changes(),
    )
