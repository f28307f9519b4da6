"""One decision, scored: what an agent would do next, against what the reference does, by carrying both out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from agents.agent import Turn
from agents.conversation import as_object
from envs import ToolEnv
from envs.transcript import write_call
from synthtools.finish import NAME as FINISH
from synthtools.tool import ToolCall, ToolResult
from synthtools.user import RESPOND

_MALFORMED = frozenset(
    {"invalid_json", "too_large", "unknown_tool", "invalid_arguments", "missing_argument", "unexpected_argument", "invalid_argument"}
)
"""Errors of a call that its own form is to blame for, not the state of the world."""


@dataclass(frozen=True, slots=True)
class Point:
    """A decision on the reference's path, and what the agent decided."""

    wanted: str
    """The reference's call, as people read it."""
    did: str
    """The agent's first call, or what it said instead."""
    valid: bool
    """It is a call, of a tool on offer, that fits the tool's schema."""
    tool: bool
    """It is of the reference's tool."""
    exact: bool
    """And comes to the same: equal arguments, or an equal result and equal changes; a `finish`, to success."""
    fault: str
    """What is wrong with it; empty when exact."""


def score(turn: Turn, call: ToolCall, env: ToolEnv, offered: Collection[str]) -> Point:
    """What the turn is worth where the reference makes this call; the environment stays where it is."""
    wanted = write_call(call)
    if not turn.calls or (turn.spoken and turn.calls[0].name != RESPOND.name):
        return Point(wanted, turn.text[:400], False, False, False, "said something and called nothing")
    mine = turn.calls[0]
    did = write_call(mine)
    world, result = _carried_out(mine, env)
    try:
        error = "unknown_tool" if mine.name not in offered else result.error
        valid, tool = error not in _MALFORMED, mine.name == call.name
        exact = valid and tool and _same(mine, call, world, result, env)
    finally:
        world.close()
    return Point(wanted, did, valid, tool, exact, "" if exact else _fault(mine, call, error))


def _carried_out(call: ToolCall, env: ToolEnv) -> tuple[ToolEnv, ToolResult]:
    world = env.fork()
    world.step(call)
    return world, world.calls[-1][1]


def _same(mine: ToolCall, call: ToolCall, world: ToolEnv, result: ToolResult, env: ToolEnv) -> bool:
    if call.name == FINISH:
        return world.judgement.success
    if as_object(mine.arguments) == as_object(call.arguments):
        return True
    other, expected = _carried_out(call, env)
    try:
        return result == expected and world.backend.changes() == other.backend.changes()
    finally:
        other.close()


def _fault(mine: ToolCall, call: ToolCall, error: str | None) -> str:
    """The kind of mistake, in words that are equal for equal kinds."""
    if error == "unknown_tool":
        return "called a tool that is not there"
    if error in _MALFORMED:
        return f"{str(error).replace('_', ' ')} in a call of {'the right' if mine.name == call.name else 'another'} tool"
    if mine.name != call.name:
        return _other_tool(mine.name, call.name)
    if call.name == FINISH:
        return _ending(as_object(mine.arguments), as_object(call.arguments))
    return _arguments(as_object(mine.arguments), as_object(call.arguments))


def _other_tool(mine: str, wanted: str) -> str:
    if mine == FINISH:
        return "finished too early"
    return "went on instead of finishing" if wanted == FINISH else "called another tool"


def _ending(mine: Any, wanted: Any) -> str:
    if not isinstance(mine, Mapping):
        return "unreadable ending"
    if mine.get("outcome") != wanted.get("outcome"):
        return f"ended with {mine.get('outcome')} instead of {wanted.get('outcome')}"
    return "refused for the wrong reason" if mine.get("about") != wanted.get("about") else "wrong answer"


def _arguments(mine: Any, wanted: Any) -> str:
    if not isinstance(mine, Mapping) or not isinstance(wanted, Mapping):
        return "wrong arguments"
    if mine.keys() != wanted.keys():
        return "left an argument out" if wanted.keys() - mine.keys() else "gave an argument too many"
    return "wrong value of an argument"
