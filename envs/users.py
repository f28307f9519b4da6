"""The place of a user: whoever hears what the agent says and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import orjson

from synthtools.arguments import ArgumentError, ArgumentParser
from synthtools.domain import Domain
from synthtools.task import Task
from synthtools.tool import Origin, Program, Tool, ToolResult

RESPOND = Tool(
    name="respond",
    key="respond",
    description="Say something to the person who asked, and hear the reply.",
    parameters={
        "type": "object",
        "properties": {"text": {"type": "string", "minLength": 1, "maxLength": 4000, "description": "What to say."}},
        "required": ["text"],
        "additionalProperties": False,
    },
    errors={},
    program=Program((), (), "", None, (), {}),
    origin=Origin("hand"),
)
"""The tool that an agent has where there is a user."""

_PARSER = ArgumentParser(RESPOND)


class User(Protocol):
    """Someone to talk to. Forks and pickles of an environment deep-copy and pickle its user, with all that it remembers."""

    def begin(self, task: Task) -> None:
        """Forget the last episode; from here on be the one who asks for this task."""

    def hear(self, text: str) -> str:
        """The reply to what the agent said."""


def respond(user: User, arguments: Mapping[str, Any] | str, domain: Domain) -> ToolResult:
    """The result of a call of `respond`: the user's reply as JSON text, or the agent's mistake."""
    try:
        text = _PARSER.parse(arguments)["text"]
    except ArgumentError as error:
        return ToolResult(domain.surface.error_content(error.kind, error.message), error.kind)
    return ToolResult(orjson.dumps({"reply": user.hear(text)}).decode())
