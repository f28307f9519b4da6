"""Sentences around an answer: those that say it, and those that deny it or leave it open."""

from __future__ import annotations

import datetime
import random
import unicodedata
from collections.abc import Iterator
from typing import Any

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()

_SAYING = (
    *("The answer is {}.", "The answer is {}, not more", "No, it is {}.", "`{}`", "**{}**", "exactly {}", "Yes, {}", "It's {}!", "{} is right"),
    *("{}, no doubt", "As far as I can see: {}", "{} it is", "I checked twice: {}", "so {}", "Not to worry, it is {}", "Result: {}", "{}\n"),
    *("{}, as you can see in the list", "To be exact, {}.", "You asked; here it is: {}", "{}, which is what you wanted", "That makes {}"),
)
_DENYING = (
    *("not {}", "It is not {}.", "It isn't {}", "It can't be {}", "certainly not {}", "never {}", "anything but {}", "all except {}", "neither {}"),
    *(
        "other than {}",
        "{} is wrong",
        "{} is not the answer",
        "{} or another",
        "{} or something like it",
        "{} or not",
        "none of {}",
        "rather than {}",
    ),
    *("instead of {}", "not exactly {}", "apart from {}", "unlike {}", "not {}, that I know", "no, not {}", "{}? no", "I would not say {}"),
)
_BOUNDING = (
    *(
        "more than {}",
        "less than {}",
        "at least {}",
        "at most {}",
        "no more than {}",
        "not less than {}",
        "over {}",
        "under {}",
        "about {}",
        "up to {}",
    ),
    *("{} or more", "{} or less", "{}, or more", "{} at least", "{} at most", "around {}", "roughly {}", "approximately {}", "above {}", "below {}"),
    *("nearly {}", "close to {}", "{} and up", "{} or so", "{} give or take", "{}+", "> {}", "~{}", "{} or thereabouts", "well over {}"),
)
_DATING = (
    *("before {}", "after {}", "since {}", "until {}", "{} or later", "{} or earlier", "from {} onwards", "no later than {}", "on or before {}"),
    *(
        "not before {}",
        "{} at the latest",
        "the day after {}",
        "the week of {}",
        "{} or after",
        "about {}",
        "not on {}",
        "earlier than {}",
        "around {}",
    ),
)
_COUNTING = ("fewer than {}", "{} or fewer", "{} too many", "{} more than before", "twice {}", "half of {}", "{} days or more")
_PAYING = ("{}m", "{} million", "more than {} EUR", "{} EUR or more", "{}bn", "{} a day or less", "{} plus more")
_MULTIPLES = {"twice {}", "half of {}", "{}m", "{} million", "{}bn"}
"""Which say zero of zero."""
_NEXT_TO = ("the one after {}", "next to {}", "not number {}", "the one before {}", "not the {}")
_BY_KIND = {"number": (*_BOUNDING, *_COUNTING), "money": (*_BOUNDING, *_PAYING), "date": _DATING, "id": _NEXT_TO, "word": ()}


def _written(kind: str, value: Any) -> str:
    return str(value)[:10] if kind == "date" else str(value)


def saying(kind: str, value: Any) -> list[Any]:
    """Sentences and spellings that say a value, of which a person would be sure."""
    text = _written(kind, value)
    if kind == "ids":
        listed = [str(v) for v in value]
        return [" and ".join(f"`{v}`" for v in listed), ", ".join(f"#{v}" for v in listed), "\n".join(f"* {v}" for v in listed)]
    if kind == "word":
        return [f"`{text}`", f"**{text}**", unicodedata.normalize("NFD", text), text.replace("'", "’"), f"{text}\n"]
    forms = [sentence.format(text) for sentence in _SAYING]
    if kind == "id":
        forms += [f"#{text}", f"`{text.lower()}`", f"No. {text}", text.replace("-", "\u2011"), f"{text} is not the only one there", f"# {text}"]
    if kind == "date":
        day = datetime.date.fromisoformat(text)
        month = _MONTHS[day.month - 1]
        forms += [f"{day.day}-{month}-{day.year}", f"{day.day:02d}-{month.upper()}-{day.year}", f"{month} the {day.day}, {day.year}"]
    return forms


def denying(kind: str, value: Any, rng: random.Random) -> Iterator[str]:
    """Sentences that hold a right value and deny it, or leave it open."""
    if kind == "ids":
        listed = [str(v) for v in value]
        forms = [f"not {', '.join(listed)}", f"all but {', '.join(listed)}", f"{', '.join(listed)} and others", f"none of {' and '.join(listed)}"]
        forms += [" or ".join(listed), f"{listed[0]} to {listed[-1]}"] if len(listed) > 1 else []
    else:
        sentences = [sentence for sentence in (*_DENYING, *_BY_KIND[kind]) if value != 0 or sentence not in _MULTIPLES]
        forms = [sentence.format(_written(kind, value)) for sentence in sentences]
    yield from rng.sample(forms, len(forms))
