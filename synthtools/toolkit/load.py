"""Toolkits by file: the class, and the files that lie beside it."""

from __future__ import annotations

import ast
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path
from typing import Any

from synthtools.backends import refuse_no_engine
from synthtools.catalog import splits
from synthtools.domain import Domain, ToolkitCode
from synthtools.toolkit.check import NAMES
from synthtools.toolkit.describe import describe, toolkit_domain
from synthtools.toolkit.description import blank_domain
from synthtools.toolkit.fault import ToolkitError

MAX_BYTES = 64 * 2**20
"""Of all files of a toolkit together."""
MAX_FILES = 2000
KEPT_OUT = ("tasks.yaml", "*_tasks.yaml", "checks.py", "*_checks.py", ".*", "*.pyc", "*.part")
"""What never belongs to the code: tasks hold solutions, and checks decide; neither goes where the tools run."""


def _split(name: str | Path) -> tuple[Path, str]:
    path, _, kind = str(name).partition(".py:")
    return (Path(f"{path}.py"), kind) if kind else (Path(name), "")


def load_toolkit(name: str | Path, *, trust: bool = False) -> Domain:
    """The domain of a toolkit's file. With `trust` its code runs in this process, else in a container.

    Raises ToolkitError with one line, and EngineError where a container is needed and cannot be had.
    """
    return domain_of(read_code(name), trust=trust)


def domain_of(code: ToolkitCode, *, trust: bool) -> Domain:
    """The domain of a toolkit's code; described once a process."""
    return _described(replace(code, trusted=trust).entry, _Hashed(replace(code, trusted=trust)))


class _Hashed:
    """Code that can be a key: equal where its files are."""

    def __init__(self, code: ToolkitCode) -> None:
        self.code = code
        self._key = (code.entry, code.trusted, frozenset(code.files.items()), frozenset(code.checks.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=8)
def _described(_entry: str, hashed: _Hashed) -> Domain:
    code = hashed.code
    if code.trusted:
        description: Mapping[str, Any] = describe(code)
    else:
        from synthtools.sandbox import describe_contained

        refuse_no_engine([blank_domain(code)])
        description = describe_contained(blank_domain(code))
    domain = toolkit_domain(description, code, "train")
    return replace(domain, split=splits().get(domain.field, "train"))


def read_code(name: str | Path) -> ToolkitCode:
    """A toolkit's code as it lies on disk; nothing of it is run. Raises ToolkitError."""
    path, kind = _split(name)
    if not path.is_file():
        raise ToolkitError(f"{path}: there is no such file")
    folder = path.parent
    files: dict[str, bytes] = {}
    size = 0
    for entry in _beside(folder):
        files[entry.relative_to(folder).as_posix()] = data = _content(entry)
        size += len(data)
        if size > MAX_BYTES or len(files) > MAX_FILES:
            raise ToolkitError(f"{folder}: more than {MAX_BYTES >> 20} MiB or {MAX_FILES} files lie beside {path.name}; give it a folder of its own")
    if path.name not in files:
        raise ToolkitError(f"{path}: must be a regular file that is not named like tasks or checks")
    checks = {entry.name: _content(entry) for entry in sorted(folder.iterdir()) if any(fnmatch(entry.name, name) for name in NAMES)}
    return ToolkitCode(f"{path.name}:{kind or _only_class(path, files[path.name])}", files, checks)


def _beside(folder: Path) -> Iterator[Path]:
    """The regular files beside a toolkit, in its packages and in `data`; links are not followed."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if any(fnmatch(entry.name, pattern) for pattern in KEPT_OUT):
            continue
        if entry.is_file(follow_symlinks=False):
            yield Path(entry.path)
        elif entry.is_dir(follow_symlinks=False) and entry.name != "__pycache__":
            inner = Path(entry.path)
            if entry.name == "data" or folder.name == "data" or (inner / "__init__.py").is_file():
                yield from _beside(inner)


def _content(path: Path) -> bytes:
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise ToolkitError(f"{path}: cannot be read: {error.strerror}") from None
    with open(number, "rb") as file:
        told = os.fstat(number)
        if not stat.S_ISREG(told.st_mode) or told.st_size > MAX_BYTES:
            raise ToolkitError(f"{path}: is no regular file of at most {MAX_BYTES >> 20} MiB; give the toolkit a folder of its own")
        return file.read(MAX_BYTES + 1)


def _only_class(path: Path, text: bytes) -> str:
    """The one class with marked methods, found without running anything."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise ToolkitError(f"{path}:{getattr(error, 'lineno', 1) or 1}: is not Python: {error}") from None
    found = [node.name for node in tree.body if isinstance(node, ast.ClassDef) and any(map(_is_marked, node.body))]
    if not found:
        raise ToolkitError(f"{path}: no class in it has methods marked with @tool; add `from synthtools.toolkit import tool`, and mark some")
    if len(found) > 1:
        raise ToolkitError(f"{path}: holds {', '.join(found)}; say which: {path}:{found[0]}")
    return found[0]


def _is_marked(node: ast.stmt) -> bool:
    """Whether a statement is a method under `@tool`."""
    for decorator in getattr(node, "decorator_list", ()):
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if getattr(called, "id", getattr(called, "attr", "")) == "tool":
            return True
    return False
