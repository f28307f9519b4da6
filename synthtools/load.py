"""Domains by name or by file, compiled once a process."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from pathlib import Path

from synthtools.catalog import catalog, splits
from synthtools.compile import compiled
from synthtools.document import DocumentError, read_text
from synthtools.domain import Domain
from synthtools.source import BlueprintError
from synthtools.surface import Surface


class UnknownDomain(ValueError):
    """A name that means no domain; the message is one line for people, with the likely name where there is one."""


def load_domain(name_or_path: str | Path, *, surface: Surface | None = None, trust: bool = False) -> Domain:
    """A catalogue domain by its name, or the domain of a blueprint file or of a toolkit's (`my_tools.py`, `my_tools.py:Shop`).

    A toolkit's code runs in a container unless it is trusted. Raises UnknownDomain for a name that means none, BlueprintError for a blueprint
    that cannot be taken and ToolkitError for a toolkit that cannot.
    """
    if is_toolkit(name_or_path):
        from synthtools.toolkit.load import load_toolkit

        return load_toolkit(name_or_path, trust=trust)
    entry = catalog().get(str(name_or_path))
    path = source_file(name_or_path)
    if not path.is_file():
        close = get_close_matches(str(name_or_path), catalog(), n=1)
        mend = f"did you mean {close[0]}?" if close else "`synthtools catalog` lists what there is"
        raise UnknownDomain(f"{name_or_path}: is no subdomain of the catalogue and no blueprint file; {mend}")
    return _load(str(path), path.stat().st_mtime_ns, entry.split if entry else "train", surface)


def source_file(name_or_path: str | Path) -> Path:
    """Where the blueprint is that a name or a path means."""
    entry = catalog().get(str(name_or_path))
    return entry.path if entry else Path(name_or_path)


def is_toolkit(name: str | Path) -> bool:
    """Whether a name means a toolkit's file: `my_tools.py`, or `my_tools.py:Shop`."""
    return str(name).endswith(".py") or ".py:" in str(name)


def source_length(name_or_path: str | Path) -> int:
    """Bytes of a blueprint, by the domain's name or its file; 0 where there is none."""
    path = source_file(name_or_path)
    return path.stat().st_size if path.is_file() else 0


@cache
def _load(path: str, _modified: int, split: str, surface: Surface | None) -> Domain:
    try:
        text = read_text(Path(path))
    except DocumentError as error:
        raise BlueprintError(path, error.line, "", str(error)) from None
    domain = compiled(text, path, split=split, surface=surface)
    true = splits().get(domain.field, "train")
    return domain if true == split else compiled(text, path, split=true, surface=surface)
