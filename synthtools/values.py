"""Values of fields at the start of a world: names that nearly collide, skewed amounts, days around today."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from synthtools.blueprint import After, Blueprint, FieldSpec
from synthtools.pools import COMPANY_ENDINGS, pool
from synthtools.schema import choices, integer_choices

BUSINESS_HOURS = 9
"""Hours of a day at which things happen."""
Row = dict[str, Any]
Draw = Callable[[Row], Any]
"""Draws one value, given the fields of the row drawn so far."""


@dataclass(slots=True)
class Drawer:
    """Draws the values of one entity's rows in one world."""

    blueprint: Blueprint
    rng: random.Random
    today: datetime.date
    opens: int
    """Opening hour."""
    dense: bool
    """Whether values crowd on boundaries, as an audit wants them."""
    used: dict[str, list[Any]] = field(default_factory=dict)

    def draw(self, key: str, spec: FieldSpec) -> Draw | None:
        """How to draw a field, or None where its value follows from other rows or fields."""
        makers: dict[str, Callable[[str, FieldSpec], Draw]] = {
            "person": self._person,
            "company": lambda _k, _s: lambda _r: f"{self.rng.choice(pool('surnames'))} {self.rng.choice(COMPANY_ENDINGS)}",
            "city": lambda _k, _s: lambda _r: self.rng.choice(pool("cities")),
            "address": lambda _k, _s: lambda _r: f"{self.rng.randint(1, 180)} {self.rng.choice(pool('streets'))}",
            "email": self._email,
            "phone": lambda _k, _s: lambda _r: f"+44 7{self.rng.randint(100, 999)} {self.rng.randint(100000, 999999)}",
            "bool": lambda _k, s: lambda _r: int(self.rng.random() < (s.bool or 0)),
            "choice": lambda _k, s: self._choice(s),
            "int": lambda _k, s: self._number(s, s.int),
            "money": lambda _k, s: self._number(s, s.money),
            "date": lambda _k, s: self._day(s),
            "datetime": lambda _k, s: self._minute(s),
            "pool": self._pool,
            "text": lambda _k, s: self._text(s),
        }
        maker = makers.get(spec.kind)
        if maker is None or isinstance(getattr(spec, spec.kind), str) and spec.kind in ("int", "money", "date", "datetime"):
            return None
        made = maker(key, spec)
        made = self._repeated(key, spec, made) if spec.repeats or spec.unique else made
        return self._often(spec, made)

    def _often(self, spec: FieldSpec, made: Draw) -> Draw:
        """Nulls and the value that most rows hold."""
        rng = self.rng
        if spec.mostly is not None:
            inner, mostly = made, spec.mostly
            made = lambda row: mostly if rng.random() < 0.5 else inner(row)  # noqa: E731 - a closure is the clearest here
        if spec.optional is not None and spec.only_in is None:
            filled, share = made, spec.optional
            return lambda row: None if rng.random() < share else filled(row)
        return made

    def _repeated(self, key: str, spec: FieldSpec, made: Draw) -> Draw:
        used, rng = self.used.setdefault(key, []), self.rng
        seen: set[Any] = set(used)

        def draw(row: Row) -> Any:
            if used and spec.repeats and rng.random() < spec.repeats:
                return rng.choice(used)
            value = made(row)
            for attempt in range(60 if spec.unique else 3):
                if value not in seen:
                    break
                value = made(row) if attempt < 50 or not isinstance(value, str) else f"{made(row)} {rng.randint(2, 9999)}"
            used.append(value)
            seen.add(value)
            return value

        return draw

    def _person(self, key: str, _spec: FieldSpec) -> Draw:
        rng, used = self.rng, self.used.setdefault(key + "/surnames", [])

        def draw(_row: Row) -> str:
            surname = rng.choice(used) if used and rng.random() < 0.12 else rng.choice(pool("surnames"))
            used.append(surname)
            return f"{rng.choice(pool('given'))} {surname}"

        return draw

    def _email(self, key: str, _spec: FieldSpec) -> Draw:
        rng = self.rng
        seen: set[str] = set(self.used.get(key, ()))

        def draw(row: Row) -> str:
            name = next((v for v in row.values() if isinstance(v, str) and v.count(" ") == 1 and v.replace(" ", "").isalpha()), "")
            stem = name.lower().replace(" ", ".") if name.isascii() and name else f"{rng.choice(pool('surnames'))}{rng.randint(1, 99)}".lower()
            stem = "".join(c for c in stem if c.isascii() and (c.isalnum() or c == ".")) or "post"
            address = f"{stem}@{rng.choice(('example.org', 'example.com', 'example.net'))}"
            while address in seen:
                address = f"{stem}{rng.randint(2, 9999)}@example.org"
            seen.add(address)
            return address

        return draw

    def _choice(self, spec: FieldSpec) -> Draw:
        values: list[Any] = list(spec.choice or []) if integer_choices(spec) else list(choices(spec))
        if isinstance(spec.choice, Mapping) and not self.dense:
            weights = list(spec.choice.values())
            return lambda _row: self.rng.choices(values, weights)[0]
        return lambda _row: self.rng.choice(values)

    def _number(self, spec: FieldSpec, spread: Any) -> Draw:
        rng, (low, high), step = self.rng, spread, spec.step or 1
        if self.dense:
            spots = sorted({low, min(low + step, high), (low + high) // 2 // step * step, high})
            return lambda _row: rng.choice(spots)
        if spec.around is not None:
            around, width = spec.around, (high - low) / 7
            return lambda _row: _grid(min(high, max(low, rng.gauss(around, width))), low, step)
        return lambda _row: _grid(rng.randint(low, high), low, step)

    def _day(self, spec: FieldSpec) -> Draw:
        if isinstance(spec.date, After):
            return self._after(spec.date, days=True)
        low, high = (day_number(moment, self.today) for moment in spec.date or ("-1d", "+1d"))
        base = self.today.toordinal()
        if self.dense and low < base + 4 and high > base - 4:
            low, high = max(low, base - 4), min(high, base + 4)
        return lambda _row: datetime.date.fromordinal(self.rng.randint(low, high)).isoformat()

    def _minute(self, spec: FieldSpec) -> Draw:
        if isinstance(spec.datetime, After):
            return self._after(spec.datetime, days=False)
        low, high = (day_number(moment, self.today) for moment in spec.datetime or ("-1d", "+1d"))
        base = self.today.toordinal()
        if self.dense and low < base + 3 and high > base - 3:
            low, high = max(low, base - 3), min(high, base + 3)
        step = spec.step or 15

        def draw(_row: Row) -> str:
            minutes = self.rng.randrange(self.opens * 60, (self.opens + BUSINESS_HOURS) * 60, step)
            return f"{datetime.date.fromordinal(self.rng.randint(low, high)).isoformat()}T{minutes // 60:02d}:{minutes % 60:02d}"

        return draw

    def _after(self, spec: After, *, days: bool) -> Draw:
        """Some days or minutes after the moment that the row keeps under the expression's own text."""
        rng, key = self.rng, spec.after
        low, high = spec.days or spec.minutes or (1, 1)
        if self.dense and spec.days:
            high = min(high, low + 3)

        def draw(row: Row) -> str | None:
            moment = row[key]
            if moment is None:
                return None
            start = datetime.datetime.fromisoformat(moment)
            amount = rng.randint(low, high)
            later = start + (datetime.timedelta(days=amount) if spec.days else datetime.timedelta(minutes=amount))
            return later.date().isoformat() if days else later.strftime("%Y-%m-%dT%H:%M")

        return draw

    def _pool(self, key: str, spec: FieldSpec) -> Draw:
        values = self._values(spec.pool)
        if spec.repeats or spec.unique:
            fresh = list(values)
            self.rng.shuffle(fresh)
            return lambda _row: fresh.pop() if fresh else self.rng.choice(values)
        return lambda _row: self.rng.choice(values)

    def _text(self, spec: FieldSpec) -> Draw:
        values = self._values(spec.text)
        return lambda _row: self.rng.choice(values)

    def _values(self, named: str | list[str] | None) -> list[str]:
        if isinstance(named, list):
            return named
        return self.blueprint.pools.get(str(named)) or list(pool(str(named)))


def _grid(value: float, low: int, step: int) -> int:
    return low + round((value - low) / step) * step


def day_number(moment: str, today: datetime.date) -> int:
    """The ordinal of `2026-06-12`, `-60d` or `+400d`."""
    if moment.endswith("d") and moment[0] in "+-":
        return today.toordinal() + int(moment[:-1])
    return datetime.date.fromisoformat(moment).toordinal()
