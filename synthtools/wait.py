"""`wait`, the tool by which time passes for a service that asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synthtools.arguments import ArgumentParser
from synthtools.tool import NO_PROGRAM, Origin, Tool

WAIT = Tool(
    name="wait",
    key="wait",
    description="Let some seconds pass, where a service asks for it.",
    parameters={
        "type": "object",
        "properties": {"seconds": {"type": "integer", "minimum": 1, "maximum": 3600, "description": "How many."}},
        "required": ["seconds"],
        "additionalProperties": False,
    },
    errors={},
    program=NO_PROGRAM,
    origin=Origin("hand"),
)
"""The tool that an agent has where things go wrong on purpose."""

_PARSER = ArgumentParser(WAIT)


def seconds_of(arguments: Mapping[str, Any] | str) -> int:
    """How long a call of `wait` lasts. Raises ArgumentError."""
    return int(_PARSER.parse(arguments)["seconds"])
