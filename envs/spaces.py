"""The two spaces of a tool environment: calls, and text in any language."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, TypeAlias

import numpy as np
from gymnasium import Space

from synthtools.tool import ToolCall

Schemas: TypeAlias = Sequence[Mapping[str, Any]]
"""Tools in the form that chat models take."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SCRIPTS = _LETTERS + "ABC 0123456789.,:;!?-'äöüßéèçñøåžč€αβγдежш中文日本語한국어हिन्दीالعربية🙂"
_FIRST_DAY = datetime.date(2024, 1, 1).toordinal()
_DAYS = 1461
_REACH = 1000
"""How far a number without bounds is drawn from its one bound, or from zero."""
_LONGER = 10
"""How many characters a text is drawn longer than it must be, at most."""


class UnicodeSpace(Space[str]):
    """All text: `gymnasium.spaces.Text` is closed over a list of characters, and wrong where vectors share memory."""

    def __init__(self, seed: int | np.random.Generator | None = None) -> None:
        super().__init__(None, None, seed)

    @property
    def is_np_flattenable(self) -> bool:
        """Text does not flatten to a Box; so a vector environment that wants shared memory says so, and does not lie."""
        return False

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """Up to 40 characters of several scripts; no masks."""
        _refuse_mask(mask, probability)
        return "".join(_pick(_SCRIPTS, self.np_random) for _ in range(_below(41, self.np_random)))

    def contains(self, x: Any) -> bool:
        """Whether it is text."""
        return isinstance(x, str)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnicodeSpace)

    def __repr__(self) -> str:
        return "UnicodeSpace()"


class CallSpace(Space[ToolCall]):
    """All well-formed calls, of tools that exist or not; `sample` draws schema-valid calls of the tools on offer."""

    def __init__(self, tools: Schemas | Callable[[], Schemas] = (), seed: int | np.random.Generator | None = None) -> None:
        super().__init__(None, None, seed)
        self._tools = tools

    @property
    def tools(self) -> Schemas:
        """What `sample` draws from; the environment changes it as tools change. Given as a function, it is called when first asked for."""
        if callable(self._tools):
            self._tools = self._tools()
        return self._tools

    @tools.setter
    def tools(self, tools: Schemas) -> None:
        self._tools = tools

    @property
    def is_np_flattenable(self) -> bool:
        """Calls do not flatten to a Box."""
        return False

    def sample(self, mask: Any = None, probability: Any = None) -> ToolCall:
        """A call of one of the tools, all equally likely, with arguments that its schema allows; no masks."""
        _refuse_mask(mask, probability)
        if not self.tools:
            raise ValueError("no tools are on offer yet: reset the environment before sampling its action space")
        function = _pick(self.tools, self.np_random)["function"]
        return ToolCall(function["name"], draw_value(function["parameters"], self.np_random))

    def contains(self, x: Any) -> bool:
        """Whether it has a name and either a mapping or raw text as arguments."""
        if isinstance(x, Mapping):
            return x.keys() == {"name", "arguments"} and isinstance(x["name"], str) and isinstance(x["arguments"], str | Mapping)
        return isinstance(x, ToolCall) and isinstance(x.name, str) and isinstance(x.arguments, str | Mapping)

    def to_jsonable(self, sample_n: Iterable[ToolCall]) -> list[dict[str, Any]]:
        """Calls as mappings."""
        return [{"name": call.name, "arguments": call.arguments} for call in sample_n]

    def from_jsonable(self, sample_n: list[Any]) -> list[ToolCall]:
        """Mappings as calls."""
        return [ToolCall(call["name"], call["arguments"]) for call in sample_n]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CallSpace)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_tools": self.tools}

    def sibling(self) -> CallSpace:
        """A space of the same tools, with chance of its own that follows from this one's seed."""
        return CallSpace(self._tools, self.np_random.spawn(1)[0])

    def __deepcopy__(self, memo: dict[int, Any]) -> CallSpace:
        return CallSpace(self._tools, deepcopy(self._np_random, memo))

    def __repr__(self) -> str:
        return "CallSpace()"


def draw_value(schema: Mapping[str, Any], rng: np.random.Generator) -> Any:
    """A value that a tool's JSON Schema allows; ValueError for a kind of schema that no tool has."""
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return _pick(schema["enum"], rng)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return draw_value(_pick(schema[key], rng), rng)
    kind = schema.get("type", ("string", "integer", "boolean"))
    if not isinstance(kind, str):
        kind = _pick(kind, rng)
    if kind not in _DRAWERS:
        raise ValueError(f"cannot draw a value of type {kind!r}")
    return _DRAWERS[kind](schema, rng)


def _refuse_mask(mask: Any, probability: Any) -> None:
    if mask is not None or probability is not None:
        raise ValueError("this space takes no mask and no probabilities")


def _below(bound: int, rng: np.random.Generator) -> int:
    return int(rng.random() * bound)


def _pick(items: Sequence[Any], rng: np.random.Generator) -> Any:
    return items[int(rng.random() * len(items))]


def _draw_text(schema: Mapping[str, Any], rng: np.random.Generator) -> str:
    if "format" in schema:
        day = datetime.date.fromordinal(_FIRST_DAY + _below(_DAYS, rng)).isoformat()
        clock = f"{_below(24, rng):02}:{_below(60, rng):02}"
        return {"date": day, "date-time": f"{day}T{clock}", "time": clock}[schema["format"]]
    least = schema.get("minLength", 1)
    most = min(schema.get("maxLength", least + _LONGER), least + _LONGER)
    return "".join(_pick(_LETTERS, rng) for _ in range(least + _below(most - least + 1, rng)))


def _draw_integer(schema: Mapping[str, Any], rng: np.random.Generator) -> int:
    low, high = _bounds(schema)
    return int(low) + _below(int(high) - int(low) + 1, rng)


def _draw_number(schema: Mapping[str, Any], rng: np.random.Generator) -> float:
    low, high = _bounds(schema)
    return min(max(round(low + rng.random() * (high - low), 2), low), high)


def _bounds(schema: Mapping[str, Any]) -> tuple[float, float]:
    if "minimum" in schema:
        return schema["minimum"], schema.get("maximum", schema["minimum"] + _REACH)
    high = schema.get("maximum", _REACH)
    return high - _REACH, high


def _draw_array(schema: Mapping[str, Any], rng: np.random.Generator) -> list[Any]:
    least = schema.get("minItems", 0)
    most = min(schema.get("maxItems", least + 3), least + 3)
    return [draw_value(schema.get("items", {}), rng) for _ in range(least + _below(most - least + 1, rng))]


def _draw_object(schema: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    required = schema.get("required", ())
    properties = schema.get("properties", {})
    return {name: draw_value(inner, rng) for name, inner in properties.items() if name in required or rng.random() < 0.5}


_DRAWERS: dict[str, Callable[[Mapping[str, Any], np.random.Generator], Any]] = {
    "string": _draw_text,
    "integer": _draw_integer,
    "number": _draw_number,
    "boolean": lambda _, rng: bool(rng.random() < 0.5),
    "null": lambda _schema, _rng: None,
    "array": _draw_array,
    "object": _draw_object,
}
