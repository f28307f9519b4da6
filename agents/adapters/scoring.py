"""An episode that another framework played, from its calls alone: made again in a fresh world, judged, and with its cause where it failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agents.bench.causes import cause_of
from agents.bench.evidence import Examiner
from agents.bench.suite import Suite
from agents.trajectory import Step, Trajectory
from envs import ToolEnv
from envs.env import MAX_STEPS
from envs.worlds import worlds_of
from synthtools.task import Task
from synthtools.tool import ToolCall


@dataclass(frozen=True, slots=True)
class Score:
    """What an episode came to."""

    success: bool
    reason: str
    """What the judge holds to be nearest at fault; empty on success."""
    cause: str
    """A code of `CAUSES`; empty on success."""
    detail: str
    """The cause for people: which call or value, what instead, and where it could have been seen."""
    reward: float
    calls: int
    errors: int
    """Calls that came to an error which is no fault of the service."""
    finished: bool
    """Whether the agent ended it by `finish`, and no limit of steps, tokens or time did."""


class Scorer:
    """Scores episodes of a suite's tasks. It shares nothing with the environments that they were played in."""

    def __init__(self, suite: Suite, max_steps: int = MAX_STEPS) -> None:
        self._pack = suite.label.digest
        self._tasks = {task.id: task for task in suite.tasks}
        self._env = ToolEnv(worlds_of(suite.tasks, suite.domains), max_steps=max_steps)
        self._examiner = Examiner(ToolEnv(worlds_of(suite.tasks, suite.domains), max_steps=max_steps))

    def score(self, task_id: str, calls: Sequence[ToolCall]) -> Score:
        """Make the calls again and say what they come to. Raises ValueError for an id of no task, and where they differ when made twice."""
        if task_id not in self._tasks:
            raise ValueError(f"there is no task {task_id!r} in this suite")
        task = self._tasks[task_id]
        env = self._env
        env.reset(options={"task": task})
        reward = 0.0
        for call in calls:
            reward += float(env.step(call)[1])
        judgement = env.judgement
        cause, detail = ("", "") if judgement.success else self._cause(task, reward)
        errors = sum(result.mistaken for _, result in env.calls)
        return Score(judgement.success, judgement.reason, cause, detail, reward, len(env.calls), errors, env.terminated)

    def _cause(self, task: Task, reward: float) -> tuple[str, str]:
        env = self._env
        if not (env.terminated or env.truncated):
            return "no_ending", f"{len(env.calls)} calls and no `finish`"
        evidence = self._examiner.examine(self._record(task, reward), task)
        cause = None if evidence is None else cause_of(evidence)
        if cause is None:
            raise ValueError(f"{task.id}: the same calls came to something else when they were made again")
        return cause.code, cause.detail

    def _record(self, task: Task, reward: float) -> Trajectory:
        env = self._env
        return Trajectory(
            pack=self._pack,
            task=task.id,
            domain=task.domain,
            agent="",
            trial=0,
            seed=0,
            steps=tuple(Step(number, call, result) for number, (call, result) in enumerate(env.calls)),
            ending=env.ending,
            success=env.judgement.success,
            reason=env.judgement.reason,
            reward=reward,
            changes=env.backend.changes(),
        )
