"""What an audit found: one line a finding, naming the call that shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

_LONGEST = 400


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which a tool falls short."""

    tool: str
    check: str
    """Which comparison showed it: `crash`, `promise`, `forced effect`, …"""
    detail: str
    """What is wrong, and the call that shows it: arguments and world."""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What calling every tool of a domain came to."""

    domain: str
    tools: int
    calls: int
    failures: tuple[Finding, ...]
    unaudited: tuple[Finding, ...]
    """What nothing in the blueprint can confirm or refute: tools without a promise, refusals that rest on their own word."""
    errors_documented: int
    errors_reached: int


def shown_call(name: str, arguments: Any, place: str) -> str:
    """A call as an author can repeat it."""
    text = orjson.dumps(arguments).decode() if isinstance(arguments, Mapping) else repr(arguments)
    return f"{name}({text[:_LONGEST]}) in {place}"
