"""Validation: a trajectory is true when replaying its calls in a fresh world gives what it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from agents.episode import seed_of
from agents.model_user import RecordedUser
from agents.run import Row
from agents.stored import Stored
from agents.trajectory import Trajectory, dump_trajectory, turn_fault
from envs import ToolEnv
from envs.speech import reply_of
from envs.worlds import worlds_of
from synthtools.backends import BackendName
from synthtools.domain import Domain
from synthtools.pack import Pack
from synthtools.task import Task
from synthtools.user import RESPOND

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
    fault = turn_fault(trajectory.steps)
    if fault:
        return Verdict(False, "record", fault)
    if isinstance(env.user, RecordedUser):
        env.user.load(said_to(trajectory))
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


def said_to(trajectory: Trajectory) -> tuple[str, ...]:
    """What the user said to the agent, as the record has it."""
    return tuple(reply_of(step.result.content) for step in trajectory.steps if step.call.name == RESPOND.name and step.result.error is None)


def _compare(trajectory: Trajectory, env: ToolEnv, reward: float, over: bool) -> Verdict:
    if not over or env.ending != trajectory.ending:
        return Verdict(False, "ending", "the episode does not end there" if not over else f"ends with {env.ending}")
    if env.backend.changes() != trajectory.changes:
        return Verdict(False, "changes", "the net change of the world is another")
    judgement = env.judgement
    if (judgement.success, judgement.reason) != (trajectory.success, trajectory.reason):
        return Verdict(False, "success", f"judged {judgement.success} {judgement.reason}".rstrip())
    if trajectory.reward != reward:
        return Verdict(False, "reward", f"earns {reward}")
    if dump_trajectory(_replayed(trajectory, env, reward)) != dump_trajectory(trajectory):
        return Verdict(False, "record", "a number, a truth value or an argument is written otherwise than it is replayed")
    return Verdict(True)


def _replayed(trajectory: Trajectory, env: ToolEnv, reward: float) -> Trajectory:
    """The record with all that the replay gave in its place."""
    steps = (replace(step, call=call, result=result) for step, (call, result) in zip(trajectory.steps, env.calls, strict=True))
    judged = env.judgement
    return replace(
        trajectory,
        steps=tuple(steps),
        ending=env.ending,
        success=judged.success,
        reason=judged.reason,
        reward=reward,
        changes=env.backend.changes(),
    )


def row_of(trajectory: Trajectory, task: Task, *, valid: bool, verdict: str, seconds: float) -> Row:
    """The row of a trajectory: what its record and its task do not say is given."""
    return Row(
        *(trajectory.pack, task.id, trajectory.agent, trajectory.trial, task.domain, task.split, task.kind),
        *(trajectory.success, valid, trajectory.reason, verdict, trajectory.reward),
        *(len(trajectory.steps), trajectory.errors, sum(step.tokens for step in trajectory.steps)),
        *(dump_trajectory(trajectory).decode(), seconds),
    )


def open_env(run: Stored, pack: Pack, backend: BackendName | None = None) -> ToolEnv:
    """An environment to replay a run's episodes in, as they were played; where a model was the user, what it said is taken from the records."""
    settings = run.settings
    user = RecordedUser() if settings.get("user") else None
    return ToolEnv(pack, reward=settings["reward"], max_steps=settings["max_steps"], user=user, backend=backend)


def validate_run(run: Stored, pack: Pack, backend: BackendName | None = None) -> Iterator[tuple[Row, Verdict]]:
    """Validate every stored trajectory anew, in the order of keys, whatever its row says of its validity."""
    env = open_env(run, pack, backend)
    tasks = {task.id: task for task in pack.tasks}
    for row in run.rows():
        yield row, _check(row, tasks.get(row.task), run, env) if row.pack == pack.digest else _strange(row, pack)


def _strange(row: Row, pack: Pack) -> Verdict:
    return Verdict(False, "task", f"{row.task} of pack {row.pack} is not in the pack {pack.digest}")


def _check(row: Row, task: Task | None, run: Stored, env: ToolEnv) -> Verdict:
    try:
        trajectory = row.trajectory()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Verdict(False, "record", f"cannot be read: {error}")
    if task is None:
        return Verdict(False, "task", f"{row.task} is not in the pack {row.pack}")
    fault = _stranger(trajectory, row, run)
    if fault:
        return Verdict(False, "record", fault)
    verdict = replay(trajectory, task, env)
    if verdict.valid and row != row_of(trajectory, task, valid=row.valid, verdict=row.verdict, seconds=row.seconds):
        return Verdict(False, "record", "is not what its row says")
    return verdict


def _stranger(trajectory: Trajectory, row: Row, run: Stored) -> str:
    """What is not so between a record and the run that it stands in."""
    settings = run.settings
    if trajectory.key != row.key or type(trajectory.trial) is not int:
        return "is not what its row says"
    if row.agent not in settings["agents"] or not 0 <= row.trial < settings["trials"]:
        return f"the run has no trial {row.trial} of {row.agent}"
    if trajectory.seed != seed_of(settings["seed"], row.task, row.agent, row.trial) or type(trajectory.seed) is not int:
        return "its seed is not the one that follows from the run's"
    return ""
