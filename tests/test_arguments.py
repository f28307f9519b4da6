"""Arguments: judged like JSON Schema, and stricter where leniency hides a mistake."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthtools.arguments import MAX_BYTES, MAX_DEPTH, ArgumentError, make_check, parse_text

SCHEMAS: list[dict[str, Any]] = [
    {"type": "string", "minLength": 1, "maxLength": 5},
    {"type": "string", "enum": ["a", "b"]},
    {"type": "integer", "minimum": -3, "maximum": 40},
    {"type": "integer", "enum": [1, 5]},
    {"type": "boolean"},
    {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 9}, "minItems": 1, "maxItems": 3},
    {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False},
]

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-50, 50)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=7)
    | st.sampled_from(["a", "b"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["n", "m"]), inner, max_size=2),
    max_leaves=6,
)


def accepted(schema: dict[str, Any], value: Any) -> bool:
    """Whether a value passes; what does not is an invalid argument."""
    kinds: list[str] = []
    try:
        make_check(schema)(value, "x")
    except ArgumentError as error:
        kinds.append(error.kind)
    assert kinds in ([], ["invalid_argument"])
    return not kinds


@given(st.sampled_from(SCHEMAS), VALUES)
def test_agrees_with_json_schema_but_for_whole_floats_and_nul(schema: dict[str, Any], value: Any) -> None:
    """What JSON Schema refuses is refused; what it takes is taken, save floats for integers and text with NUL."""
    by_schema = jsonschema.Draft202012Validator(schema).is_valid(value)
    if any(isinstance(v, float) for v in _leaves(value)) or any(isinstance(v, str) and "\x00" in v for v in _leaves(value)):
        assert not accepted(schema, value) or by_schema
    else:
        assert accepted(schema, value) == by_schema


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [leaf for entry in value for leaf in _leaves(entry)]
    if isinstance(value, dict):
        return [leaf for entry in value.values() for leaf in _leaves(entry)]
    return [value]


@pytest.mark.parametrize(
    "value", ["2026-02-30", "2026-13-01", "26-01-01", "2026-1-1", "now", "", " 2026-01-01", "٢٠٢٦-٠١-٠١", "0000-01-01", 20260101, None]
)
def test_dates_are_real_days(value: Any) -> None:
    """Only an ISO day that exists."""
    assert not accepted({"type": "string", "format": "date"}, value)


@pytest.mark.parametrize("value", ["2026-02-28T24:00", "2026-02-28 10:00", "2026-02-28T10:00:00", "2026-02-28T10:00Z", "2026-02-30T10:00"])
def test_moments_are_real_minutes(value: str) -> None:
    """Only an ISO minute that exists, without a zone."""
    assert not accepted({"type": "string", "format": "date-time"}, value)


@pytest.mark.parametrize(("value", "cents"), [(0.1, 10), (0.3, 30), (62.5, 6250), (1, 100), (19.99, 1999), (1234567.89, 123456789)])
def test_amounts_are_bound_as_cents(value: float, cents: int) -> None:
    """Two decimals at most, exactly."""
    assert make_check({"type": "number"})(value, "x") == cents


@pytest.mark.parametrize("value", [0.001, 1.005, float("nan"), float("inf"), "5", True, None, 1e300])
def test_amounts_that_are_none_are_refused(value: Any) -> None:
    """No NaN, no text, no truth value, no third decimal."""
    assert not accepted({"type": "number"}, value)


HOSTILE = {
    "single quotes": ("{'a': 1}", "invalid_json"),
    "trailing comma": ('{"a": 1,}', "invalid_json"),
    "trailing prose": ('{"a": 1} done', "invalid_json"),
    "fence": ('```json\n{"a": 1}\n```', "invalid_json"),
    "empty": ("", "invalid_json"),
    "null": ("null", "invalid_arguments"),
    "list": ("[1]", "invalid_arguments"),
    "number": ("7", "invalid_arguments"),
    "NaN": ('{"a": NaN}', "invalid_json"),
    "Infinity": ('{"a": -Infinity}', "invalid_json"),
    "1e999": ('{"a": 1e999}', "invalid_json"),
    "5,000 digits": ('{"a": ' + "9" * 5000 + "}", "invalid_json"),
    "key twice": ('{"a": 1, "a": 2}', "invalid_json"),
    "deep": ("[" * 5000 + "]" * 5000, "invalid_json"),
    "just too deep": ('{"a": ' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1), "invalid_json"),
    "ten megabytes": ('{"a": "' + "x" * 10_000_000 + '"}', "too_large"),
    "just too long": ('{"a": "' + "x" * MAX_BYTES + '"}', "too_large"),
    "lone surrogate": ('{"a": "\\ud800"}', "invalid_json"),
    "raw surrogate": ('{"a": "\ud800"}', "invalid_json"),
    "BOM": ('\ufeff{"a": 1}', "invalid_json"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_a_typed_mistake(name: str) -> None:
    """Every way of not being one plain JSON object has its kind, and never another exception."""
    text, kind = HOSTILE[name]
    with pytest.raises(ArgumentError) as caught:
        parse_text(text)
    assert caught.value.kind == kind
    assert caught.value.message.isprintable()


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_a_mistake(text: str) -> None:
    """No text raises anything but ArgumentError, and what is parsed is what JSON says."""
    with suppress(ArgumentError):
        assert parse_text(text) == json.loads(text)
