"""Ways to say an answer: forms that mean the right one, and answers that do not."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import orjson
from episode import Said

_MONTHS = "January February March April May June July August September October November December".split()
_SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$"}


def right_forms(kind: str, value: Any, today: str, currency: str) -> list[Any]:
    """Other ways to give a right answer."""
    if kind in ("number", "money"):
        return _amounts(kind, Decimal(str(value)), currency)
    if kind == "date":
        return _days(str(value)[:10], today)
    if kind == "id":
        text = str(value)
        return [
            text.lower(),
            f"{text}.",
            f"It is {text}.",
            f" {text} ",
            [text],
            f"The number you want is {text.lower()}.",
            f"({text})",
            f"that's {text}, I believe",
        ]
    if kind == "ids":
        return _lists([str(v) for v in value])
    text = str(value)
    return [text.upper(), text.lower(), text.replace("_", " "), text.replace("_", "-"), f"{text}.", f' "{text}" ', [text]]


def _amounts(kind: str, value: Decimal, currency: str) -> list[Any]:
    symbol, sign, size = _SYMBOLS.get(currency, ""), "-" if value < 0 else "", abs(value)
    plain, grouped = f"{size.normalize():f}", f"{size:,f}"
    forms: list[Any] = [
        float(value),
        f"{sign}{plain}",
        f"{sign}{grouped}",
        f"It is {sign}{plain}.",
        f"{sign}{grouped} in all",
        f"The answer: {sign}{plain}",
        [f"{sign}{plain}"],
    ]
    forms += [f"**{sign}{plain}**", f"{sign}{plain}."]
    if value == value.to_integral_value():
        forms += [int(value), f"{sign}{plain}.0", f"{sign}{plain}.00"]
    if value < 0:
        forms += [f"−{plain}", f"minus {plain}"]
    if kind == "number":
        return [*forms, f"{sign}{plain} of them", f"{sign}{plain} cm", f"{sign}{plain}kg"]
    cents, grouped_cents = f"{size:.2f}", f"{size:,.2f}"
    forms += [
        f"{sign}{cents}",
        f"{sign}{cents} {currency}",
        f"{currency} {sign}{grouped_cents}",
        f"That comes to {sign}{symbol}{grouped_cents} altogether.",
    ]
    if symbol:
        forms += [
            f"{sign}{symbol}{plain}",
            f"{sign}{symbol}{cents}",
            f"{symbol}{sign}{cents}",
            f"{sign}{grouped_cents}{symbol}",
            f"{sign}{symbol} {cents}",
        ]
    return forms


def _days(day: str, today: str) -> list[Any]:
    date = datetime.date.fromisoformat(day)
    month = _MONTHS[date.month - 1]
    ending = "th" if 10 < date.day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(date.day % 10, "th")
    forms = [
        f"{date.day} {month} {date.year}",
        f"{month} {date.day}, {date.year}",
        f"{date.day} {month[:3]} {date.year}",
        f"the {date.day}{ending} of {month} {date.year}",
        f"{date:%A}, {date.day} {month} {date.year}",
        f"{month[:3]}. {date.day}{ending}, {date.year}",
        f"{day}T00:00",
        f"{day} 09:00",
        f"It is on {date.day} {month} {date.year}.",
        f"On {day}.",
        f"{date.day}{ending} {month} {date.year} ({day})",
        day.replace("-", "/"),
        [day],
    ]
    if date.year == int(today[:4]):
        forms += [f"{date.day} {month}", f"{month} {date.day}{ending}", f"on the {date.day}{ending} of {month}", f"{month[:3]} {date.day}"]
    return forms


def _lists(values: list[str]) -> list[Any]:
    backwards, joined = values[::-1], ", ".join(values)
    spoken = " and ".join([", ".join(values[:-1]), values[-1]]) if len(values) > 1 else joined
    forms: list[Any] = [
        backwards,
        joined,
        spoken,
        " ".join(backwards),
        "\n".join(values),
        "; ".join(values),
        [v.lower() for v in values],
        orjson.dumps(values).decode(),
    ]
    return [
        *forms,
        ", ".join(backwards).lower(),
        "\n".join(f"- {v}" for v in values),
        [*values, values[0]],
        f"They are {spoken}.",
        " & ".join(values),
    ]


def wrong_forms(kind: str, value: Any, others: Sequence[Any], today: str, rng: random.Random) -> Iterator[Said]:
    """Answers that are near and wrong, mostly; `others` are values of the same kind that are there too."""
    if kind in ("number", "money"):
        yield from _wrong_amounts(Decimal(str(value)), others, rng)
    elif kind == "date":
        yield from _wrong_days(str(value)[:10], others, today, rng)
    elif kind == "ids":
        yield from _wrong_lists([str(v) for v in value], [str(o) for o in others], rng)
    else:
        text = str(value)
        other = str(rng.choice(others)) if others else f"{text}x"
        forms = [_itself(v) for v in (other, f"{text}9", f"un{text}", *([text[:-1]] if text[-1:].isalnum() else []))]
        forms += [Said(f"{text} {other}", None), Said("yes", "True"), Said("", None), Said("none", "none")]
        yield from rng.sample(forms, len(forms))


def _itself(value: Any) -> Said:
    return Said(value, value)


def _wrong_amounts(value: Decimal, others: Sequence[Any], rng: random.Random) -> Iterator[Said]:
    near = [float(v) for v in (value + Decimal("0.01"), value - 1, value * 10, -value, 1)]
    forms = [_itself(v) for v in (*near, f"{value}1" if "." in str(value) else f"{value}.1")]
    forms += [_itself(float(o)) for o in rng.sample(list(others), min(4, len(others)))]
    forms += [Said(f"{value} thousand", value * 1000), Said(f"{value}k", value * 1000), Said(f"{value} cents", value / 100)]
    forms += [Said(f"about {value + 1}", None), Said("many", None), Said("", None), Said(f"{value}-{value + 1}", None)]
    forms += [Said(f"−{value}", -value), Said(f"minus {value}", -value)] if value > 0 else []
    yield from rng.sample(forms, len(forms))


def _wrong_days(day: str, others: Sequence[Any], today: str, rng: random.Random) -> Iterator[Said]:
    date = datetime.date.fromisoformat(day)
    month = _MONTHS[date.month - 1]
    near = [date + datetime.timedelta(days=d) for d in (-1, 1, 7, -30, 365)]
    forms = [_itself(d.isoformat()) for d in near] + [Said(f"{d.day} {_MONTHS[d.month - 1]} {d.year}", d.isoformat()) for d in near]
    forms += [_itself(str(o)[:10]) for o in others[:3]]
    forms += [Said(f"{date:%A}", None), Said(str(date.year), None), Said(f"{month} {date.year}", None), Said("", None)]
    if date.year != int(today[:4]):
        forms.append(Said(f"{date.day} {month}", None))
    yield from rng.sample(forms, len(forms))


def _wrong_lists(values: list[str], others: list[str], rng: random.Random) -> Iterator[Said]:
    spare = [o for o in others if o not in values]
    forms = [
        _itself(values[1:]),
        _itself(values[:-1]),
        Said(", ".join(values[1:]), values[1:]),
        *(Said(v, None) for v in ([], "", len(values), "all of them")),
    ]
    if spare:
        other = rng.choice(spare)
        forms += [_itself(v) for v in ([*values, other], [*values[1:], other], [other] * len(values))]
        forms += [
            Said(", ".join([*values, other]), [*values, other]),
            Said(f"They are {' and '.join([*values[:-1], other])}.", [*values[:-1], other]),
        ]
    yield from rng.sample(forms, len(forms))


def every_candidate(kind: str, value: Any, others: Sequence[Any], rng: random.Random) -> Iterator[Any]:
    """Answers that name the right thing among others: one who does not know covers all."""
    several = [
        str(value)[:10] if kind == "date" else str(value),
        *(str(o)[:10] if kind == "date" else str(o) for o in others[:4] if str(o) != str(value)),
    ]
    if len(several) < 2:
        return
    mixed = rng.sample(several, len(several))
    yield mixed
    yield ", ".join(mixed)
    yield " or ".join(mixed)
    yield f"It is one of {'; '.join(mixed)}."
    yield f"{several[0]}/{several[1]}"
    if kind == "date":
        date = datetime.date.fromisoformat(several[0])
        other = date.day % 28 + 1
        month = _MONTHS[date.month - 1]
        yield f"{other} or {date.day} {month} {date.year}"
        yield f"{month} {date.day} or {other}, {date.year}"
        yield f"{date.day}-{other} {month} {date.year}"
        yield f"{other}-{date.day} {month} {date.year}"
        yield f"{other} to {date.day} {month}"
        yield f"{several[0]}/{other:02d}"
