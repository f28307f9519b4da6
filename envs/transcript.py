"""An episode as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from synthtools.goal import Judgement
from synthtools.task import Task
from synthtools.tool import ToolCall, ToolResult

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
