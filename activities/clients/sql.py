"""A session of any SQL client: opened for one question; how it failed is said in the errors of the ports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row

from activities.clients.ports import WriteFailedError
from gate.postgres.session import open_session

Row = dict[str, Any]
_DURABLE = {"synchronous_commit": "on"}
"""A write of ours proves or measures what an acknowledged commit is worth, however weakly our role is set to commit."""


@asynccontextmanager
async def session(
    within: timedelta,
    **where: Any,  # noqa: ANN401 - psycopg's own arguments
) -> AsyncIterator[psycopg.AsyncConnection[Row]]:
    """Connect to ``where``, and close at the end of the block. TimeoutError: it all took longer than ``within``."""
    async with asyncio.timeout(within.total_seconds()):
        connection = await open_session(_DURABLE, application_name="failover", row_factory=dict_row, **where)
        try:
            yield connection
        finally:
            await connection.close()


@contextmanager
def acknowledged(within: timedelta) -> Iterator[None]:
    """Raise WriteFailedError when the block fails: not acknowledged, with its SQLSTATE or the exception's name."""
    try:
        yield
    except TimeoutError as error:
        raise WriteFailedError("timeout", f"no acknowledgement within {within.total_seconds():g} s") from error
    except psycopg.Error as error:
        raise WriteFailedError(error.sqlstate or type(error).__name__, str(error)) from error
    except OSError as error:
        raise WriteFailedError(type(error).__name__, str(error)) from error
