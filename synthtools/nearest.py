"""The mend for a name that is unknown: the known one that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

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
