"""Where the tools of a domain stand in its blueprint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synthtools.domain import Domain

Places = Mapping[str, Mapping[str, str]]
"""Domain's name → tool's name → `file:line`; the name "" stands for the whole."""


def tool_places(domain: Domain, file: Path) -> dict[str, str]:
    """Tool's name → the `file:line` of its definition, or of the entity that it is compiled from; empty for Python toolkits."""
    from synthtools.source import Source

    if domain.toolkit is not None:
        return {}
    shown = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
    source = Source(domain.source, str(shown))
    source.data()
    found = {"": f"{shown}:1"}
    for tool in domain.tools.values():
        place = ("tools", tool.key) if tool.origin.kind == "hand" else ("entities", tool.origin.entity)
        found[tool.name] = f"{shown}:{source.lines.get(place, 1)}"
    return found
