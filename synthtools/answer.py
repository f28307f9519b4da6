"""Whether an answer, as an agent gave it, is the typed value that was asked for.

`25`, `25.0` and `€25` are one number; `2026-06-19` and `19 June 2026` one date. A sentence is taken where it holds
exactly one thing of the type asked for, so an answer that lists every candidate is none.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any

from synthtools.domain import Domain
from synthtools.goal import Answer

_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = "|".join(f"{m}|{m[:3]}" for m in _MONTHS) + "|sept"
_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})(?:[T ]\d{2}:\d{2}(?::\d{2})?)?")
_DAY_FIRST = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_MONTH})\.?(?:,? (\d{{4}}))?\b", re.IGNORECASE)
_MONTH_FIRST = re.compile(rf"\b({_MONTH})\.? (\d{{1,2}})(?:st|nd|rd|th)?(?:,? (\d{{4}}))?\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.,-])([€£$]\s?)?(-?)([€£$]\s?)?(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(?![\w]|[.,]\d|-\d)(?!%)")
_LONGEST = 400


def answers(expected: Answer, given: Any, domain: Domain, renamed: Mapping[str, str]) -> bool:
    """Whether `given` is the expected answer; `renamed` maps ids generated in the solution to those of the episode."""
    if given is None:
        return False
    if expected.type == "ids":
        return _ids(given) == {_id(renamed.get(v, v)) for v in expected.value}
    if isinstance(given, list | tuple):
        if len(given) != 1:
            return False
        given = given[0]
    if expected.type in ("number", "money"):
        wanted = expected.value / 100 if expected.type == "money" else expected.value
        found = _one(_numbers(given))
        return found is not None and abs(found - wanted) < 1e-9
    text = str(given)
    if len(text) > _LONGEST:
        return False
    if expected.type == "date":
        return _one(_dates(text, domain.today)) == expected.value
    if expected.type == "id":
        return _names_id(text, renamed.get(expected.value, expected.value), domain)
    return _word(text) in {_word(expected.value), *(_word(w) for w in domain.blueprint.words.get(str(expected.value), ()))}


def _one(found: set[Any]) -> Any:
    return next(iter(found)) if len(found) == 1 else None


def _numbers(given: Any) -> set[float]:
    if isinstance(given, int | float) and not isinstance(given, bool):
        return {float(given)}
    text = str(given)
    if len(text) > _LONGEST:
        return set()
    for pattern in (_ISO, _DAY_FIRST, _MONTH_FIRST):
        text = pattern.sub(" ", text)
    return {float(m.group(2) + m.group(4).replace(",", "") + (m.group(5) or "")) for m in _NUMBER.finditer(text)}


def _dates(text: str, today: str) -> set[str]:
    found = {f"{y}-{m}-{d}" for y, m, d in _ISO.findall(text)}
    parts = [(d, m, y) for d, m, y in _DAY_FIRST.findall(text)] + [(d, m, y) for m, d, y in _MONTH_FIRST.findall(_DAY_FIRST.sub(" ", text))]
    for day, month, year in parts:
        number = next(i for i, name in enumerate(_MONTHS, 1) if name.startswith(month.lower()[:3]))
        try:
            found.add(datetime.date(int(year or today[:4]), number, int(day)).isoformat())
        except ValueError:
            continue
    return found


def _id(value: Any) -> str:
    return str(value).strip().strip(".").upper()


def _ids(given: Any) -> set[str] | None:
    if isinstance(given, list | tuple):
        return {_id(v) for v in given}
    text = str(given)
    if len(text) > 10 * _LONGEST:
        return None
    return {_id(v) for v in re.split(r"[,;\s]+|\band\b", text) if v.strip(" .[]\"'")}


def _names_id(text: str, wanted: str, domain: Domain) -> bool:
    if _id(text) == _id(wanted):
        return True
    named = {_id(t.strip(".,;:!?()[]\"'")) for t in text.split()}
    return {t for t in named if _is_id(t, domain)} == {_id(wanted)}


def _is_id(token: str, domain: Domain) -> bool:
    for table in domain.tables.values():
        if table.digits and table.prefix and token.startswith(table.prefix.upper()) and token[len(table.prefix) :].isdigit():
            return True
        if not table.digits or not table.prefix:
            shaped = re.fullmatch(r"[A-Z]{0,4}-?\d{1,6}(-\d+)?|[A-Z0-9]+-[A-Z0-9-]+", token)
            if shaped:
                return True
    return False


def _word(text: Any) -> str:
    return re.sub(r"[\s_-]+", " ", str(text)).strip(" .!\"'").casefold()
