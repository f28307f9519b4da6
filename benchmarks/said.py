"""The oracle's own reading of answers, word by word; it shares nothing with `synthtools.answer`."""

from __future__ import annotations

import datetime
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONG = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december")
_JOINS = {"or", "and", "to", "until", "till", "through", "-", "–", "/"}
_WRAPPING = "\"'()[]{}!?;:,.*"
_CURRENCY = ("eur", "gbp", "usd", "chf", "€", "£", "$")
_UNITS = {"cm", "m", "km", "mm", "kg", "g", "t", "l", "kwh", "h", "min", "days", "nights", "hours", "pcs"}
_SCALES = {"k": 1000, "thousand": 1000, "hundred": 100, "dozen": 12, "million": 1_000_000, "cents": "0.01", "cent": "0.01", "pence": "0.01"}


@dataclass(frozen=True, slots=True)
class Known:
    """What one must know to read an answer about a world."""

    today: str
    ids: frozenset[str]
    """Every id in the world, in capitals."""
    prefixes: frozenset[str]
    """What generated ids begin with, in capitals; digits follow."""
    words: Mapping[str, Sequence[str]]
    """Stored value → how people say it."""


def numbers(text: str) -> set[Decimal]:
    """The different amounts that a text names, dates left aside."""
    found: set[Decimal] = set()
    tokens = _apart(_joined(_tokens(text, None)[1]))
    for place, token in enumerate(tokens):
        before = tokens[place - 1].lower().strip(_WRAPPING) if place else ""
        after = tokens[place + 1].lower().strip(_WRAPPING) if place + 1 < len(tokens) else ""
        value = _number(token)
        if value is None:
            continue
        if before in ("minus", "negative"):
            value = -value
        found.add(value * Decimal(_SCALES.get(after, 1)))
    return found


def _joined(tokens: list[str]) -> list[str]:
    """A currency that stands before its amount (`€ 25`, `-EUR 25`) in one word with it."""
    parts: list[str] = []
    for token in tokens:
        if parts and parts[-1].lower().lstrip("-−(") in _CURRENCY:
            parts[-1] += token
        else:
            parts.append(token)
    return parts


def _apart(tokens: list[str]) -> list[str]:
    """Ranges and alternatives written without spaces (`20-25`, `20/25`), as their parts."""
    parts: list[str] = []
    for token in tokens:
        for mark in ("/", "–", "-"):
            left, _, right = token.partition(mark)
            if _number(left) is not None and _number(right) is not None:
                parts += [left, right]
                break
        else:
            parts.append(token)
    return parts


def _number(token: str) -> Decimal | None:
    """The amount that one token is: sign, currency, thousands separators and a unit are taken off."""
    text = token.lower().strip(_WRAPPING.replace(".", "")).rstrip(".")
    sign = 1
    for _ in range(3):
        if text[:1] in ("-", "−"):
            text, sign = text[1:], -sign
        for name in _CURRENCY:
            text = text.removeprefix(name).removesuffix(name)
    text = text.removesuffix("%")
    digits = text.rstrip(string.ascii_lowercase)
    unit = text[len(digits) :]
    if unit and unit not in _UNITS and unit not in _SCALES:
        return None
    whole, dot, cents = digits.partition(".")
    groups = whole.split(",")
    plain = all(g.isascii() and g.isdigit() for g in groups) and (
        len(groups) == 1 or (len(groups[0]) <= 3 and all(len(g) == 3 for g in groups[1:]))
    )
    if not plain or (dot and not (cents.isascii() and cents.isdigit())):
        return None
    try:
        return sign * Decimal("".join(groups) + dot + cents) * Decimal(_SCALES.get(unit, 1))
    except InvalidOperation:
        return None


def dates(text: str, today: str) -> set[str]:
    """The different days that a text names; a day without a year is in this one."""
    return _tokens(text, today)[0]


def _tokens(text: str, today: str | None) -> tuple[set[str], list[str]]:
    """The days that a text names, and its other words."""
    words = text.replace("\u00a0", " ").split()
    year = int((today or "2000")[:4])
    found: set[str] = set()
    rest: list[str] = []
    place = 0
    while place < len(words):
        day, used = _iso(words[place]), 1
        days = [day] if day else []
        if not day:
            days, used = _spoken(words, place, year)
        if days:
            found.update(days)
            place += used
        else:
            rest.append(words[place])
            place += 1
    return found, rest


