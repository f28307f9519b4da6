"""What is built once and used by every process: files named by what went into them, under the user's cache folder.

`SYNTHTOOLS_CACHE` names another folder; empty, it turns the cache off. A file that is damaged or not to be trusted with
its own checksum is built again; a folder that cannot be written is done without.
"""

from __future__ import annotations

import hashlib
import os
import platform
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import apsw

_SUM = 32


def cache_folder() -> Path | None:
    """Where built things are kept, or None when they are not."""
    named = os.environ.get("SYNTHTOOLS_CACHE")
    if named is not None:
        return Path(named) if named else None
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "synthtools"


@cache
def code_version() -> str:
    """Of this package and of SQLite: what a change of either could make otherwise is built anew."""
    here = Path(__file__).parent
    files = sorted([*here.glob("*.py"), *here.glob("pools/*")])
    content = hashlib.sha256(b"".join(file.read_bytes() for file in files if file.is_file()))
    return f"{content.hexdigest()}/{apsw.sqlite_lib_version()}/{platform.python_version()}"


def remembered(kind: str, key: str, build: Callable[[], bytes]) -> bytes:
    """The bytes kept under a key, built and kept if they are not there."""
    folder = cache_folder()
    if folder is None:
        return build()
    file = folder / kind / hashlib.sha256(key.encode()).hexdigest()
    kept = _read(file)
    if kept is not None:
        return kept
    built = build()
    _keep(file, built)
    return built


def _read(file: Path) -> bytes | None:
    """The bytes of a file of ours that is whole, and that nobody else could have written."""
    try:
        facts = file.stat()
        if facts.st_uid != os.getuid() or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return None
        data = file.read_bytes()
    except OSError:
        return None
    return data[_SUM:] if hashlib.sha256(data[_SUM:]).digest() == data[:_SUM] else None


def _keep(file: Path, data: bytes) -> None:
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary.write_bytes(hashlib.sha256(data).digest() + data)
        temporary.chmod(0o600)
        temporary.replace(file)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
