"""A client that writes through the virtual endpoint as an application does, and knows which rows were acknowledged."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import NamedTuple, Self

import psycopg

from deploy.lab.azure.pair import APPLICATION, PRIMARY, WRITER, AzurePair

_EVERY_SECONDS, _WITHIN_SECONDS = 0.02, 1


class Missing(NamedTuple):
    """Acknowledged rows that the server behind the endpoint does not have, and how long their writing took."""

    rows: int
    seconds: float


class Writer:
    """``async with Writer(azure) as writer``: one row every 20 ms, over a connection that it opens anew when it breaks."""

    def __init__(self, azure: AzurePair) -> None:
        """Write through the endpoint of ``azure``."""
        self._azure = azure
        self._acknowledged: dict[int, float] = {}
        """Row → when its commit returned (monotonic seconds)."""
        self._task: asyncio.Task[None] | None = None

    @property
    def acknowledged(self) -> int:
        """How many rows were acknowledged."""
        return len(self._acknowledged)

    async def missing(self) -> Missing:
        """Look every acknowledged row up."""
        async with await self._connected() as connection:
            found = {row for (row,) in await (await connection.execute("select row from written")).fetchall()}
        lost = [at for row, at in self._acknowledged.items() if row not in found]
        return Missing(len(lost), max(lost) - min(lost) if lost else 0.0)

    async def forget_missing(self) -> None:
        """Count from now on only what is lost from now on."""
        async with await self._connected() as connection:
            found = {row for (row,) in await (await connection.execute("select row from written")).fetchall()}
        self._acknowledged = {row: at for row, at in self._acknowledged.items() if row in found}

    async def __aenter__(self) -> Self:
        """Make the table, and begin."""
        async with await self._connected() as connection:
            await connection.execute("create table written (row int primary key)")
        self._task = asyncio.create_task(self._write())
        return self

    async def __aexit__(self, *_: object) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _write(self) -> None:
        row = 0
        while True:
            with suppress(psycopg.Error, OSError, TimeoutError):
                async with await self._connected() as connection:
                    while True:
                        row += 1
                        async with asyncio.timeout(_WITHIN_SECONDS):
                            await connection.execute("insert into written values (%s)", (row,))
                        self._acknowledged[row] = time.monotonic()
                        await asyncio.sleep(_EVERY_SECONDS)
            await asyncio.sleep(_EVERY_SECONDS)

    async def _connected(self) -> psycopg.AsyncConnection[tuple[int]]:
        """Ask DNS where the endpoint leads, and connect there."""
        async with asyncio.timeout(_WITHIN_SECONDS):
            return await psycopg.AsyncConnection.connect(
                host=await self._azure.resolve(WRITER),
                port=self._azure.servers.address(PRIMARY).port,
                user=APPLICATION.user, password=APPLICATION.password, dbname=APPLICATION.database,
                autocommit=True,
            )  # fmt: skip
