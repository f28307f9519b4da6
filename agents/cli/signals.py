"""How a command that serves is told to end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType


@contextmanager
def signals() -> Iterator[Event]:
    """An event that SIGINT and SIGTERM set, and that may be set otherwise; in the main thread alone."""
    event = Event()

    def told(_: int, __: FrameType | None) -> None:
        event.set()

    before = {number: signal.signal(number, told) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
