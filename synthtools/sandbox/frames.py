"""Frames between host and container: a length, then that many bytes; a total deadline, never an idle timer.

Towards the container a frame is marshalled (plain values of any kind, exactly as they are; only the host writes these).
From the container it is JSON, taken apart strictly: what comes out of a container is data from a stranger.
"""

from __future__ import annotations

import marshal
import socket
import struct
import time
from typing import Any

import orjson

MOST = 32 * 1024 * 1024
"""Bytes of one frame, at most."""
_LENGTH = struct.Struct("!I")
_CHUNK = 262_144


class Closed(ConnectionError):
    """The other side is gone."""


class Garbled(ValueError):
    """What came is not what this protocol says: too long, not JSON, or of another shape."""


def send(connection: socket.socket, payload: bytes, deadline: float | None = None) -> None:
    """Write one frame. Raises Closed, or TimeoutError at the deadline (a `time.monotonic()`)."""
    if len(payload) > MOST:
        raise Garbled(f"a frame of {len(payload)} bytes")
    try:
        connection.settimeout(_left(deadline))
        connection.sendall(_LENGTH.pack(len(payload)) + payload)
    except (BrokenPipeError, ConnectionError, ValueError, OSError) as error:
        if isinstance(error, TimeoutError):
            raise
        raise Closed(str(error)) from None


def receive(connection: socket.socket, deadline: float | None = None) -> bytes:
    """Read one frame. Raises Closed, Garbled, or TimeoutError at the deadline."""
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size, deadline))
    if length > MOST:
        raise Garbled(f"a frame of {length} bytes is announced")
    return _exactly(connection, length, deadline)


def _exactly(connection: socket.socket, count: int, deadline: float | None) -> bytes:
    parts: list[bytes] = []
    while count:
        try:
            connection.settimeout(_left(deadline))
            part = connection.recv(min(count, _CHUNK))
        except TimeoutError:
            raise
        except OSError as error:
            raise Closed(str(error)) from None
        if not part:
            raise Closed("the connection ended")
        parts.append(part)
        count -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _left(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left


def pack_order(order: Any) -> bytes:
    """An order to the container. Raises ValueError for values that are not plain."""
    return marshal.dumps(order)


def unpack_order(payload: bytes) -> Any:
    """An order, inside the container."""
    return marshal.loads(payload)  # noqa: S302 - from the host only


def pack_answer(answer: Any) -> bytes:
    """An answer to the host."""
    return orjson.dumps(answer)


def unpack_answer(payload: bytes) -> Any:
    """An answer, on the host. Raises Garbled for what is not JSON."""
    try:
        return orjson.loads(payload)
    except ValueError as error:
        raise Garbled(f"not JSON: {str(error)[:80]}") from None
