"""One connection to one Redis server process. All commands share it; answers come back in the order of the commands.

It never connects again by itself: a server that comes back at the same address may be another process, with other data
and another role. Whoever holds a link whose ``ended`` is set has to find the master anew.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import Any, Self

import redis.exceptions as refusals
from redis.asyncio import Connection

Address = tuple[str, int]
"""Host and port."""

ANSWERS = (refusals.ResponseError, refusals.BusyLoadingError, refusals.AuthenticationError)
"""Errors that a server sent as its answer; the connection goes on after them."""


class NotSentError(Exception):
    """The command did not leave: the link had ended before."""


class CutError(Exception):
    """The command left and its answer did not come. It may have been executed."""


def connection_to(address: Address, password: str | None) -> Connection:
    """Return a connection that is not open yet, tries nothing twice and has no deadlines of its own."""
    return Connection(
        host=address[0],
        port=address[1],
        password=password or None,
        protocol=2,
        decode_responses=True,
        driver_info=None,
        socket_timeout=None,
        socket_connect_timeout=None,
    )


async def connect(connection: Connection) -> None:
    """Open it; its password is checked.

    Raises:
        RedisError: nobody listens there, or the server refuses.
    """
    await connection.connect()  # type: ignore[no-untyped-call]  # redis-py gives it no types


def shown(address: Address) -> str:
    """Return ``host:port``."""
    return f"{address[0]}:{address[1]}"


class Link:
    """An open connection; a deadline that one command misses ends it for all."""

    def __init__(self, connection: Connection, address: Address) -> None:
        """Take over an open connection."""
        self.address = address
        self.ended = asyncio.Event()
        self._connection = connection
        self._pending: deque[asyncio.Future[Any]] = deque()
        self._retired = False
        self._why = ""
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, address: Address, password: str | None, within: float) -> Self:
        """Connect within so many seconds.

        Raises:
            RedisError: nobody listens there, or the server refuses, the password for instance.
            TimeoutError: nobody answers.
        """
        connection = connection_to(address, password)
        try:
            async with asyncio.timeout(within):
                await connect(connection)
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return cls(connection, address)

    @property
    def usable(self) -> bool:
        """Whether a command would leave."""
        return not self._retired and not self.ended.is_set() and bool(self._connection.is_connected)

    async def run(self, *command: str | bytes | float, within: float) -> Any:  # noqa: ANN401 - whatever Redis answers
        """Send one command and return its answer.

        Raises:
            NotSentError: the link had ended.
            CutError: it ended before the answer came, or no answer came within so many seconds.
            RedisError: the server answered with an error (``ANSWERS``), or the command cannot be encoded.
        """
        if not self.usable:
            raise NotSentError(self._why or f"the connection to {shown(self.address)} had ended")
        packed = self._connection.pack_command(*command)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending.append(answer)  # nothing may wait between here and the sending: the order is the only pairing
        try:
            async with asyncio.timeout(within):
                await self._connection.send_packed_command(packed)
                answered = await answer
        except TimeoutError:
            self.end(f"{shown(self.address)} did not answer within {within:.1f} s")
            raise CutError(self._why) from None
        except (refusals.ConnectionError, OSError) as error:
            self.end(f"the connection to {shown(self.address)} ended: {error}")
            raise CutError(self._why) from error
        if isinstance(answered, Exception):
            raise answered
        return answered

    def retire(self) -> None:
        """Take no more commands; end when the answers that are still to come have come."""
        self._retired = True
        if not self._pending:
            self.end(f"{shown(self.address)} is not the master any more")

    def end(self, why: str) -> None:
        """Close at once. Commands without an answer get ``CutError``. Safe to repeat."""
        if self.ended.is_set():
            return
        self._why = why
        self.ended.set()
        if asyncio.current_task() is not self._reader:
            self._reader.cancel()
        for answer in self._pending:
            if not answer.done():
                answer.set_result(CutError(why))

    async def close(self) -> None:
        """End, and wait until it is closed."""
        self.end("closed")
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        try:
            while not (self._retired and not self._pending):
                answered = await self._next()
                answer = self._pending.popleft()
                if not answer.done():
                    answer.set_result(answered)
            self.end(f"{shown(self.address)} is not the master any more")
        except (refusals.RedisError, OSError, IndexError) as error:
            self.end(f"the connection to {shown(self.address)} ended: {error}")
        finally:
            await self._connection.disconnect(nowait=True)

    async def _next(self) -> Any:  # noqa: ANN401 - whatever Redis answers
        try:
            return await self._connection.read_response(timeout=math.inf, disconnect_on_error=False)
        except ANSWERS as answered:
            return answered
