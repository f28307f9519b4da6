"""The call that an action is: whatever an agent passes becomes one that can be written down as JSON, read back, and made again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import orjson

from synthtools.tool import ToolCall

Action: TypeAlias = ToolCall | Mapping[str, Any]
"""A call; a mapping with the keys `name` and `arguments` is taken for one."""

_ROOM = 8
"""How much deeper arguments lie in a record than by themselves."""
_SHORT = 400
"""Bytes of JSON: fewer cannot be nested deeper than a record may be."""


def as_call(action: Any) -> ToolCall:
    """Anything that is passed for a call, as one that nobody else can change.

    What is no call comes out as one that no backend accepts, and arguments that JSON cannot hold as text that is no JSON and says why.
    """
    if type(action) is ToolCall and type(action.name) is str:
        name, arguments = action.name, action.arguments
    else:
        name, arguments = _parts(action)
    return ToolCall(name if name.isascii() else printable(name), _as_json(arguments))


def printable(text: str) -> str:
    """The text without lone surrogates, which UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _parts(action: Any) -> tuple[str, Any]:
    if isinstance(action, Mapping):
        name, arguments = action.get("name"), action.get("arguments", {})
    else:
        name, arguments = getattr(action, "name", None), getattr(action, "arguments", "")
    return (str.__str__(name) if isinstance(name, str) else ""), arguments


def _as_json(arguments: Any) -> dict[str, Any] | str:
    if type(arguments) is str:
        return arguments if arguments.isascii() or printable(arguments) == arguments else _no_json("str is not valid UTF-8")
    try:
        plain = dict(arguments) if type(arguments) is not dict and isinstance(arguments, Mapping) else arguments
        text = orjson.dumps(plain, option=_OPTIONS)
        if (b"null" in text and _has_nonfinite(plain)) or (len(text) > _SHORT and _is_deep(plain)):
            return _no_json("a number that is none, or nested too deep")
        return orjson.loads(text) if type(plain) is dict else text.decode()
    except Exception as error:  # noqa: BLE001  arguments are anything, and what they do when looked at is the agent's mistake
        return _no_json(str(error) if isinstance(error, orjson.JSONEncodeError) else type(error).__name__)


_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


def _no_json(why: str) -> str:
    """Text that no parser takes for JSON; it depends on nothing but what is wrong."""
    return f"not JSON: {ascii(why)}"


def _has_nonfinite(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(map(_has_nonfinite, value.values()))
    return isinstance(value, list | tuple) and any(map(_has_nonfinite, value))


def _is_deep(value: Any) -> bool:
    for _ in range(_ROOM):
        value = [value]
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return True
    return False
