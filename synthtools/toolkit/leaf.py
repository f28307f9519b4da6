"""Single values of a state: those that JSON has, and those that are written as text with their kind."""

from __future__ import annotations

import base64
import datetime
import decimal
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LEAVES: dict[type, Any] = {
    str: True,
    bool: True,
    type(None): True,
    int: lambda value: -(2**63) <= value < 2**63,
    float: lambda value: value - value == 0,
}
"""Type → True, or what says whether JSON can hold the value."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """How a kind of value is written as text, and read again."""

    tag: str
    write: Callable[[Any], str]
    read: Callable[[str], Any]

    def tagged(self, value: Any) -> dict[str, str]:
        """The value with its kind."""
        return {"$": self.tag, "value": self.write(value)}

    @staticmethod
    def by_tag(tag: str) -> Scalar | None:
        """The kind of this name."""
        return _BY_TAG.get(tag)


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


SCALARS: dict[type, Scalar] = {
    int: Scalar("int", str, int),
    float: Scalar("float", repr, float),
    bytes: Scalar("bytes", _encoded, base64.b64decode),
    bytearray: Scalar("bytearray", _encoded, lambda text: bytearray(base64.b64decode(text))),
    datetime.datetime: Scalar("datetime", datetime.datetime.isoformat, datetime.datetime.fromisoformat),
    datetime.date: Scalar("date", datetime.date.isoformat, datetime.date.fromisoformat),
    datetime.time: Scalar("time", datetime.time.isoformat, datetime.time.fromisoformat),
    datetime.timedelta: Scalar(
        "timedelta",
        lambda value: f"{value.days}/{value.seconds}/{value.microseconds}",
        lambda text: datetime.timedelta(*map(int, text.split("/"))),
    ),
    decimal.Decimal: Scalar("decimal", str, decimal.Decimal),
    uuid.UUID: Scalar("uuid", str, uuid.UUID),
}
_BY_TAG = {scalar.tag: scalar for scalar in SCALARS.values()}
