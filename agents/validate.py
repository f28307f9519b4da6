"""Validation: a trajectory is true when replaying its calls in a fresh world gives what it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from agents.run import Row, Stored
from agents.trajectory import Trajectory
from envs import ToolEnv
from envs.worlds import worlds_of
from synthtools.backends import BackendName
from synthtools.domain import Domain
from synthtools.pack import Pack
from synthtools.task import Task

Reason = Literal["", "record", "task", "call", "result", "ending", "changes", "success", "reward"]
"""What is not so: the record itself (unreadable, or its row says otherwise), the task it names, a call that cannot have gone so,
a result's content, how the episode ended, the final state, success, the reward."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of validating one trajectory."""

    valid: bool
    reason: Reason = ""
    detail: str = ""
    """Where, for people: the number of the call, and what was replayed instead."""


def validate(trajectory: Trajectory, domain: Domain, task: Task, backend: BackendName | None = None) -> Verdict:
    """Replay in a world of its own and compare every result, the net change, the ending and the reward."""
    env = ToolEnv(worlds_of([task], {domain.name: domain}), backend=backend)
    try:
        return replay(trajectory, task, env)
    finally:
        env.close()


def replay(trajectory: Trajectory, task: Task, env: ToolEnv) -> Verdict:
    """Validate in a given environment over the task's domain, with the reward that the trajectory was scored by."""
    if (trajectory.task, trajectory.domain) != (task.id, task.domain):
        return Verdict(False, "task", f"{trajectory.task} of {trajectory.domain} is not {task.id} of {task.domain}")
    env.reset(options={"task": task})
    reward, over = 0.0, False
    for number, step in enumerate(trajectory.steps):
        if over:
            return Verdict(False, "call", f"call {number} comes after the end")
        _, gained, terminated, truncated, _ = env.step(step.call)
        reward, over = reward + float(gained), terminated or truncated
        result = env.calls[-1][1]
        if result != step.result:
            kind: Reason = "result" if (result.error, result.reason) == (step.result.error, step.result.reason) else "call"
            return Verdict(False, kind, f"call {number} ({step.call.name}) gives {result.content[:200]}")
    return _compare(trajectory, env, reward, over)


def _compare(trajectory: Trajectory, env: ToolEnv, reward: float, over: bool) -> Verdict:
    if not over or env.ending != trajectory.ending:
        return Verdict(False, "ending", "the episode does not end there" if not over else f"ends with {env.ending}")
    if env.backend.changes() != trajectory.changes:
        return Verdict(False, "changes", "the net change of the world is another")
    judgement = env.judgement
    if (judgement.success, judgement.reason) != (trajectory.success, trajectory.reason):
        return Verdict(False, "success", f"judged {judgement.success} {judgement.reason}".rstrip())
    if trajectory.reward is not None and trajectory.reward != reward:
        return Verdict(False, "reward", f"earns {reward}")
    return Verdict(True)


def validate_run(run: Stored, pack: Pack, backend: BackendName | None = None) -> Iterator[tuple[Row, Verdict]]:
    """Validate every stored trajectory anew, in the order of keys, whatever its row says of its validity."""
    env = ToolEnv(pack, reward=run.settings["reward"], max_steps=run.settings["max_steps"], backend=backend)
    tasks = {task.id: task for task in pack.tasks}
    for row in run.rows():
        yield row, _check(row, tasks.get(row.task), pack, env)


def _check(row: Row, task: Task | None, pack: Pack, env: ToolEnv) -> Verdict:
    try:
        trajectory = row.trajectory()
    except (ValueError, KeyError, TypeError) as error:
        return Verdict(False, "record", f"cannot be read: {error}")
    if trajectory.key != row.key or trajectory.success != row.success:
        return Verdict(False, "record", "is not what its row says")
    if task is None or row.pack != pack.digest:
        return Verdict(False, "task", f"{row.task} is not in the pack {pack.digest}")
    return replay(trajectory, task, env)
