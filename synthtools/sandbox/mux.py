"""Many connections over one pair of streams: the fallback where a container can share no socket with the host.

The same on both sides. A chunk is a channel's number, a length and that many bytes; a length of 0 closes the channel,
and channel numbers are given by the side that opens them, with a name that the other side waits for.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import struct
import threading
from collections.abc import Callable

_HEAD = struct.Struct("!II")
_CHUNK = 65_536
_OPENS = 0xFFFFFFFF
"""In place of a channel's number: what follows is the number of a new channel, and its name."""


class Mux:
    """Channels over two file descriptors; each end of a channel is an ordinary socket."""

    def __init__(self, incoming: int, outgoing: int, opened: Callable[[bytes, socket.socket], None] | None = None) -> None:
        """`opened` is told of channels that the other side opens: their name, and our end."""
        self._incoming, self._outgoing, self._opened = incoming, outgoing, opened
        self._channels: dict[int, socket.socket] = {}
        self._lock = threading.Lock()
        self._next = 1
        self._selector = selectors.DefaultSelector()
        self._wake, self._waker = socket.socketpair()
        self._selector.register(self._wake, selectors.EVENT_READ, -1)

    def start(self) -> None:
        """Begin to carry, in two threads that end with the streams."""
        threading.Thread(target=self._carry_in, daemon=True).start()
        threading.Thread(target=self._carry_out, daemon=True).start()

    def open(self, name: bytes) -> socket.socket:
        """A new channel of that name; our end of it."""
        with self._lock:
            number = self._next
            self._next += 1
        ours = self._add(number)
        self._write(_OPENS, _HEAD.pack(number, 0) + name)
        return ours

    def _add(self, number: int) -> socket.socket:
        ours, inner = socket.socketpair()
        with self._lock:
            self._channels[number] = inner
        self._selector.register(inner, selectors.EVENT_READ, number)
        with contextlib.suppress(OSError):
            self._waker.send(b"+")
        return ours

    def _write(self, number: int, data: bytes) -> None:
        chunk = _HEAD.pack(number, len(data)) + data
        with self._lock:
            while chunk:
                chunk = chunk[os.write(self._outgoing, chunk) :]

    def _drop(self, number: int) -> None:
        with self._lock:
            inner = self._channels.pop(number, None)
        if inner is not None:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(inner)
            inner.close()

    def _carry_out(self) -> None:
        """From our ends to the other side."""
        while True:
            for key, _ in self._selector.select():
                if key.data == -1:
                    if self._wake.recv(4096) == b"":
                        self._selector.close()
                        self._wake.close()
                        return
                    continue
                try:
                    data = key.fileobj.recv(_CHUNK)  # type: ignore[union-attr]
                except OSError:
                    data = b""
                try:
                    self._write(key.data, data)
                except OSError:
                    return
                if not data:
                    self._drop(key.data)

    def _carry_in(self) -> None:
        """From the other side to our ends."""
        try:
            while True:
                number, length = _HEAD.unpack(self._exactly(_HEAD.size))
                if length > 2 * _CHUNK:
                    break
                data = self._exactly(length)
                if number == _OPENS:
                    opened, _ = _HEAD.unpack(data[: _HEAD.size])
                    ours = self._add(opened)
                    if self._opened is not None:
                        self._opened(data[_HEAD.size :], ours)
                elif number in self._channels:
                    if data:
                        with contextlib.suppress(OSError):
                            self._channels[number].sendall(data)
                    else:
                        self._drop(number)
        except (OSError, EOFError, struct.error):
            pass
        for number in list(self._channels):
            self._drop(number)
        os.close(self._incoming)
        self._waker.close()

    def _exactly(self, count: int) -> bytes:
        parts = []
        while count:
            part = os.read(self._incoming, count)
            if not part:
                raise EOFError
            parts.append(part)
            count -= len(part)
        return b"".join(parts)
