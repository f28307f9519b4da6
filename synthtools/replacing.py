"""Files that are replaced whole: a reader, or a kill, finds the old one or the new one and nothing between."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the path's place, whole and synced, when the block ends well; else nothing is changed."""
    part = new_part(path)
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def new_part(path: Path) -> Path:
    """Where this process makes what is to take the path's place; what processes that are gone left there is removed."""
    mine = os.getpid()
    for part in path.parent.glob(f".{path.name}.*.part"):
        owner = part.name.removesuffix(".part").rpartition(".")[2]
        if owner.isdigit() and (int(owner) == mine or not _lives(int(owner))):
            _remove(part)
    return path.with_name(f".{path.name}.{mine}.part")


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _remove(part: Path) -> None:
    if part.is_dir() and not part.is_symlink():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)
