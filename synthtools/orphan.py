"""Worker processes that end with the process that started them, even when that was killed, and at once when it is interrupted."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context

EVERY = 0.5
"""Seconds between two looks."""


@contextmanager
def crew(count: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of forked processes (which leave no semaphores behind when all is killed); an error in the block ends what they do."""
    others = active_children()
    pool = ProcessPoolExecutor(count, mp_context=get_context("fork"), initializer=_end_with_parent)
    try:
        yield pool
    except BaseException:
        for process in active_children():
            if process not in others:
                process.terminate()
        pool.shutdown(cancel_futures=True)  # waits for its thread, which would otherwise wake after its pipes are gone
        raise
    pool.shutdown()


def _end_with_parent() -> None:
    """Pool workers hold each other's pipes open and would wait for ever; and Ctrl-C is their parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(EVERY)
    os._exit(1)
