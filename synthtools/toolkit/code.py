"""A toolkit's Python, imported afresh: its modules are nobody else's, and its files lie in a folder of their own."""

from __future__ import annotations

import atexit
import importlib
import inspect
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

from synthtools.domain import ToolkitCode
from synthtools.toolkit.digest import files_digest
from synthtools.toolkit.fault import ToolkitError, one_line
from synthtools.toolkit.signature import Signature, signatures


@dataclass(frozen=True, slots=True)
class LoadedCode:
    """An imported toolkit: the class, its tools, and the classes whose instances its state may hold."""

    toolkit: type
    signatures: Mapping[str, Signature]
    types: Mapping[str, type]
    """`module:Name` → class."""
    has_worlds: bool
    """Whether `__init__` takes the number of a start world."""

    def begin(self, world: int) -> Any:
        """A new instance, at the start of a world. Raises ToolkitError when `__init__` does not come to its end."""
        try:
            return self.toolkit(world) if self.has_worlds else self.toolkit()
        except (Exception, SystemExit) as error:
            raise ToolkitError(f"{self.toolkit.__name__}.__init__ raised {described(error)}") from error


def load_code(code: ToolkitCode) -> LoadedCode:
    """Import a toolkit into a namespace of its own. Executes its code. Raises ToolkitError."""
    file, _, name = code.entry.partition(":")
    folder = _folder(code)
    with _importing(folder, code) as modules:
        try:
            module = importlib.import_module(file.removesuffix(".py"))
        except (Exception, SystemExit) as error:
            raise ToolkitError(f"{file}: cannot be imported: {described(error)}") from error
        toolkit = getattr(module, name, None)
        if not inspect.isclass(toolkit):
            raise ToolkitError(f"{file}: has no class {name!r}")
        found = signatures(toolkit)
        types = {_type_name(kind): kind for m in modules() for kind in _classes(m)}
    return LoadedCode(toolkit, found, types, _takes_world(toolkit, file))


def described(error: BaseException) -> str:
    """An exception and where it was raised, on one line."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    words = ", ".join(repr(part) if not isinstance(part, str) else part for part in error.args if isinstance(part, str | int | float | None))
    return f"{type(error).__name__}: {one_line(words)}{place}"


def _takes_world(toolkit: type, file: str) -> bool:
    taken = [p for p in inspect.signature(toolkit).parameters.values() if p.default is p.empty]
    if not taken:
        return False
    if len(taken) == 1 and taken[0].name == "world":
        return True
    raise ToolkitError(f"{file}: {toolkit.__name__}.__init__ takes {taken[0].name!r}; it takes nothing, or the number `world: int`")


def _type_name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _classes(owner: ModuleType | type, depth: int = 4) -> Iterator[type]:
    """The classes that a module defines, also inside classes."""
    module = owner.__name__ if isinstance(owner, ModuleType) else owner.__module__
    for member in list(vars(owner).values()):
        if inspect.isclass(member) and member.__module__ == module and depth:
            yield member
            yield from _classes(member, depth - 1)


@contextmanager
def _importing(folder: Path, code: ToolkitCode) -> Iterator[Any]:
    """Modules of the folder are found first, and are forgotten afterwards; gives a function that lists those imported."""
    names = {PurePosixPath(path).parts[0].removesuffix(".py") for path in code.files if path.endswith(".py")}
    for name in sorted(names & (sys.stdlib_module_names | {"synthtools", "envs", "agents"})):
        raise ToolkitError(f"{name}.py: hides the module {name!r} of Python or of this project; call the file otherwise")

    def ours() -> list[str]:
        return [name for name in sys.modules if name.partition(".")[0] in names]

    kept = {name: sys.modules.pop(name) for name in ours()}
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield lambda: [sys.modules[name] for name in ours()]
    finally:
        sys.path.remove(str(folder))
        sys.dont_write_bytecode = writes
        for name in ours():
            del sys.modules[name]
        sys.modules.update(kept)


def _folder(code: ToolkitCode) -> Path:
    """A folder that holds the toolkit's files: where they lie already, or one of this process, removed when the process ends."""
    if code.folder:
        return Path(code.folder)
    folder = _root(os.getpid()) / files_digest(code)[:24]
    if not folder.is_dir():
        part = Path(tempfile.mkdtemp(dir=folder.parent))
        for name, data in code.files.items():
            path = part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        part.rename(folder)
    return folder


@cache
def _root(pid: int) -> Path:
    root = Path(tempfile.mkdtemp(prefix="synthtools-toolkit-"))
    atexit.register(_remove, root, pid)
    return root


def _remove(root: Path, pid: int) -> None:
    if os.getpid() == pid:
        shutil.rmtree(root, ignore_errors=True)
