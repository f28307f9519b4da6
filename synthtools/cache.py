"""What is built once and used by every process: files named by what went into them, under the user's cache folder.

`SYNTHTOOLS_CACHE` names another folder; empty, it turns the cache off. A file that is damaged, of another key or open to
others is built again; a folder that cannot be written, or that others can write, is done without.
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
    if folder is None or not _closed(folder) or not _closed(folder / kind):
        return build()
    name = hashlib.sha256(key.encode())
    seal = hashlib.sha256(kind.encode() + b"\0" + name.digest()).digest()
    file = folder / kind / name.hexdigest()
    kept = _read(file, seal)
    if kept is not None:
        return kept
    built = build()
    _keep(file, seal, built)
    return built


def _closed(folder: Path) -> bool:
    """Whether a folder, made if it is not there, is ours and nobody else can put files into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return stat.S_ISDIR((facts := folder.stat()).st_mode) and _ours(facts)
    except OSError:
        return False


def _ours(facts: os.stat_result) -> bool:
    return facts.st_uid == os.getuid() and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _read(file: Path, seal: bytes) -> bytes | None:
    """The bytes of a file of ours that is whole, that was kept under this key, and that nobody else could have written."""
    try:
        with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
            facts = os.fstat(opened.fileno())
            data = opened.read() if stat.S_ISREG(facts.st_mode) and _ours(facts) else b""
    except OSError:
        return None
    return data[_SUM:] if _sum(seal, memoryview(data)[_SUM:]) == data[:_SUM] else None


def _sum(seal: bytes, data: bytes | memoryview) -> bytes:
    """Of the key and the bytes, so that a file moved to another key is refused."""
    total = hashlib.sha256(seal)
    total.update(data)
    return total.digest()


def _keep(file: Path, seal: bytes, data: bytes) -> None:
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        temporary.write_bytes(_sum(seal, data) + data)
        temporary.chmod(0o600)
        temporary.replace(file)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
