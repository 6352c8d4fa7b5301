"""What stands between a worker and an API server: it lets connections through, refuses them, or lets them hang."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self

_HOST = "127.0.0.1"


class Relay:
    """``async with Relay(port) as relay``: reached at ``relay.port``, for the server at ``port``."""

    def __init__(self, port: int) -> None:
        self._to, self.port, self._hangs = port, 0, False
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.allow()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()

    async def allow(self) -> None:
        """Let connections through."""
        self._hangs = False
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, _HOST, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Break what is open, and refuse what comes."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._break()

    async def hang(self) -> None:
        """Break what is open; take what comes, and never answer."""
        await self.allow()
        self._hangs = True
        self._break()

    def _break(self) -> None:
        for writer in self._open:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        with suppress(OSError, asyncio.CancelledError):
            if self._hangs:
                await asyncio.Event().wait()
            ahead, back = await asyncio.open_connection(_HOST, self._to)
            self._open.add(back)
            await asyncio.gather(_copy(reader, back), _copy(ahead, writer))
        writer.close()
        self._open.discard(writer)
        self._tasks.discard(task)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
