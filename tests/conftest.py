"""What holds for every test: nothing outside this machine is reached, and Hypothesis draws the same examples each time."""

from __future__ import annotations

import sys
from typing import Any

from hypothesis import settings

collect_ignore = ["adapters"]
"""Each has an environment of its own: `make test-adapters`."""
_LOCAL = ("localhost", "127.0.0.1", "::1", "0.0.0.0", "")


def _only_loopback(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: stop a test that looks up or connects to another machine. Unix sockets have no host."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    name = host.decode() if isinstance(host, bytes) else host or ""
    if name not in _LOCAL:
        raise RuntimeError(f"a test reached for {name!r}; tests use this machine only")


sys.addaudithook(_only_loopback)
settings.register_profile("steady", derandomize=True, deadline=None, database=None, print_blob=False)
settings.load_profile("steady")
