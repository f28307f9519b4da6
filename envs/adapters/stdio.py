"""An MCP server over this process's stdin and stdout, which ends well: when its client leaves, and at a signal."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any, cast

import anyio
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.stdio import stdio_server

LONGEST = 16 * 2**20
"""Bytes of a line, at most."""


async def serve_stdio(server: Server[Any]) -> None:
    """Serve one client until it closes its end, or SIGINT or SIGTERM comes; calls that were begun are made whole. Asyncio only."""
    lines, transport = await _stdin()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, transport.close)
    try:
        async with stdio_server(stdin=cast(anyio.AsyncFile[str], lines)) as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options(NotificationOptions(tools_changed=True)))
    finally:
        transport.close()


async def _stdin() -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    """The lines of stdin. The SDK would read them in a thread, which no signal ends."""
    reader = asyncio.StreamReader(limit=LONGEST)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    return reader, transport
