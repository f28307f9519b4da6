"""An episode as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import orjson

from synthtools.domain import Domain
from synthtools.fault import Fault
from synthtools.goal import Change, Judgement
from synthtools.task import Task
from synthtools.tool import ToolCall, ToolResult
from synthtools.user import User

_WIDTH = 400
"""Longest result that is shown whole."""


def write_transcript(task: Task, calls: Sequence[tuple[ToolCall, ToolResult]], judgement: Judgement | None) -> str:
    """The request, each call with its result, and the judgement of an episode that is over (None: it goes on)."""
    lines = [f"task       {task.id}   difficulty {task.difficulty}", f"user       {task.request}"]
    for call, result in calls:
        lines += [f"agent  →   {write_call(call)}", f"       ←   {_shorten(result.content)}"]
    if judgement is not None:
        lines.append("goal       met" if judgement.success else f"goal       not met: {judgement.reason.replace('_', ' ')}")
    return "\n".join(lines)


def write_goal(task: Task, domain: Domain) -> list[str]:
    """What success means: a line for each row that must change, and one for the ending."""
    goal = task.goal.alternatives[0]
    value = "" if goal.answer is None else f", answer {write_cell(goal.answer.type, goal.answer.value)}"
    about = f" about {goal.about}" if goal.about else ""
    ways = len(task.goal.alternatives)
    tied = f" ({ways} choices tie, any one will do)" if ways > 1 else ""
    rest = f"{goal.check} decides what may change" if goal.check else "nothing else may change"
    return [*(write_change(change, domain) for change in goal.changes), f"{goal.outcome}{about}{value}; {rest}{tied}"]


def write_user(user: User | None) -> list[str]:
    """What a task's user knows, can do and decides, a line each; nothing where there is none."""
    if user is None:
        return []
    ways = {"at_once": "", "when_pressed": ", when asked twice", "corrected": ", after a slip"}
    facts = [f"{fact.label}: {fact.said}{ways[fact.given]}" for fact in user.facts]
    deeds = [
        f"{'does, when asked' if deed.able else 'cannot'}: {deed.label} - {write_call(ToolCall(deed.tool, deed.arguments))}" for deed in user.deeds
    ]
    return facts + deeds + ([] if user.decision is None else [f"asked whether to go ahead: {user.decision.said}"])


def write_fault(fault: Fault) -> str:
    """What goes wrong: its type, and which of its settings are not those of any."""
    settings = {name: value for name, value in asdict(fault).items() if name not in ("type", "tools") and value not in ("", ())}
    return f"{fault.type} {', '.join(f'{name} {value}' for name, value in settings.items())}".strip()


def write_change(change: Change, domain: Domain) -> str:
    """`+ stay {…}`: a row that comes, `~` one that changes, `-` one that goes; bookkeeping and nulls are left out."""
    sign = {"insert": "+", "update": "~", "delete": "-"}[change.op]
    columns = domain.tables[change.table].columns
    shown = {name: value for name, value in change.after.items() if name != "id" and value is not None and not columns[name].incidental}
    cells = ", ".join(f"{name} {write_cell(columns[name].kind, value)}" for name, value in shown.items())
    return f"{sign} {change.table}{'' if change.op == 'insert' else f' {change.key}'} {{{cells}}}"


def write_cell(kind: str, value: Any) -> str:
    """A value as people write it: amounts are not in cents."""
    return f"{value / 100:.2f}" if kind == "money" else str(value)


def write_call(call: ToolCall) -> str:
    """`get_stay(stay_id="S-10231")`; arguments that were never JSON stand as they came."""
    if isinstance(call.arguments, str):
        return f"{call.name}({_shorten(call.arguments)})"
    return f"{call.name}({', '.join(f'{key}={_value(value)}' for key, value in _items(call.arguments))})"


def _items(arguments: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(str(key), value) for key, value in arguments.items()]


def _value(value: Any) -> str:
    try:
        return _shorten(orjson.dumps(value).decode())
    except TypeError:
        return _shorten(repr(value))


def _shorten(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}… ({len(text)} characters)"
