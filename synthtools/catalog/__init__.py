"""The catalogue: one folder a field, one blueprint a subdomain, and the split of each field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

HERE = Path(__file__).parent
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One subdomain of the catalogue, known without compiling it."""

    name: str
    field: str
    split: str
    path: Path

    @property
    def env_id(self) -> str:
        """The id of its environment: `synthtools/MarinaBerths-v0`."""
        return f"synthtools/{''.join(part.capitalize() for part in self.name.split('_'))}-v0"


@cache
def splits() -> Mapping[str, str]:
    """Field → split."""
    lines = (HERE / "splits.yaml").read_text(encoding="utf-8").splitlines()
    return {field.strip(): split.strip() for field, _, split in (line.partition(":") for line in lines if line and line[0] != "#")}


@cache
def catalog() -> Mapping[str, CatalogEntry]:
    """Every subdomain by name, in order of name."""
    found = {}
    for path in sorted(HERE.glob("*/*.yaml"), key=lambda p: p.stem):
        match = re.search(r"^field *:.*$", path.read_text(encoding="utf-8"), re.MULTILINE)
        field = str(yaml.safe_load(match.group())["field"]) if match else path.parent.name
        found[path.stem] = CatalogEntry(path.stem, field, splits().get(field, "train"), path)
    return found
