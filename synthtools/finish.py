"""`finish`, the tool with which every episode ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from synthtools.arguments import ArgumentError, parse_text
from synthtools.domain import Domain
from synthtools.goal import OUTCOMES, Ending
from synthtools.tool import ToolResult, function_schema

NAME = "finish"
_MOST = 4000


@dataclass(frozen=True, slots=True)
class FinishTool:
    """The schema of `finish` in one domain: it names the policies and abilities that `about` may name."""

    name: str
    description: str
    parameters: Mapping[str, Any]

    def schema(self) -> dict[str, Any]:
        """The tool in the form chat models take; a fresh dict at each call."""
        return function_schema(self.name, self.description, self.parameters)


def abilities(domain: Domain) -> dict[str, str]:
    """Key of every tool that changes something → the ability in words; the same whether or not a tool is withheld."""
    return {tool.key: tool.key.replace("_", " ") for tool in domain.tools.values() if not tool.read_only}


def finish_tool(domain: Domain, rules: Sequence[str] = ()) -> FinishTool:
    """The `finish` of a domain; `rules`: names of a task's own, listed with the policies."""
    policies = ", ".join((*domain.policies, *rules)) or "none"
    about = (
        "Only when not done: what stands in the way. For not_allowed, the policy: "
        f"{policies}. For impossible, the id of what blocks it, or the ability that is missing, one of: {', '.join(abilities(domain).values())}."
    )
    answer = "What was asked for, and nothing else: a number, a date, an id, a word, or a list of ids. Leave it out when nothing was asked."
    parameters = {
        "type": "object",
        "properties": {
            "answer": {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "array", "items": {"type": "string"}}], "description": answer},
            "outcome": {
                "type": "string",
                "enum": list(OUTCOMES),
                "description": "done; impossible: it cannot be done from here; not_allowed: a policy forbids it.",
            },
            "about": {"type": "string", "description": about},
        },
        "required": ["outcome"],
        "additionalProperties": False,
    }
    return FinishTool(NAME, "End the conversation, once everything asked for is done or cannot be.", parameters)


def parse_finish(arguments: Mapping[str, Any] | str, domain: Domain) -> Ending | ToolResult:
    """The ending that the arguments of `finish` name, or the agent's mistake in them."""
    try:
        return _ending(parse_text(arguments) if isinstance(arguments, str) else arguments)
    except ArgumentError as error:
        return ToolResult(domain.surface.error_content(error.kind, error.message), error.kind)


def _ending(arguments: Any) -> Ending:
    if not isinstance(arguments, Mapping):
        raise ArgumentError("invalid_arguments", "The arguments must be one JSON object.")
    for name in arguments:
        if name not in ("answer", "outcome", "about"):
            raise ArgumentError("unexpected_argument", f"There is no argument {str(name)[:40]!r}.")
    outcome, about, answer = arguments.get("outcome"), arguments.get("about", ""), arguments.get("answer")
    about = "" if about is None else about
    if outcome is None:
        raise ArgumentError("missing_argument", "The argument 'outcome' is missing.")
    if not isinstance(outcome, str) or outcome not in OUTCOMES:
        raise ArgumentError("invalid_argument", f"outcome must be one of {', '.join(OUTCOMES)}.")
    if not isinstance(about, str) or len(about) > _MOST or not _answerable(about):
        raise ArgumentError("invalid_argument", "about must be text.")
    if not _answerable(answer):
        raise ArgumentError("invalid_argument", "answer must be text, a number or a list of texts.")
    return Ending(answer, outcome, about)


def _answerable(answer: Any) -> bool:
    if isinstance(answer, list | tuple):
        return len(answer) <= 1000 and all(v is not None and not isinstance(v, list | tuple) and _answerable(v) for v in answer)
    if type(answer) is str:
        return len(answer) <= 100 * _MOST and not any("\ud800" <= c <= "\udfff" for c in answer)
    return answer is None or (type(answer) in (int, float) and bool(abs(answer) < 1e15))


def finish_content(ending: Ending) -> str:
    """What the agent sees after a `finish` that was understood."""
    return orjson.dumps({"outcome": ending.outcome, "finished": True}).decode()
