"""Arguments as received, judged against a tool's schema before anything runs.

Stricter than JSON Schema where leniency would hide a mistake: 5.0 is no integer, duplicate keys and unpaired
surrogates are errors, nesting and size are bounded, amounts of money have at most two decimals.
"""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from synthtools.tool import ErrorKind, Tool

MAX_BYTES = 65_536
"""Longest argument text that is parsed."""
MAX_DEPTH = 32
_INT64 = 2**63


class ArgumentError(Exception):
    """The agent's mistake: its kind and one line that names the place."""

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind: ErrorKind = kind
        self.message = message


Check = Callable[[Any, str], Any]
"""Takes a value and its place; returns what is bound into SQL. Raises ArgumentError."""


def parse_text(text: str) -> dict[str, Any]:
    """Argument text to a mapping. Raises ArgumentError for anything but one plain JSON object."""
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ArgumentError("too_large", f"The arguments are longer than {MAX_BYTES} bytes.")
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise ArgumentError("invalid_json", f"The arguments are nested deeper than {MAX_DEPTH}.")
    try:
        orjson.loads(text)
        value = json.loads(text, object_pairs_hook=_no_repeats)
    except ArgumentError:
        raise
    except (ValueError, RecursionError) as error:
        raise ArgumentError("invalid_json", f"The arguments are not JSON: {_printable(str(error))}.") from None
    if not isinstance(value, dict):
        raise ArgumentError("invalid_arguments", "The arguments must be one JSON object.")
    return value


def readable(arguments: Mapping[str, Any] | str) -> Mapping[str, Any]:
    """Arguments as a mapping; empty where their text is none."""
    if not isinstance(arguments, str):
        return arguments
    try:
        return parse_text(arguments)
    except ArgumentError:
        return {}


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) != len(pairs):
        raise ArgumentError("invalid_json", "A key stands twice in the arguments.")
    return built


def _depth(text: str) -> int:
    deepest = depth = 0
    for char in text:
        if char in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "]}":
            depth -= 1
    return deepest


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:120])


class ArgumentParser:
    """Compiled from one tool's schema: text or a mapping in, a dict of SQL values out."""

    __slots__ = ("_checks", "_names", "_none", "_required")

    def __init__(self, tool: Tool) -> None:
        properties: Mapping[str, Any] = tool.parameters["properties"]
        self._checks = {name: _bindable(make_check(schema), schema["type"]) for name, schema in properties.items()}
        self._required = tuple(tool.parameters["required"])
        self._names = frozenset(properties)
        self._none = dict.fromkeys(properties)

    def parse(self, arguments: Mapping[str, Any] | str) -> dict[str, Any]:
        """A fresh dict with a value for every parameter; absent optional ones are None. Raises ArgumentError."""
        if type(arguments) is not dict:
            if isinstance(arguments, str):
                arguments = parse_text(arguments)
            elif not isinstance(arguments, Mapping):
                raise ArgumentError("invalid_arguments", "The arguments must be one JSON object.")
        scope = self._none.copy()
        checks = self._checks
        for name, value in arguments.items():
            check = checks.get(name)
            if check is None:
                raise ArgumentError("unexpected_argument", f"There is no argument {_printable(repr(name))}.")
            scope[name] = check(value, name)
        for name in self._required:
            if name not in arguments:
                raise ArgumentError("missing_argument", f"The argument {name!r} is missing.")
        return scope


def _bindable(check: Check, kind: str) -> Check:
    """Lists and objects are bound as JSON text."""
    if kind not in ("array", "object"):
        return check
    return lambda value, place: orjson.dumps(check(value, place), option=orjson.OPT_SORT_KEYS).decode()


def _wrong(place: str, wanted: str) -> ArgumentError:
    return ArgumentError("invalid_argument", f"{place} must be {wanted}.")


def make_check(schema: Mapping[str, Any]) -> Check:
    """The check of a schema of the kinds that tools use: string, integer, number, boolean, array, object."""
    kind = schema["type"]
    makers: dict[str, Callable[[Mapping[str, Any]], Check]] = {
        "string": _string,
        "integer": _integer,
        "number": _money_between,
        "boolean": lambda _: _boolean,
        "array": _array,
        "object": _object,
    }
    return makers[kind](schema)


