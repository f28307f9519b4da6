"""Value pools, frozen with the project (filled once with Faker, whose values depend on its version)."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def pool(name: str) -> tuple[str, ...]:
    """The lines of a shipped pool: `given`, `surnames`, `cities`, `streets`."""
    return tuple((Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8").split("\n")[:-1])


SHIPPED = ("given", "surnames", "cities", "streets")
COMPANY_ENDINGS = ("Ltd", "& Sons", "Group", "Partners", "Works", "Trading", "& Co", "Services", "Brothers", "Supply")
