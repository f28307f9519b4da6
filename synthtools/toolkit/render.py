"""What a tool returned, as the JSON text that agents see."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import Any

import orjson
from pydantic import BaseModel

_OPTIONS = orjson.OPT_NON_STR_KEYS


def render(value: Any) -> bytes:
    """A value as JSON. Raises TypeError for what is no data."""
    try:
        return orjson.dumps(value, default=_plain, option=_OPTIONS)
    except TypeError as error:
        raise error.__cause__ or error from None


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=lambda member: orjson.dumps(member, default=_plain))
    if isinstance(value, deque):
        return list(value)
    raise TypeError(f"the tool returned a {type(value).__module__}.{type(value).__qualname__}; return data that JSON can hold")