def _string(schema: Mapping[str, Any]) -> Check:
    if "enum" in schema:
        allowed, wanted = frozenset(schema["enum"]), "one of " + ", ".join(schema["enum"])

        def check_enum(value: Any, place: str) -> Any:
            if type(value) is not str or value not in allowed:
                raise _wrong(place, wanted)
            return value

        return check_enum
    if "format" in schema:
        return {"date": _date, "date-time": _minute, "time": _time}[schema["format"]]
    low, high = schema.get("minLength", 0), schema.get("maxLength", 4000)

    def check_text(value: Any, place: str) -> Any:
        if type(value) is not str:
            raise _wrong(place, "text")
        if not low <= len(value) <= high:
            raise _wrong(place, f"{low} to {high} characters long")
        if not value.isprintable():
            _plain_text(value, place)
        return value

    return check_text


def _plain_text(value: str, place: str) -> None:
    if "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise _wrong(place, "text without NUL or unpaired surrogates")


def _integer(schema: Mapping[str, Any]) -> Check:
    low, high = schema.get("minimum", -_INT64), schema.get("maximum", _INT64 - 1)
    if "enum" in schema:
        allowed = frozenset(schema["enum"])
        low, high = min(allowed), max(allowed)

        def check_choice(value: Any, place: str) -> Any:
            if type(value) is not int or value not in allowed:
                raise _wrong(place, "one of " + ", ".join(map(str, schema["enum"])))
            return value

        return check_choice

    def check_integer(value: Any, place: str) -> Any:
        if type(value) is not int:
            raise _wrong(place, "a whole number")
        if not low <= value <= high:
            raise _wrong(place, f"from {low} to {high}")
        return value

    return check_integer


def _boolean(value: Any, place: str) -> Any:
    if type(value) is not bool:
        raise _wrong(place, "true or false")
    return int(value)


def _money_between(schema: Mapping[str, Any]) -> Check:
    """An amount with at most two decimals; bound as integer cents."""
    low, high = schema.get("minimum", -1e12), schema.get("maximum", 1e12)

    def check_money(value: Any, place: str) -> Any:
        if type(value) is not int and (type(value) is not float or not math.isfinite(value)):
            raise _wrong(place, "a number")
        if not low <= value <= high:
            raise _wrong(place, f"from {low} to {high}")
        cents = round(value * 100)
        if abs(value * 100 - cents) > 1e-6 * max(1.0, abs(value)):
            raise _wrong(place, "an amount with at most two decimals")
        return cents

    return check_money


_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MINUTE = re.compile(r"\d{4}-\d{2}-\d{2}T([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)


def _date(value: Any, place: str) -> Any:
    if type(value) is not str or not _DAY.fullmatch(value) or not _real_day(value):
        raise _wrong(place, "a date like 2026-06-19")
    return value


def _minute(value: Any, place: str) -> Any:
    if type(value) is not str or not _MINUTE.fullmatch(value) or not _real_day(value[:10]):
        raise _wrong(place, "a date and time like 2026-06-19T14:30")
    return value


def _time(value: Any, place: str) -> Any:
    if type(value) is not str or not _CLOCK.fullmatch(value):
        raise _wrong(place, "a time like 14:30")
    return value


def _real_day(value: str) -> bool:
    try:
        return datetime.date.fromisoformat(value).year >= 1000
    except ValueError:
        return False


def _array(schema: Mapping[str, Any]) -> Check:
    item, low, high = make_check(schema["items"]), schema.get("minItems", 0), schema.get("maxItems", 50)

    def check_array(value: Any, place: str) -> Any:
        if type(value) is not list and type(value) is not tuple:
            raise _wrong(place, "a list")
        if not low <= len(value) <= high:
            raise _wrong(place, f"a list of {low} to {high}")
        return [item(entry, f"{place}[{index}]") for index, entry in enumerate(value)]

    return check_array


def _object(schema: Mapping[str, Any]) -> Check:
    checks = {name: make_check(inner) for name, inner in schema["properties"].items()}

    def check_object(value: Any, place: str) -> Any:
        if not isinstance(value, Mapping):
            raise _wrong(place, "an object")
        extra = [name for name in value if name not in checks]
        missing = [name for name in schema["required"] if name not in value]
        if extra or missing:
            raise _wrong(place, f"an object with exactly {', '.join(checks)}")
        return {name: checks[name](entry, f"{place}.{name}") for name, entry in value.items()}

    return check_object
