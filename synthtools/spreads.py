"""How a blueprint spreads values: ranges, days, pools and identifiers must be ones that can be drawn from."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from synthtools.blueprint import After, Blueprint, Entity, FieldSpec
from synthtools.identifier import MAX_CODES, expand_codes
from synthtools.nearest import did_you_mean
from synthtools.pools import SHIPPED
from synthtools.source import Place, Source
from synthtools.values import BUSINESS_HOURS, day_number


def check_spreads(blueprint: Blueprint, source: Source) -> None:
    """Raises BlueprintError at the first value that cannot be drawn."""
    if int(blueprint.opens[:2]) + BUSINESS_HOURS > 24:
        raise source.error(("opens",), f"leaves less than {BUSINESS_HOURS} hours of that day; open earlier")
    _refuse_shared_prefixes(blueprint, source)
    for name, entity in blueprint.entities.items():
        _check_codes(("entities", name, "id", "codes"), entity, source)
        for key, spec in entity.fields.items():
            _check_field(("entities", name, "fields", key), spec, blueprint, source)


def check_pool(place: Place, named: object, blueprint: Blueprint, source: Source) -> None:
    """Refuse the name of a pool that there is not."""
    if isinstance(named, str) and named not in blueprint.pools and named not in SHIPPED:
        raise source.error(place, f"the pool {named!r} is unknown; {did_you_mean(named, [*blueprint.pools, *SHIPPED])}")


def check_days(place: Place, days: tuple[str, str], today: str, source: Source) -> None:
    """Refuse days that no calendar has, and a range whose end comes first."""
    start = datetime.date.fromisoformat(today)
    ends = []
    for moment in days:
        try:
            ends.append(datetime.date.fromordinal(day_number(moment, start)))
        except (ValueError, OverflowError):
            raise source.error(place, f"{moment} is no day of the calendar; give one between the years 1 and 9999") from None
    check_range(place, (ends[0].toordinal(), ends[1].toordinal()), source)


def check_range(place: Place, ends: tuple[int, int], source: Source) -> None:
    """Refuse a range whose end comes first."""
    if ends[0] > ends[1]:
        raise source.error(place, "the range ends before it begins; swap its ends")


def _refuse_shared_prefixes(blueprint: Blueprint, source: Source) -> None:
    """Ids say of which entity they are: what an agent creates is told apart by them."""
    seen: dict[str, str] = {}
    for name, entity in blueprint.entities.items():
        if entity.id.codes is not None:
            continue
        prefix = (entity.id.prefix or "").rstrip("0123456789")
        if prefix in seen:
            raise source.error(("entities", name, "id"), f"ids look like those of {seen[prefix]!r}; give one of them another prefix")
        seen[prefix] = name


def _check_codes(place: Place, entity: Entity, source: Source) -> None:
    count = 0
    for index, run in enumerate(entity.id.codes or ()):
        try:
            codes = expand_codes(run)
        except ValueError as error:
            raise source.error((*place, index), str(error)) from None
        count += len(codes)
        if count > MAX_CODES:
            raise source.error(place, f"more than {MAX_CODES:,} codes; give shorter runs")


def _check_field(place: Place, spec: FieldSpec, blueprint: Blueprint, source: Source) -> None:
    check_pool((*place, spec.kind), spec.pool if spec.kind == "pool" else spec.text, blueprint, source)
    spread = getattr(spec, spec.kind)
    if spec.kind in ("int", "money") and isinstance(spread, tuple):
        check_range((*place, spec.kind), spread, source)
    elif spec.kind in ("date", "datetime") and isinstance(spread, tuple):
        check_days((*place, spec.kind), spread, blueprint.today, source)
    elif isinstance(spread, After):
        for key, ends in (("days", spread.days), ("minutes", spread.minutes)):
            if ends is not None:
                _check_shift((*place, spec.kind, key), ends, source)
    elif isinstance(spread, Mapping) and min(spread.values()) < 0:
        raise source.error((*place, spec.kind), "a weight is below 0; give the share of each choice")


_MAX_DAYS = 36_500


def _check_shift(place: Place, ends: tuple[int, int], source: Source) -> None:
    check_range(place, ends, source)
    if max(map(abs, ends)) > _MAX_DAYS * (1 if place[-1] == "days" else 1440):
        raise source.error(place, "reaches more than a hundred years away; give a nearer moment")
