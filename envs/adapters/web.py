"""A web application served by a thread of this process as long as a block lasts."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import uvicorn

GRACE = 5
"""Seconds in which requests are answered that came before the end."""
IDLE = 600
"""Seconds that a connection is kept on which nothing comes: agents think between calls, and a call must not meet its end."""
LONGEST = 16 * 2**20
"""Bytes of a websocket's message, at most."""


def listen(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """A socket that listens; port 0: any that is free. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio leaves Nagle's delay on: 40 ms an answer
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


@contextmanager
def serving(app: Any, listener: socket.socket, ended: Callable[[], object] = lambda: None) -> Iterator[str]:
    """The URL under which an application answers; at the end of the block requests are answered, connections closed. `ended` is called then.

    RuntimeError where the server ends by itself.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=IDLE,
        ws_max_size=LONGEST,
        ws_ping_interval=None,
        lifespan="on",
    )
    server = uvicorn.Server(config)

    def run() -> None:
        try:
            server.run(sockets=[listener])
        finally:
            ended()

    thread = Thread(target=run, name="web", daemon=True)
    thread.start()
    try:
        while not server.started:
            thread.join(0.005)
            if not thread.is_alive():
                raise RuntimeError("the server ended before it began")
        host, port = listener.getsockname()[:2]
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}"
        if not thread.is_alive():
            raise RuntimeError("the server has ended by itself")
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
