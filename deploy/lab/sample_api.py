"""The platform's sample API: ``/health``, ``/health/ready`` and ``POST /api/v1/workflows`` with a bearer token.

Stands for what customers run: a connection pool on the write Service that checks a connection before it hands it out, and
503 when the database does not answer. Nothing in it knows about failovers.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
from pathlib import Path

import psycopg
from aiohttp import web
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

_WAIT_SECONDS = 8.0
_DOWN = (psycopg.Error, PoolTimeout, OSError)
_POOL = web.AppKey("pool", AsyncConnectionPool)


async def _ready(request: web.Request) -> web.Response:
    try:
        async with request.app[_POOL].connection(timeout=2) as connection:
            await connection.execute("select 1")
    except _DOWN as error:
        return web.json_response({"status": "unavailable", "why": str(error)}, status=503)
    return web.json_response({"status": "ready"})


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _create(request: web.Request) -> web.Response:
    token = _secret("API_TOKEN_FILE")
    if not hmac.compare_digest(request.headers.get("Authorization", ""), f"Bearer {token}"):
        return web.json_response({"error": "the bearer token is missing or wrong"}, status=401)
    name = str((await request.json()).get("name", ""))
    try:
        async with request.app[_POOL].connection() as connection:
            cursor = await connection.cursor(row_factory=dict_row).execute(
                "insert into workflows (name) values (%s) returning id", (name,)
            )
            row = await cursor.fetchone()
    except _DOWN as error:
        return web.json_response({"error": f"the database did not take it: {error}"}, status=503)
    return web.json_response({"id": row and row["id"], "name": name}, status=201)


async def _make_table(pool: AsyncConnectionPool) -> None:
    while True:
        try:
            async with pool.connection() as connection:
                await connection.execute(
                    "create table if not exists workflows (id bigint generated always as identity primary key, name text)"
                )
        except psycopg.errors.UniqueViolation:
            return  # the other replica made it at the same moment
        except _DOWN as error:
            logging.getLogger("api").warning("no database yet: %s", error)
            await asyncio.sleep(1)
        else:
            return


async def _with_pool(app: web.Application):  # type: ignore[no-untyped-def]  # noqa: ANN202 - aiohttp's context
    password = _secret("API_PASSWORD_FILE")
    pool = AsyncConnectionPool(
        os.environ["API_DATABASE"],
        kwargs={"password": password, "connect_timeout": 3},
        min_size=2,
        max_size=10,
        timeout=_WAIT_SECONDS,
        check=AsyncConnectionPool.check_connection,
        open=False,
    )
    app[_POOL] = pool
    await pool.open()
    making = asyncio.create_task(_make_table(pool))
    yield
    making.cancel()
    await pool.close()


def _secret(variable: str) -> str:
    return Path(os.environ[variable]).read_text(encoding="utf-8").strip()


def main() -> None:
    """Serve on port 8080 until SIGTERM; requests that are under way are finished."""
    logging.basicConfig(level=logging.INFO)
    app = web.Application()
    app.cleanup_ctx.append(_with_pool)
    app.router.add_get("/health", _health)
    app.router.add_get("/health/ready", _ready)
    app.router.add_post("/api/v1/workflows", _create)
    web.run_app(app, port=8080, access_log=None, shutdown_timeout=10)


if __name__ == "__main__":
    main()
