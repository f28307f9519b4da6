"""What a user does with tools of their own: the calls are made in the world, and how they went is said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from synthtools.backend import Backend
from synthtools.domain import Domain
from synthtools.faulty import sound
from synthtools.tool import ToolCall, ToolResult
from synthtools.user import RESPOND, User, how_it_went, replies, said_in


def heard_in(calls: Iterable[tuple[ToolCall, ToolResult]]) -> Iterator[str]:
    """What these calls said to the user."""
    return (said_in(call.arguments) for call, result in calls if call.name == RESPOND.name and result.error is None)


def act(user: User, heard: list[str], domain: Domain, backend: Backend) -> str:
    """Do what the last of these texts asks the user to do; how it went, in their words, or nothing where it asks for nothing.

    The calls are made on the backend itself: no fault of a task strikes them.
    """
    if not user.deeds:
        return ""
    number = len(heard) - 1
    told = []
    for index in replies(user, heard)[-1].deeds:
        deed = user.deeds[index]
        result = sound(backend).call(ToolCall(domain.tool(deed.tool).name, deed.arguments))
        told.append(_told(user, number, result))
    return " ".join(told)


def with_outcome(said: str, outcome: str) -> str:
    """What is said before something is done, and how that went; a text that says it already stays as it is."""
    if not outcome or said.endswith(outcome):
        return said
    return f"{said}{' ' if not said or said[-1] in '.!?' else ', '}{outcome}".strip()


def _told(user: User, number: int, result: ToolResult) -> str:
    value = orjson.loads(result.content)
    if result.error is not None:
        return how_it_went(user, number, "refused", _message(value) or result.reason or result.error)
    shown = _shown(value)
    return how_it_went(user, number, "shows" if shown else "did", shown)


def _message(value: Any) -> str:
    """The words of an error, however the surface puts them."""
    inner = value.get("error") if isinstance(value, Mapping) else None
    found = inner if isinstance(inner, Mapping) else value
    return str(found.get("message", "")) if isinstance(found, Mapping) else ""


def _shown(value: Any) -> str:
    """What a result shows of the one thing it is about: its number, and how that now stands; empty where it shows none."""
    if not isinstance(value, Mapping):
        return ""
    key, state = value.get("id"), value.get("state")
    if not isinstance(key, str):
        return next((shown for inner in value.values() if (shown := _shown(inner))), "")
    return f"{key} is {state.replace('_', ' ')}" if isinstance(state, str) else key
