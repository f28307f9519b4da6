"""Google-style docstrings: what a tool does, what its arguments mean, which errors it documents."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass

_SECTION = re.compile(r"(Args|Arguments|Raises|Returns|Yields|Examples?|Notes?|Attributes):\s*")
_ENTRY = re.compile(r"\*{0,2}(\w+)(?: \([^)]*\))?:\s*(.*)")


@dataclass(frozen=True, slots=True)
class Docstring:
    """A docstring, taken apart."""

    about: str
    """Everything before the first section, on one line a paragraph."""
    arguments: dict[str, str]
    raises: dict[str, str]


def parse_docstring(text: str | None) -> Docstring:
    """Take a docstring apart; sections other than `Args:` and `Raises:` are left out."""
    lines = inspect.cleandoc(text or "").splitlines()
    first = next((i for i, line in enumerate(lines) if _SECTION.fullmatch(line)), len(lines))
    sections: dict[str, list[str]] = {}
    name = ""
    for line in lines[first:]:
        found = _SECTION.fullmatch(line)
        if found:
            name = found[1].replace("Arguments", "Args")
        else:
            sections.setdefault(name, []).append(line)
    about = "\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", "\n".join(lines[:first])) if part.strip())
    return Docstring(about, dict(_entries(sections.get("Args", []))), dict(_entries(sections.get("Raises", []))))


def _entries(lines: list[str]) -> Iterator[tuple[str, str]]:
    """(name, words) of a section; lines that are indented deeper go on with the entry before."""
    filled = [line for line in lines if line.strip()]
    margin = min((len(line) - len(line.lstrip()) for line in filled), default=0)
    name, words = "", ""
    for line in filled:
        found = _ENTRY.fullmatch(line.strip()) if len(line) - len(line.lstrip()) == margin else None
        if found:
            if name:
                yield name, words
            name, words = found[1], found[2].strip()
        else:
            words = f"{words} {line.strip()}".strip()
    if name:
        yield name, words
