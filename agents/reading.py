"""What stands in a request, by its form alone: days, numbers, names, and what looks like a given id."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH = rf"({'|'.join(_MONTHS)})[a-z]*"
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_DAYS = re.compile(rf"(\d{{4}})-(\d\d)-(\d\d)|\b{_DAY}(?: of)? {_MONTH}\b|\b{_MONTH} {_DAY}\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.,-])[£€$]?(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(?![\w-]|\.\d)")
_QUOTED = re.compile(r"[\"“]([^\"”]+)[\"”]")
_CAPITALS = re.compile(r"(?<![\w-])[A-Z][\w’'.&-]*(?: (?:of |and |the |de |van )?[A-Z][\w’'.&-]*)*")
_COUNTED = "zero one two three four five six seven eight nine ten eleven twelve".split()
_IDLE = frozenset(
    "a an and are as at be by can do for from has have i if in is it its me my no not of on or our that the their them they this to up us we with "
    "you your".split()
)
_ENDINGS = ("ings", "ing", "ies", "ied", "ed", "es", "s", "e")


@dataclass(frozen=True, slots=True)
class Reading:
    """The values of a request, in order."""

    text: str
    words: frozenset[str]
    days: tuple[str, ...]
    """ISO days; those without a year are of this year."""
    numbers: tuple[float, ...]
    names: tuple[str, ...]
    """What is quoted, and what has capitals in the middle of a sentence."""

    def like(self, example: str) -> tuple[str, ...]:
        """What has an id's form: its letters and signs, and digits for its digits."""
        stem = re.match(r"\D*", example)
        pattern = rf"(?<![\w-]){re.escape(stem[0] if stem else '')}\d+[\w/-]*"
        return tuple(dict.fromkeys(re.findall(pattern, self.text)))


def read(request: str, briefing: str) -> Reading:
    """Take a request apart; the briefing says what year it is."""
    today = re.search(r"\d{4}", briefing)
    days = tuple(_days(request, int(today[0]) if today else 1970))
    plain = _DAYS.sub(" ", request)
    counted = [float(_COUNTED.index(word)) for word in re.findall(r"[a-z]+", plain.lower()) if word in _COUNTED]
    numbers = [float(whole.replace(",", "") + part) for whole, part in _NUMBER.findall(plain)]
    return Reading(request, words_of(request), days, tuple(dict.fromkeys(numbers + counted)), tuple(dict.fromkeys(_names(plain))))


def words_of(text: str) -> frozenset[str]:
    """The words that say something, without their endings."""
    return frozenset(_stem(word) for word in re.findall(r"[a-z]+", text.lower().replace("_", " ")) if word not in _IDLE)


def _stem(word: str) -> str:
    ending = next((ending for ending in _ENDINGS if word.endswith(ending) and len(word) - len(ending) >= 3), "")
    return word.removesuffix(ending)


def _days(request: str, year: int) -> Iterator[str]:
    for iso_year, month, day, day_first, month_after, month_first, day_after in _DAYS.findall(request):
        named = (month_after or month_first)[:3].lower()
        parts = (int(iso_year), int(month), int(day)) if iso_year else (year, _MONTHS.index(named) + 1, int(day_first or day_after))
        try:
            yield datetime.date(*parts).isoformat()
        except ValueError:
            continue


def _names(text: str) -> Iterator[str]:
    yield from _QUOTED.findall(text)
    for found in _CAPITALS.finditer(text):
        begins = re.search(r"(?:^|[.!?:])\s*$", text[: found.start()]) is not None
        name = re.sub(r"[’']s$|[.’']+$", "", found[0])
        if len(name) > 1 and not (begins and " " not in name):
            yield name
