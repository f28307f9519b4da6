"""The mend for a name that is unknown: the known one that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

_MANY = 12


def likely(name: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?`, or nothing where no known name is like it."""
    close = get_close_matches(name, sorted(set(known)), n=1)
    return f"did you mean {close[0]!r}?" if close else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?`, or else the names there are."""
    names = sorted(set(known))
    close = likely(name, names)
    if close:
        return close
    return f"there are: {', '.join(names[:_MANY])}{', …' if len(names) > _MANY else ''}" if names else "there are none"


def first_fault(error: ValidationError, known: Iterable[str]) -> str:
    """The first fault of a file of settings: an unknown key, with the one of these that was probably meant, before one that is missing."""
    first = min(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    place = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"{place}: no such key; {did_you_mean(place, known) if len(first['loc']) == 1 else 'leave it out'}"
    return f"{place or 'the file'}: {first['msg']}"
