"""Worker processes that end when the process that started them is gone, even when that was killed."""

from __future__ import annotations

import os
import threading
import time

EVERY = 0.5
"""Seconds between two looks."""


def end_with_parent() -> None:
    """Called in a worker of a process pool: pool workers hold each other's pipes open and would wait for ever."""
    parent = os.getppid()
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(EVERY)
    os._exit(1)