def _iso(word: str) -> str | None:
    whole = word.strip(_WRAPPING)
    text = whole[:10].replace("/", "-")
    if len(text) != 10 or text[4] != "-" or text[7] != "-" or whole[10:11] not in ("", "T"):
        return None
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        return None


def _month(word: str) -> int | None:
    text = word.strip(_WRAPPING).lower()
    if text in _LONG:
        return _LONG.index(text) + 1
    return MONTHS.index(text[:3]) + 1 if text in (*MONTHS, "sept") else None


def _day(word: str) -> int | None:
    text = word.strip(_WRAPPING).lower()
    for ending in ("st", "nd", "rd", "th"):
        text = text.removesuffix(ending)
    return int(text) if text.isascii() and text.isdigit() and 1 <= int(text) <= 31 else None


def _year(words: Sequence[str], place: int) -> int | None:
    text = words[place].strip(_WRAPPING) if place < len(words) else ""
    return int(text) if len(text) == 4 and text.isascii() and text.isdigit() else None


def _listed(words: Sequence[str], place: int) -> tuple[list[int], int]:
    """Days of a month joined by `or`, `to` and the like: `19 or 20`, and how many words they take."""
    days: list[int] = []
    at = place
    while at < len(words) and (day := _day(words[at])) is not None:
        days.append(day)
        at += 1
        if at + 1 < len(words) and words[at].lower() in _JOINS and _day(words[at + 1]) is not None:
            at += 1
        elif not words[at - 1].endswith(","):
            break
    return days, at - place


def _spoken(words: Sequence[str], place: int, year: int) -> tuple[list[str], int]:
    """Days in words at a place (`19 June 2026`, `June 19th`), and how many words they take."""
    days, used = _listed(words, place)
    at = place + used
    if days and at < len(words) and words[at].lower() == "of":
        at += 1
    if days and at < len(words) and (month := _month(words[at])) is not None:
        at += 1
    elif (month := _month(words[place])) is not None:
        days, used = _listed(words, place + 1)
        at = place + 1 + used
    if not days or month is None:
        return [], 0
    named = _year(words, at)
    return _valid(days, month, named or year), at + (named is not None) - place


def _valid(days: Sequence[int], month: int, year: int) -> list[str]:
    found = []
    for day in days:
        try:
            found.append(datetime.date(year, month, day).isoformat())
        except ValueError:
            continue
    return found


def named_ids(given: Any, known: Known) -> list[str] | None:
    """The different ids that an answer names, in capitals, made-up ones too."""
    if isinstance(given, list | tuple):
        return sorted({str(v).strip(" .").upper() for v in given})
    text = str(given).upper()
    if text.strip(" .") in known.ids:
        return [text.strip(" .")]
    for mark in ",;&\n":
        text = text.replace(mark, " ")
    tokens = {t.strip(_WRAPPING) for t in text.split()}
    return sorted(t for t in tokens if t in known.ids or _looks_made(t, known)) or None


def _looks_made(token: str, known: Known) -> bool:
    return any(token.startswith(p) and token[len(p) :].isdigit() for p in known.prefixes if p)


def same_word(wanted: str, given: Any, known: Known) -> bool:
    """Whether a word was given, whatever its case and whatever separates its parts; also as people say it."""
    ways = [wanted, *known.words.get(wanted, ())]
    ways += {"true": ["yes"], "false": ["no"]}.get(wanted.lower(), [])
    return _letters(str(given)) in {_letters(way) for way in ways}


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold().strip(" .!\"'") if c not in " _-\t\n()")


def same_amount(wanted: Any, given: Any) -> bool:
    """Whether an answer names one amount, the wanted one."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        return Decimal(str(given)) == Decimal(str(wanted))
    return numbers(str(given)) == {Decimal(str(wanted))}


def same_day(wanted: str, given: Any, known: Known) -> bool:
    """Whether an answer names one day, the wanted one."""
    return dates(str(given), known.today) == {wanted[:10]}
