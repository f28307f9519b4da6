"""What an agent has said, called and been told in one episode, as the messages that chat models take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from agents.agent import Opening, Turn
from envs.speech import reply_of, said, talks

AsArguments = Callable[[Mapping[str, Any] | str], Any]
"""Gives the arguments of a call the form that a model or a trainer wants."""


class Conversation:
    """The messages of one episode so far; what an agent does is told it, so it need not be its own."""

    def __init__(self, opening: Opening, prompt: str, arguments: AsArguments, *, named: bool = False) -> None:
        """`named`: results name their tool, as some chat templates want it."""
        self.tools = [dict(tool) for tool in opening.tools]
        self.talks = talks(self.tools)
        """There is a user, so text alone is `respond` and does not end the episode."""
        self.seed = opening.seed
        self.messages: list[dict[str, Any]] = [
            {"role": "system", "content": f"{prompt}\n\n{opening.briefing}".strip()},
            {"role": "user", "content": opening.request},
        ]
        self._arguments, self._named = arguments, named
        self._pending: list[tuple[str, str]] = []
        """(id, name) of the last turn's calls, whose results are due."""
        self._asked = False
        """The last turn was text alone, and a reply is due."""
        self._calls = 0

    def take(self, turn: Turn) -> None:
        """What the agent does next."""
        message: dict[str, Any] = {"role": "assistant", "content": turn.text}
        if not turn.spoken:
            names = [f"call{self._calls + number:05d}" for number in range(len(turn.calls))]
            message["tool_calls"] = [
                {"id": name, "type": "function", "function": {"name": call.name, "arguments": self._arguments(call.arguments)}}
                for name, call in zip(names, turn.calls, strict=True)
            ]
            self._pending = [(name, call.name) for name, call in zip(names, turn.calls, strict=True)]
        self._calls += len(turn.calls)
        self._asked = turn.spoken
        self.messages.append(message)

    def spoken(self, text: str, tokens: int) -> Turn:
        """The turn of text alone: said to the user where there is one, and elsewhere the end, with it for an answer."""
        return Turn((said(text, self.talks),), text, tokens, spoken=True)

    def hear(self, observations: Sequence[str]) -> None:
        """The results of the last turn's calls, or the reply to what it said."""
        if self._asked:
            self.messages.append({"role": "user", "content": reply_of(observations[-1])})
        for (call, name), observation in zip(self._pending, observations, strict=False):
            named = {"name": name} if self._named else {}
            self.messages.append({"role": "tool", "tool_call_id": call, **named, "content": observation})
        self._pending, self._asked = [], False


def as_object(arguments: Mapping[str, Any] | str) -> Any:
    """Arguments as an object; text that is none stays text, for it is what the agent sent."""
    if not isinstance(arguments, str):
        return arguments
    try:
        value = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
    return value if isinstance(value, dict) else arguments


def as_text(arguments: Mapping[str, Any] | str) -> str:
    """Arguments as JSON text."""
    return arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
