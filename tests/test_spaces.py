"""The spaces admit what they should, and draw what the tools' schemas allow."""

from __future__ import annotations

import pickle
from copy import deepcopy
from typing import Any

import jsonschema
import pytest

from envs import CallSpace, UnicodeSpace
from envs.action import as_call
from envs.spaces import draw_value
from playing import DOMAINS, make_env
from synthtools.tool import ToolCall

SCHEMAS: list[dict[str, Any]] = [
    {"type": "integer", "minimum": -3, "maximum": -3},
    {"type": "integer", "minimum": 7},
    {"type": "integer", "maximum": -2_000},
    {"type": "number", "minimum": 0.5, "maximum": 0.75},
    {"type": "string", "minLength": 3, "maxLength": 4},
    {"type": "string", "format": "date"},
    {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 1, "maxItems": 2},
    {"type": "object", "properties": {"x": {"const": 4}, "y": {"type": "null"}}, "required": ["x"], "additionalProperties": False},
    {"anyOf": [{"type": "boolean"}, {"type": ["integer", "null"]}]},
]
NO_CALLS: list[Any] = [
    None,
    3,
    "get_stay",
    {},
    {"name": "x"},
    {"name": 3, "arguments": {}},
    ToolCall("x", None),  # type: ignore[arg-type]
    ToolCall(3, {}),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("domain", DOMAINS)
def test_samples_are_schema_valid(domain: str) -> None:
    """What the action space draws, each tool's own schema accepts; in time every tool is drawn."""
    env = make_env(domain)
    env.reset(seed=1)
    env.action_space.seed(2)
    schemas = {tool["function"]["name"]: jsonschema.Draft202012Validator(tool["function"]["parameters"]) for tool in env.tools}
    drawn = [env.action_space.sample() for _ in range(600)]
    for call in drawn:
        schemas[call.name].validate(call.arguments)
    assert {call.name for call in drawn} == set(schemas)
    env.close()


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_backend_agrees_that_samples_are_valid(domain: str) -> None:
    """No drawn call is refused for its form."""
    env = make_env(domain)
    env.reset(seed=1)
    env.action_space.seed(3)
    drawn = [env.action_space.sample() for _ in range(300)]
    errors = {env.backend.call(call).error for call in drawn if call.name not in ("finish", "respond")}
    assert errors <= {None, "refused"}
    env.close()


@pytest.mark.parametrize("schema", SCHEMAS)
def test_drawn_values_fit(schema: dict[str, Any]) -> None:
    """Bounds, formats and alternatives are kept."""
    rng = UnicodeSpace(seed=5).np_random
    for _ in range(200):
        jsonschema.validate(draw_value(schema, rng), schema)


def test_the_same_seed_draws_the_same() -> None:
    """Sampling depends on the seed alone, in copies and pickles too."""
    space = make_env(DOMAINS[0]).action_space
    space.seed(4)
    copies = [deepcopy(space), pickle.loads(pickle.dumps(space))]
    drawn = [space.sample() for _ in range(20)]
    assert [[copy.sample() for _ in range(20)] for copy in copies] == [drawn, drawn]
    space.seed(4)
    assert [space.sample() for _ in range(20)] == drawn


@pytest.mark.parametrize("call", [ToolCall("x", {}), ToolCall("", "not json"), {"name": "x", "arguments": {"é": [1]}}])
def test_any_well_formed_call_is_admitted(call: Any) -> None:
    """A name with a mapping or text is a call, whether such a tool exists or not."""
    assert CallSpace().contains(call)


@pytest.mark.parametrize("thing", NO_CALLS)
def test_nothing_else_is_a_call(thing: Any) -> None:
    """And yet it can be taken for one, which no backend accepts."""
    assert not CallSpace().contains(thing)
    assert CallSpace().contains(as_call(thing))


def test_calls_go_through_json() -> None:
    """`to_jsonable` and `from_jsonable` are inverse."""
    calls = [ToolCall("a", {"x": 1}), ToolCall("b", "{}")]
    assert CallSpace().from_jsonable(CallSpace().to_jsonable(calls)) == calls


def test_text_is_unicode() -> None:
    """Any text is admitted, and drawn text holds more than ASCII."""
    space = UnicodeSpace(seed=1)
    assert space.contains("Ærøskøbing 🙂\n")
    assert not space.contains(b"bytes")
    drawn = "".join(space.sample() for _ in range(50))
    assert not drawn.isascii()


def test_spaces_are_equal_by_kind() -> None:
    """Environments whose tools differ have the same spaces, as vector environments demand."""
    assert CallSpace([{}]) == CallSpace()
    assert UnicodeSpace() == UnicodeSpace()
    assert CallSpace() != UnicodeSpace()


def test_spaces_take_no_masks() -> None:
    """A mask is refused, not ignored; so is sampling where there are no tools."""
    with pytest.raises(ValueError, match="mask"):
        UnicodeSpace().sample(mask=[1])
    with pytest.raises(ValueError, match="no tools"):
        CallSpace().sample()
