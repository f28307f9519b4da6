"""The forms in which models write calls, each read from where it begins. Whatever cannot be read raises ValueError."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from agents.students.loose import Loose, plain_value, read_value, skip_space
from synthtools.tool import ToolCall

ARGUMENTS = ("arguments", "parameters", "args", "input")
"""What models call the arguments."""
_NAME = r"[^\W\d][\w.-]*"
_BETWEEN = re.compile(r"[\s;,]*")
_PYTHON = re.compile(rf"\[\s*{_NAME}\(|{_NAME}\(")
_JSON = re.compile(r"[{\[]")
_FUNCTION = re.compile(r"\s*<function=([^<>\n]{1,200})>\s*")
_FUNCTION_END = re.compile(r"\s*(?:</function>|(?=</tool_call>))")
_FUNCTION_JSON_END = re.compile(r"\s*+(?:}\s*+)?(?:</function>|(?=</tool_call>)|\Z)")
_PARAMETER = re.compile(r"\s*<parameter=([^<>\n]{1,200})>"), re.compile(r"</parameter>(?=\s*(?:<parameter=|</function>|</tool_call>))")
_ARGUMENT = (
    re.compile(r"\s*<arg_key>([^<>]{1,200})</arg_key>\s*<arg_value>"),
    re.compile(r"</arg_value>(?=\s*(?:<arg_key>|</tool_call>|\Z))"),
)
_NAMED = re.compile(rf"({_NAME})(?:\[CALL_ID\]\w+)?(?:\[ARGS\])?\s*(?={{)")
_TAGGED = re.compile(rf"({_NAME})\s*(?=<arg_key>|</tool_call>|<\|/tool_call\|>)")
_BEGINS = re.compile(
    r"""\s*(?:\[\s*)?\{\s*(?:["']type["']\s*:\s*["']function["']\s*,\s*)?(?:["']function["']\s*:\s*\{\s*)?"""
    rf"""["']name["']\s*:\s*["']([^"'\\]{{1,200}})["']|\s*<function=([^<>\n]{{1,200}})>|\s*\[?\s*({_NAME})(?=\s*[(<{{\[])"""
)

Calls = tuple[list[ToolCall], int]
"""The calls, and where they end."""


def read_marked(text: str, at: int) -> Calls:
    """The calls of any form that begin at `at`, where markup says that there are some."""
    at = skip_space(text, at)
    if text.startswith("<function=", at):
        return read_functions(text, at)
    if _PYTHON.match(text, at):
        return read_python(text, at)
    if _JSON.match(text, at):
        return read_json(text, at)
    return _read_named(text, at)


def read_unmarked(text: str, at: int, known: Collection[str]) -> Calls:
    """The calls at `at` where no markup speaks for them; none if this is something else, of which the end is told."""
    at = skip_space(text, at)
    if not _PYTHON.match(text, at):
        return read_json(text, at, known)
    calls, end = read_python(text, at)
    return (calls if all(call.name in known for call in calls) else []), end


def read_json(text: str, at: int, known: Collection[str] | None = None) -> Calls:
    """Objects and lists of calls, one after the other, up to what is not one; no calls if the first is none."""
    value, end = read_value(text, at)
    calls = calls_of(value, known)
    while calls and _JSON.match(text, at := _skip(_BETWEEN, text, end)):
        try:
            value, stop = read_value(text, at)
        except ValueError:
            break
        if not (more := calls_of(value, known)):
            break
        calls, end = calls + more, stop
    return calls, end


def calls_of(value: Any, known: Collection[str] | None = None) -> list[ToolCall]:
    """The calls that a value is, or none; only tools that are `known` (None: all of them) may go without arguments."""
    if isinstance(value, list):
        each = [_call_of(item, known) for item in value]
        return [call for call in each if call] if None not in each else []
    if isinstance(value, dict) and isinstance(value.get("tool_calls"), list):
        return calls_of(value["tool_calls"], known)
    call = _call_of(value, known)
    return [call] if call else []


def _call_of(value: Any, known: Collection[str] | None) -> ToolCall | None:
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
    if not isinstance(value, dict) or not isinstance(value.get("name"), str) or not value["name"]:
        return None
    key = next((key for key in ARGUMENTS if key in value), "")
    if not key and known is not None and value["name"] not in known:
        return None
    arguments = _object_of(value.get(key))
    if arguments is None or (key == "parameters" and arguments.get("type") == "object" and "properties" in arguments):
        return None  # a schema that is recited is no call
    return ToolCall(value["name"], arguments)


def _object_of(arguments: Any) -> Mapping[str, Any] | None:
    if isinstance(arguments, str) and arguments.strip():
        try:
            arguments, end = read_value(arguments, skip_space(arguments, 0)), len(arguments.rstrip())
        except ValueError:
            return None
        arguments = arguments[0] if arguments[1] == end else None
        return arguments if isinstance(arguments, dict) else None
    if arguments is None or isinstance(arguments, str):
        return {}
    return arguments if isinstance(arguments, dict) else None


def read_python(text: str, at: int) -> Calls:
    """`[f(a=1), g(b="x")]`, or such calls one after the other."""
    loose = Loose(text, at)
    calls: list[ToolCall] = []
    if not loose.take("["):
        while _PYTHON.match(text, at):
            calls.append(_python_call(loose))
            at = loose.at = _skip(_BETWEEN, text, end := loose.at)
        return calls, end
    while not loose.take("]"):
        calls.append(_python_call(loose))
        if not loose.take(","):
            loose.need("]")
            break
    return calls, loose.at


def _python_call(loose: Loose) -> ToolCall:
    name, arguments = loose.word(), {}
    loose.need("(")
    while not loose.take(")"):
        key = loose.word()
        loose.need("=")
        arguments[key] = loose.value()
        if not loose.take(","):
            loose.need(")")
            break
    return ToolCall(name, arguments)


def read_functions(text: str, at: int) -> Calls:
    """`<function=name>`, in it JSON or one tag for each argument; one after the other."""
    calls: list[ToolCall] = []
    while opening := _FUNCTION.match(text, at):
        at = opening.end()
        if text.startswith("{", at):
            arguments, at = read_value(text, at)
            ending = _FUNCTION_JSON_END.match(text, at)
        else:
            arguments, at = _read_pairs(text, at, *_PARAMETER)
            ending = _FUNCTION_END.match(text, at)
        if ending is None:
            raise ValueError(f"a function without its end at {at}")
        calls.append(ToolCall(opening[1].strip(), arguments))
        at = ending.end()
    return calls, at


def _read_named(text: str, at: int) -> Calls:
    if named := _NAMED.match(text, at):
        arguments, at = read_value(text, named.end())
    elif named := _TAGGED.match(text, at):
        arguments, at = _read_pairs(text, named.end(), *_ARGUMENT)
    else:
        raise ValueError(f"no call at {at}")
    return [ToolCall(named[1], arguments)], at


def _read_pairs(text: str, at: int, key: re.Pattern[str], end: re.Pattern[str]) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    while opening := key.match(text, at):
        ending = end.search(text, opening.end())
        if ending is None:
            raise ValueError(f"an argument without its end at {at}")
        inner = text[opening.end() : ending.start()]
        found[opening[1].strip()] = plain_value(inner.removeprefix("\n").removesuffix("\n"))
        at = ending.end()
    return found, at


def name_of(text: str) -> str:
    """The tool's name that can be seen at the beginning of what is no readable call."""
    found = _BEGINS.match(text)
    return next((name.strip() for name in found.groups() if name), "") if found else ""


def _skip(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at
