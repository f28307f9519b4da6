"""Describing a toolkit: its code is executed once, and what it says of itself and of its start worlds comes back as plain data."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

from synthtools.domain import ToolkitCode
from synthtools.toolkit.code import LoadedCode, load_code
from synthtools.toolkit.description import toolkit_domain
from synthtools.toolkit.docstring import parse_docstring
from synthtools.toolkit.fault import ToolkitError
from synthtools.toolkit.reference import SeenTable, survey_tables
from synthtools.toolkit.row import rows
from synthtools.toolkit.state import Unfreezable, flatten_aliases

WORLDS = 4
"""Start worlds of a class whose `__init__` takes their number and that does not say how many there are."""
TODAY = "2026-01-05"
_SURVEYED = 4
"""Start worlds that are looked at."""

__all__ = ["describe", "toolkit_domain"]


def describe(code: ToolkitCode) -> dict[str, Any]:
    """What agents and judges need to know of a toolkit. Executes its code: of a stranger's, in a container only. Raises ToolkitError."""
    loaded = load_code(code)
    kind = loaded.toolkit
    about = parse_docstring(inspect.getdoc(kind) if kind.__doc__ else "").about
    if not about:
        raise ToolkitError(f"{code.entry}: the class has no docstring; say in a sentence what it is about")
    worlds = _attribute(kind, "worlds", int, WORLDS) if loaded.has_worlds else 1
    return {
        "name": _attribute(kind, "name", str, _snake(kind.__name__)),
        "field": _attribute(kind, "field", str, "Custom"),
        "about": about,
        "today": _attribute(kind, "today", str, TODAY),
        "worlds": worlds,
        "policies": _policies(kind, code),
        "tools": [
            {
                "name": tool.name,
                "description": tool.description,
                "parameters": dict(tool.parameters),
                "errors": dict(tool.errors),
                "read_only": tool.read_only,
            }
            for tool in loaded.signatures.values()
        ],
        "tables": [asdict(table) for table in _tables(loaded, worlds)],
    }


def _content(code: ToolkitCode, path: str) -> bytes:
    return (Path(code.folder) / path).read_bytes() if code.folder else code.files[path]


def _tables(loaded: LoadedCode, worlds: int) -> list[SeenTable]:
    """The tables of the first start worlds; none where the state cannot be kept, which the audit finds and every reset says."""
    try:
        return survey_tables(rows(flatten_aliases(vars(loaded.begin(number)), loaded.types)) for number in range(min(worlds, _SURVEYED)))
    except Unfreezable:
        return []


def _attribute(kind: type, name: str, wanted: type, default: Any) -> Any:
    value = inspect.getattr_static(kind, name, default)
    if type(value) is not wanted:
        raise ToolkitError(f"{kind.__name__}.{name}: must be {wanted.__name__}, written in the class itself")
    return value


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _policies(kind: type, code: ToolkitCode) -> dict[str, str]:
    """Name → rules text: the class's own, and a document beside the file, whole."""
    own = inspect.getattr_static(kind, "policies", {})
    if not isinstance(own, Mapping) or not all(isinstance(part, str) for item in own.items() for part in item):
        raise ToolkitError(f"{kind.__name__}.policies: must be a dict of names and texts")
    policies = dict(own)
    path = _attribute(kind, "policy", str, "")
    if path:
        if path not in code.files:
            raise ToolkitError(f"{kind.__name__}.policy: there is no {path!r} beside the file")
        policies[_snake(PurePosixPath(path).stem)] = _content(code, path).decode("utf-8", "replace").strip()
    return policies
