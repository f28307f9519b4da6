"""What conversations and tasks take of the tools that there are: which of them, which of their arguments, which endings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from synthtools.finish import NAME as FINISH
from synthtools.task import Task

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Needs:
    """What conversations take of their tools."""

    arguments: Mapping[str, frozenset[str]]
    """Name of a tool → the arguments that its calls have."""
    abouts: tuple[str, ...] = ()
    """What `finish` is about."""


def needs_of(calls: Iterable[tuple[str, Any]]) -> Needs:
    """What calls take: names, and arguments where these are a mapping."""
    arguments: dict[str, frozenset[str]] = {}
    abouts: list[str] = []
    for name, given in calls:
        given = given if isinstance(given, Mapping) else {}
        arguments[name] = arguments.get(name, frozenset()) | given.keys()
        if name == FINISH and given.get("about"):
            abouts.append(str(given["about"]))
    return Needs(arguments, tuple(abouts))


def needs_of_task(task: Task, twin: Task | None) -> Needs:
    """What a task's solution takes, and what that of its twin does: tools that are shown must not tell which of the two it is."""
    return needs_of((step.name, step.arguments) for one in (task, twin) if one is not None for step in one.solution)


def both(needs: Needs, others: Needs) -> Needs:
    """What either takes."""
    names = dict.fromkeys([*needs.arguments, *others.arguments])
    arguments = {name: needs.arguments.get(name, frozenset()) | others.arguments.get(name, frozenset()) for name in names}
    return Needs(arguments, (*needs.abouts, *others.abouts))


def calls_of(messages: Iterable[Message]) -> Iterator[tuple[str, Any]]:
    """The name and arguments of every call in a conversation."""
    for message in messages:
        for call in message.get("tool_calls") or ():
            yield call["function"]["name"], call["function"]["arguments"]


def needs_to_text(needs: Needs) -> str:
    """As JSON text."""
    return orjson.dumps({"arguments": {name: sorted(given) for name, given in needs.arguments.items()}, "abouts": needs.abouts}).decode()


def needs_from_text(text: str) -> Needs:
    """What `needs_to_text` wrote. Raises ValueError, KeyError, TypeError or AttributeError for anything else."""
    data = orjson.loads(text)
    return Needs({name: frozenset(given) for name, given in data["arguments"].items()}, tuple(data["abouts"]))
