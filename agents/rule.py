"""An agent of a few rules and no model: it picks a tool by its words, fills arguments by their form, looks names up, and finishes."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from agents.agent import Opening, Turn, abilities_of
from agents.reading import Reading, read, words_of
from envs.speech import finish_call
from synthtools.tool import ToolCall

_LOOKUPS = 6
"""Searches for names in one episode, at most."""
_ENOUGH = 1.0
"""A tool whose words have less in common with the request is not taken."""
_EXAMPLE = re.compile(r"\b(?:such as|e\.g\.) ([^\s,;]*\d[^\s,;.]*)")
"""How descriptions of parameters show what an id looks like."""
_ASKS = re.compile(r"\?|\b(?:how (?:many|much)|tell me|what|which|when)\b", re.IGNORECASE)

Acting = Generator[ToolCall, str, Any]
"""Gives calls and is sent their results."""


@dataclass(slots=True)
class RuleAgent:
    """What can be done without understanding: a floor that a model should be above."""

    name: str = "rule"
    identity: str = "rule"
    _acting: Acting | None = None
    _begun: bool = False

    def begin(self, opening: Opening) -> None:
        """Read the request."""
        self._acting, self._begun = _Rules(opening).act(), False

    def act(self, observations: Sequence[str]) -> Turn:
        """The next call that the rules come to."""
        if self._acting is None:
            raise ValueError("act before begin")
        call = self._acting.send(observations[-1]) if self._begun else next(self._acting)
        self._begun = True
        return Turn((call,))


@dataclass(slots=True)
class _Rules:
    """One episode."""

    opening: Opening
    tools: Sequence[Mapping[str, Any]] = ()
    said: Reading = field(init=False)
    taken: set[Any] = field(default_factory=set)
    """What stands in the request and has been used for an argument."""
    looked: int = 0

    def __post_init__(self) -> None:
        self.tools = [tool["function"] for tool in self.opening.tools if tool["function"]["name"] not in ("finish", "respond", "wait")]
        self.said = read(self.opening.request, self.opening.briefing)

    def act(self) -> Acting:
        """What there is to do; asked for more, it ends once again."""
        yield from self._job()
        while True:
            yield finish_call()

    def _job(self) -> Acting:
        """Pick, fill, call, finish."""
        tool = max(self.tools, key=lambda tool: (self._fitness(tool), tool["name"]), default=None)
        self.taken = set()
        arguments = None if tool is None or self._likeness(tool) < _ENOUGH else (yield from self._filled(tool))
        if tool is None or arguments is None:
            yield self._give_up()
            return
        result = orjson.loads((yield ToolCall(tool["name"], arguments)))
        if isinstance(result, Mapping) and result.get("error"):
            yield self._give_up()
        else:
            yield finish_call(self._answer(result) if _ASKS.search(self.opening.request) else None)

    def _fitness(self, tool: Mapping[str, Any]) -> float:
        """Likeness, more of it where the request holds what the tool requires, and less where that would have to be looked up."""
        self.taken = set()
        properties, required = tool["parameters"]["properties"], tool["parameters"]["required"]
        held = [self._stated(name, schema) is not None for name, schema in properties.items() if name in required]
        return self._likeness(tool) + sum(held) - 0.7 * (len(held) - sum(held)) if held else self._likeness(tool)

    def _likeness(self, tool: Mapping[str, Any]) -> float:
        """Words in common: those of the name count for more, the more of the name they are; a mere search gives way to what acts."""
        name, about = words_of(tool["name"]), words_of(tool["description"])
        shared: float = 3 * len(name & self.said.words) / max(1, len(name)) + len(about & self.said.words) / max(4, len(about)) ** 0.5
        return shared if tool["parameters"]["required"] else 0.6 * shared

    def _filled(self, tool: Mapping[str, Any]) -> Generator[ToolCall, str, dict[str, Any] | None]:
        """Arguments for every required parameter, and for others that the request names a choice for; None where one is not to be had."""
        arguments: dict[str, Any] = {}
        required = tool["parameters"]["required"]
        for name, schema in tool["parameters"]["properties"].items():
            value = self._stated(name, schema)
            if value is None and name in required and _EXAMPLE.search(_about(schema)):
                value = yield from self._looked_up(schema)
            if value is None and name in required:
                return None
            if value is not None and (name in required or "enum" in schema):
                arguments[name] = [value] if schema["type"] == "array" else value
        return arguments

    def _stated(self, name: str, schema: Mapping[str, Any]) -> Any:
        """The first unused thing in the request that has the parameter's form."""
        if "enum" in schema:
            fitting = [choice for choice in schema["enum"] if words_of(str(choice)) and words_of(str(choice)) <= self.said.words]
            return fitting[0] if fitting else None
        example = _EXAMPLE.search(_about(schema))
        if example:
            return self._take(self.said.like(example[1]))
        if schema["type"] in ("integer", "number"):
            numbers = [number for number in self.said.numbers if schema["type"] == "number" or number.is_integer()]
            value = self._take(numbers)
            return int(value) if value is not None and schema["type"] == "integer" else value
        if schema["type"] != "string":
            return None
        return self._take(self.said.days if schema.get("format") == "date" else self.said.names)

    def _take(self, values: Sequence[Any]) -> Any:
        value = next((value for value in values if value not in self.taken), None)
        if value is not None:
            self.taken.add(value)
        return value

    def _looked_up(self, schema: Mapping[str, Any]) -> Generator[ToolCall, str, Any]:
        """The id of the only row that a search for a name finds, where the search is for things of the parameter's kind."""
        kind = words_of(_about(schema).partition(", such as")[0].removeprefix("Id of the "))
        searches = [tool for tool in self.tools if not tool["parameters"]["required"] and words_of(tool["name"]) & kind]
        for tool in sorted(searches, key=lambda tool: (-len(words_of(tool["name"]) & kind), tool["name"])):
            texts = [name for name, each in tool["parameters"]["properties"].items() if "contains" in _about(each)]
            for text in texts[:2]:
                for value in self.said.names:
                    if self.looked >= _LOOKUPS:
                        return None
                    self.looked += 1
                    rows = _rows(orjson.loads((yield ToolCall(tool["name"], {text: value}))))
                    if len(rows) == 1 and rows[0].get("id") is not None:
                        return rows[0]["id"]
        return None

    def _answer(self, result: Any) -> Any:
        """The value whose key has most in common with the request, and of those the first."""
        cells = list(_cells(result))
        return max(cells, key=lambda cell: len(words_of(cell[0]) & self.said.words), default=("", None))[1]

    def _give_up(self) -> ToolCall:
        """That it cannot be done, for want of the ability that the request has most words of."""
        abilities = abilities_of(self.opening)
        about = max(abilities, key=lambda ability: len(words_of(ability) & self.said.words), default="")
        return finish_call(outcome="impossible", about=about)


def _about(schema: Mapping[str, Any]) -> str:
    return str(schema.get("description") or (schema.get("items") or {}).get("description", ""))


def _rows(result: Any) -> list[Mapping[str, Any]]:
    """The rows of a listed result, whatever key they are under."""
    if isinstance(result, Mapping):
        result = next((value for value in result.values() if isinstance(value, list)), [])
    return [row for row in result if isinstance(row, Mapping)] if isinstance(result, list) else []


def _cells(result: Any) -> list[tuple[str, Any]]:
    """(key, value) of the values in a result that can be an answer."""
    if isinstance(result, Mapping):
        parts = [(str(key), value) for key, value in result.items()]
        own = [(key, value) for key, value in parts if isinstance(value, str | int | float) and not isinstance(value, bool)]
        return own + [cell for _, value in parts for cell in _cells(value)]
    return [cell for value in result for cell in _cells(value)] if isinstance(result, list) else []
