"""A task's own check: a function over the net changes, run on this machine and never shipped into a container."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import ModuleType
from typing import Any

from synthtools.codec import changes_to_json
from synthtools.domain import Domain
from synthtools.goal import Changes
from synthtools.toolkit.code import described
from synthtools.toolkit.fault import ToolkitError, ToolkitFault

NAMES = ("checks.py", "*_checks.py")
"""What files of checks are called, so that they are never taken for a toolkit's own."""

Check = Callable[[list[dict[str, Any]]], object]


def holds(domain: Domain, named: str, changes: Changes) -> bool:
    """Whether `checks.py:function` is true of net changes, each `{table, op, key, before, after}`.

    Raises ToolkitError where there is no such check or nobody vouches for it, and ToolkitFault where it raises.
    """
    check = find_check(domain, named)
    try:
        return bool(check(changes_to_json(changes)))
    except Exception as error:
        raise ToolkitFault(f"{domain.name}, {named}", described(error)) from error


def find_check(domain: Domain, named: str) -> Check:
    """The function that a task names. Raises ToolkitError that says how to mend it."""
    file, _, name = named.partition(":")
    if domain.toolkit is None or not domain.toolkit.trusted:
        raise ToolkitError("a check is code that runs on this machine; give --trust if you know it")
    if not name or file not in domain.toolkit.checks:
        raise ToolkitError(f"{named!r}: give `checks.py:function` or `…_checks.py:function`, a file beside the toolkit")
    function = getattr(_module(file, domain.toolkit.checks[file]), name, None)
    if not callable(function):
        raise ToolkitError(f"{file} has no function {name!r}")
    made: Check = function
    return made


@lru_cache(maxsize=64)
def _module(file: str, text: bytes) -> ModuleType:
    module = ModuleType("synthtools_task_checks")
    try:
        exec(compile(text, file, "exec"), module.__dict__)  # noqa: S102 - trusted: `find_check` has asked
    except Exception as error:
        raise ToolkitError(f"{file} cannot be imported: {described(error)}") from error
    return module
