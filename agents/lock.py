"""The lock of a run's folder: one writer at a time, of this process or another."""

from __future__ import annotations

import fcntl
import time
from pathlib import Path
from typing import IO

NAME = "run.lock"
PATIENCE = 1.0
"""Seconds to wait for the helpers of a process that was killed to notice."""


class Locked(ValueError):
    """Somebody else is writing to the folder; the message is one line for people."""


def lock(folder: Path) -> IO[bytes]:
    """The lock of a folder, made if it is not there, until the file that is returned is closed. Raises Locked."""
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / NAME).open("wb")
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() < deadline:
                time.sleep(PATIENCE / 10)
                continue
            file.close()
            raise Locked(f"{folder}: another process is writing to this run; wait for it, or give another --out") from None
        return file
