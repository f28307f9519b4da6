"""What each call of an episode changed, from the net changes before and after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agents.model_user import RecordedUser
from agents.trajectory import Trajectory
from agents.validate import said_to
from envs import ToolEnv
from synthtools.goal import Change, Changes
from synthtools.task import Task
from synthtools.user import RESPOND

_NOTHING: Mapping[str, Any] = {}


def changes_by_call(env: ToolEnv, trajectory: Trajectory, task: Task) -> list[Changes]:
    """The row changes that each call made, found by making the calls again; what the user does when asked to is made by `respond`."""
    if isinstance(env.user, RecordedUser):
        env.user.load(said_to(trajectory))
    env.reset(options={"task": task})
    made: list[Changes] = []
    before: Changes = ()
    for step in trajectory.steps:
        env.step(step.call)
        after = env.backend.changes() if _may_change(env, step.call.name) else before
        made.append(between(before, after))
        before = after
    return made


def _may_change(env: ToolEnv, name: str) -> bool:
    """Whether a call of this name can change a row."""
    tool = env.domain.tools.get(name)
    return name == RESPOND.name or tool is not None and not tool.read_only


def between(before: Changes, after: Changes) -> Changes:
    """What leads from one net change since a start to another since the same start; sorted by (table, op, key)."""
    if before is after:
        return ()
    earlier, later = ({(change.table, change.key): change for change in side} for side in (before, after))
    found = [change for row in {**earlier, **later} for change in _row(earlier.get(row), later.get(row))]
    return tuple(sorted(found, key=lambda change: (change.table, change.op, change.key)))


def _row(before: Change | None, after: Change | None) -> Iterator[Change]:
    """What came between two net changes of one row."""
    one = before or after
    if one is None or before == after:
        return
    table, key = one.table, one.key
    was, now = _cells(before, after), _cells(after, before)
    if was is None and now is not None:
        yield Change(table, "insert", key, {}, now)
    elif now is None and was is not None:
        yield Change(table, "delete", key, was, {})
    elif was is not None and now is not None:
        names = [name for name in now if name not in was or was[name] != now[name]]
        if names:
            yield Change(table, "update", key, {name: was.get(name) for name in names}, {name: now[name] for name in names})


def _cells(net: Change | None, other: Change | None) -> Mapping[str, Any] | None:
    """A row's cells at the moment of the first net change, as far as either tells of them; None where there is no row then."""
    if net.op == "delete" if net is not None else other is not None and other.op == "insert":
        return None
    start = {**(_NOTHING if other is None else other.before), **(_NOTHING if net is None else net.before)}
    return {**start, **(_NOTHING if net is None else net.after)}
