"""The bicycle workshop of the README, and the same with something else written in it."""

from __future__ import annotations

from pathlib import Path

from synthtools.compile import compile_text
from synthtools.domain import Domain

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
WORKSHOP = README.split("```yaml\n# workshop.yaml", 1)[1].split("```", 1)[0]


def workshop(written: str = "", instead: str = "") -> Domain:
    """The workshop, or the one in which `written`, where it first stands, reads otherwise."""
    return compile_text(rewritten(written, instead), "workshop.yaml")


def rewritten(written: str, instead: str) -> str:
    """The text with a change in it."""
    if written not in WORKSHOP:
        raise ValueError(f"{written!r} does not stand in the workshop")
    return WORKSHOP.replace(written, instead, 1) if written else WORKSHOP


def with_tool(tool: str) -> Domain:
    """The workshop with one more tool, written as it stands in YAML."""
    return workshop("\n  fit_part:\n", f"\n{tool}\n  fit_part:\n")
