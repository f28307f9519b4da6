"""A chat turn as steps: text without a call is said to the user where there is one, and elsewhere ends the episode."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from synthtools.finish import NAME as FINISH
from synthtools.goal import Outcome
from synthtools.tool import ToolCall
from synthtools.user import RESPOND


def talks(tools: Iterable[Mapping[str, Any]]) -> bool:
    """Whether an agent that has these tools (schemas as chat models take them) has a user to talk to."""
    return any(tool["function"]["name"] == RESPOND.name for tool in tools)


def said(text: str, to_user: bool) -> ToolCall:
    """The call that text alone stands for: `respond`, or where there is no user `finish` with it for an answer."""
    return ToolCall(RESPOND.name, {"text": text}) if to_user else finish_call(text)


def reply_of(observation: str) -> str:
    """What the user said, from the result of `respond`; the result itself when that came to an error."""
    result = orjson.loads(observation)
    return str(result.get("reply", observation)) if isinstance(result, dict) else observation


def finish_call(answer: Any = None, outcome: Outcome = "done", about: str = "") -> ToolCall:
    """A call of `finish`, with the arguments that are not empty."""
    arguments = {"answer": answer, "outcome": outcome, "about": about}
    return ToolCall(FINISH, {key: value for key, value in arguments.items() if value not in (None, "")})
