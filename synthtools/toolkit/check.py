"""A task's own check: a function over the state before and after, run on this machine and never shipped into a container."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from synthtools.backend import Backend
from synthtools.domain import Domain
from synthtools.toolkit.backend import ToolkitBackend
from synthtools.toolkit.code import described

NAMES = ("checks.py", "*_checks.py")
"""What files of checks are called, so that they are never taken for a toolkit's own."""


def load_check(folder: Path, named: str, domain: Domain, backend: Backend) -> Callable[[Any, Any], Any]:
    """The function `checks.py:function` beside the tasks. Raises ValueError that says how to mend it."""
    file, _, name = named.partition(":")
    if domain.toolkit is None or not domain.toolkit.trusted or not isinstance(backend, ToolkitBackend):
        raise ValueError("a check is code that runs on this machine; give --trust if you know it")
    if not name or not any(fnmatch(file, pattern) for pattern in NAMES) or not (folder / file).is_file():
        raise ValueError(f"{named!r}: give `checks.py:function` or `…_checks.py:function`, a file beside the tasks")
    spec = importlib.util.spec_from_file_location("synthtools_task_checks", folder / file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f"{file} cannot be imported: {described(error)}") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise ValueError(f"{file} has no function {name!r}")
    made: Callable[[Any, Any], Any] = function
    return made
