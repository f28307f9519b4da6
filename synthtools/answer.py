"""Whether an answer, as an agent gave it, is the typed value that was asked for.

`25`, `25.0` and `€25` are one number; `2026-06-19` and `19 June 2026` one date. A sentence is taken where it holds
exactly one thing of the type asked for, so an answer that lists every candidate is none, nor is a result as it came;
nor one that denies the thing or names it as a bound (`not 25`, `25 or more`).
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from synthtools.domain import Domain
from synthtools.goal import Answer
from synthtools.hedge import is_hedged, tidied
from synthtools.identifier import expand_codes

_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = "(?P<month>" + "|".join(f"{m}|{m[:3]}" for m in _MONTHS) + "|sept)"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_DAYS = rf"(?P<days>{_DAY}(?:(?: ?[,/&–-] ?| (?:or|and|to|until|till) ){_DAY})*)"
"""One day of a month, or several: `19 or 20` names two."""
_ISO = re.compile(r"\b(\d{4})([-/])(\d{2})\2(\d{2})(?:[T ]\d{2}:\d{2}(?::\d{2})?Z?)?(?![\d/])")
_DAY_FIRST = re.compile(rf"\b{_DAYS}(?: of)?[ -]{_MONTH}\b\.?(?:(?:,? |-)(?P<year>\d{{4}}))?\b", re.IGNORECASE)
_MONTH_FIRST = re.compile(rf"\b{_MONTH}\.?[ -](?:the )?{_DAYS}(?:(?:,? |-)(?P<year>\d{{4}}))?\b", re.IGNORECASE)

_CURRENCY = r"(?:(?:[€£$]|EUR|GBP|USD|CHF)\s?)?"
_AMOUNT = r"(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?([a-z]*)(?![\w]|[.,]\d|-\d)(?= ?([a-z]*))"
_NUMBER = re.compile(rf"(?<![\w.,#−-])(minus |negative )?{_CURRENCY}([−-]?){_CURRENCY}{_AMOUNT}", re.IGNORECASE)
_SCALES = {"k": 1e3, "thousand": 1e3, "hundred": 1e2, "dozen": 12, "million": 1e6, "billion": 1e9, "cent": 0.01, "cents": 0.01, "pence": 0.01}
_MONEY_SCALES = {**_SCALES, "m": 1e6, "mn": 1e6, "mio": 1e6, "bn": 1e9}
_CURRENCIES = frozenset("eur gbp usd chf".split())
_UNITS = frozenset("mm cm m km g kg t ml l s min h days nights hours kw kwh".split()) | _CURRENCIES
"""What may stand right behind a number; anything else there makes it a name, like `16A`. Behind money, only a currency may."""
_OTHERWISE = re.compile(r"[\w)\"'`*] (?:or|to|through|until|till|nor) [\"'`*(#]*$", re.IGNORECASE)
"""What joins ids that are no list: alternatives and ranges."""
_LONGEST = 400


def answers(expected: Answer, given: Any, domain: Domain, renamed: Mapping[str, str]) -> bool:
    """Whether `given` is the expected answer; `renamed` maps ids generated in the solution to those of the episode."""
    if given is None or (isinstance(given, str) and ("{" in given or len(given) > 10 * _LONGEST)):
        return False
    if expected.type == "ids":
        wanted = {_id(renamed.get(v, v)) for v in expected.value}
        return any(ids == wanted for ids in _ids(given, domain))
    if isinstance(given, list | tuple):
        if len(given) != 1:
            return False
        given = given[0]
    text = tidied(str(given))
    if len(text) > _LONGEST:
        return False
    if expected.type in ("number", "money"):
        money = expected.type == "money"
        found = _one({float(given)} if isinstance(given, int | float) else _numbers(text, money=money))
        return found is not None and bool(abs(found - (expected.value / 100 if money else expected.value)) < 1e-9)
    if expected.type == "date":
        return bool(_one(_dates(text, domain.today)) == expected.value)
    if expected.type == "id":
        wanted_id = _id(renamed.get(expected.value, expected.value))
        return _id(text) == wanted_id or _named(text, domain) == {wanted_id}
    return _word(text) in set(map(_word, _ways(str(expected.value), domain)))


def _one(found: set[Any]) -> Any:
    return next(iter(found)) if len(found) == 1 else None


def _numbers(text: str, *, money: bool) -> set[float | None]:
    """The different numbers that a text names, dates left aside; None for one that it denies or leaves open."""
    for pattern in (_ISO, _DAY_FIRST, _MONTH_FIRST):
        text = pattern.sub(" ", text)
    units, scales = (_CURRENCIES, _MONEY_SCALES) if money else (_UNITS, _SCALES)
    found: set[float | None] = set()
    for read in _NUMBER.finditer(text):
        minus, sign, whole, part, unit, after = read.groups()
        if not unit or unit.lower() in units or unit.lower() in scales:
            size = float(whole.replace(",", "") + (part or "")) * scales.get((unit or after).lower(), 1)
            signed = -size if bool(minus) != bool(sign) else size
            found.add(None if is_hedged(text, *read.span(), "amount") else signed)
    return found


def _dates(text: str, today: str) -> set[str | None]:
    """The different days that a text names, one without a year in this year; None for one that it denies or leaves open."""
    rest = _DAY_FIRST.sub(lambda read: " " * len(read[0]), text)
    named = [(read, f"{read[1]}-{read[3]}-{read[4]}") for read in _ISO.finditer(text)]
    for read in (*_DAY_FIRST.finditer(text), *_MONTH_FIRST.finditer(rest)):
        month = next(i for i, name in enumerate(_MONTHS, 1) if name.startswith(read["month"].lower()[:3]))
        named += [(read, day) for day in _valid(re.findall(r"\d+", read["days"]), month, int(read["year"] or today[:4]))]
    return {None if is_hedged(text, *read.span(), "day") else day for read, day in named}


def _valid(days: list[str], month: int, year: int) -> Iterator[str]:
    for day in days:
        try:
            yield datetime.date(year, month, int(day)).isoformat()
        except ValueError:
            continue


def _id(value: Any) -> str:
    return tidied(str(value)).strip(" .*()[]\"'`#").upper()


def _ids(given: Any, domain: Domain) -> Iterator[set[str | None]]:
    """The ids that an answer lists, read as a list, as a text with commas, with spaces, and as a sentence."""
    if isinstance(given, list | tuple):
        yield {_id(v) for v in given}
        return
    text = "\n".join(map(tidied, re.sub(r"^\s*[-*•] ", "", str(given), flags=re.MULTILINE).splitlines()))
    for separator in (r"[,;&\n]|\band\b", r"[,;&\s]|\band\b"):
        yield {_id(part) for part in re.split(separator, text) if _id(part)}
    yield _named(text, domain)


def _named(text: str, domain: Domain) -> set[str | None]:
    """The ids that a text names, also such as no row has; None for one that it denies or joins otherwise than in a list."""
    tokens = [(read, _id(read[0])) for read in re.finditer(r"[^\s,;:!?&]+", text)]
    found: set[str | None] = set()
    for read, token in tokens:
        if is_identifier(token, domain):
            joined = found and _OTHERWISE.search(text[max(0, read.start() - 20) : read.start()])
            found.add(None if joined or is_hedged(text, *read.span(), "id") else token)
    return found


def is_identifier(token: str, domain: Domain) -> bool:
    """Whether a text (in capitals) looks like an id of the domain."""
    for table in domain.tables.values():
        if not table.digits:
            entity = domain.blueprint.entities.get(table.name)
            codes = _codes(tuple(entity.id.codes or ())) if entity else frozenset()
            if token in codes or re.sub(r"-\d+$", "", token) in codes:
                return True
            continue
        number = token[len(table.prefix) :] if token.startswith(table.prefix.upper()) else ""
        if number.isdigit() and (table.prefix or len(number) >= table.digits):
            return True
    return False


@cache
def _codes(runs: tuple[str, ...]) -> frozenset[str]:
    return frozenset(code.upper() for run in runs for code in expand_codes(run))


def _ways(value: str, domain: Domain) -> tuple[str, ...]:
    """How people say a word: as it is stored, or as the blueprint has it; a truth also as yes or no."""
    truth = {"true": ("yes",), "false": ("no",)}.get(value.lower(), ())
    return (value, *domain.blueprint.words.get(value, ()), *truth)


def _word(text: str) -> str:
    """A word without what people leave out or put in: case, separators (`no_show`, `no-show`), a full stop."""
    return re.sub(r"[\s_()-]+", "", tidied(text)).strip(".!\"'`*").casefold()
