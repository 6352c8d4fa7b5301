"""The platform's sample API: ``/health``, ``/health/ready`` and ``POST /api/v1/workflows`` with a bearer token.

Stands for what customers run. A workflow goes to PostgreSQL, and to Redis where the platform has it; both through the
reference clients, which are all that knows about failovers here. 503 when one of them does not take the write within its
deadline: then the row may be there without its hash, and whoever sends the request again gets another row.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import psycopg
from aiohttp import web
from redis.exceptions import RedisError

from deploy.clients.errors import InDoubtError, NotAcknowledgedError
from deploy.clients.postgres_client import PostgresClient, PostgresSettings
from deploy.clients.postgres_connection import Connection
from deploy.clients.redis_client import RedisClient, RedisSettings

_DATABASE_SECONDS, _REDIS_SECONDS, _READY_SECONDS = 8.0, 6.0, 2.0
_DOWN = (NotAcknowledgedError, psycopg.Error, RedisError)
_DATABASE = web.AppKey("database", PostgresClient)
_REDIS = web.AppKey("redis", RedisClient)
_TABLE = "create table if not exists workflows (id bigint generated always as identity primary key, name text)"


async def _ready(request: web.Request) -> web.Response:
    """Answer 200 when everything that is configured answers; 503 says what does not."""
    asked = {"postgresql": request.app[_DATABASE].repeat(_select_one, within=_READY_SECONDS)}
    if _REDIS in request.app:
        asked["redis"] = request.app[_REDIS].repeat("PING", within=_READY_SECONDS)
    answers = await asyncio.gather(*(_why_not(one) for one in asked.values()))
    missing = {name: why for name, why in zip(asked, answers, strict=True) if why}
    told = {"redis": "not configured"} if _REDIS not in request.app else {}
    if missing:
        return web.json_response({"status": "unavailable", "missing": missing, **told}, status=503)
    return web.json_response({"status": "ready", **told})


async def _why_not(asked: Awaitable[object]) -> str:
    try:
        await asked
    except _DOWN as error:
        return str(error) or type(error).__name__
    return ""


async def _select_one(connection: Connection) -> None:
    await connection.execute("select 1")


async def _tell_region(_: web.Request, response: web.StreamResponse) -> None:
    """Say which region has answered, where the platform has more than one."""
    if region := os.environ.get("API_REGION"):
        response.headers["x-region"] = region


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _create(request: web.Request) -> web.Response:
    token = _secret("API_TOKEN_FILE")
    if not hmac.compare_digest(request.headers.get("Authorization", ""), f"Bearer {token}"):
        return web.json_response({"error": "the bearer token is missing or wrong"}, status=401)
    name = str((await request.json()).get("name", ""))
    asked = "the database"
    try:
        number = await request.app[_DATABASE].write(lambda connection: _insert(connection, name))
        if _REDIS in request.app:
            asked = "Redis"
            await request.app[_REDIS].repeat("HSET", f"workflow:{number}", "name", name)
    except _DOWN as error:
        outcome = "may have taken it" if isinstance(error, InDoubtError) else "did not take it"
        return web.json_response({"error": f"{asked} {outcome}: {error}"}, status=503)
    return web.json_response({"id": number, "name": name}, status=201)


async def _insert(connection: Connection, name: str) -> int:
    cursor = await connection.execute("insert into workflows (name) values (%s) returning id", (name,))
    ((number,),) = await cursor.fetchall()
    return int(number)


async def _make_table(database: PostgresClient) -> None:
    while True:
        try:
            await database.repeat(lambda connection: connection.execute(_TABLE))
        except psycopg.errors.UniqueViolation:
            return  # the other replica made it at the same moment
        except _DOWN as error:
            logging.getLogger("api").warning("no database yet: %s", error)
            await asyncio.sleep(1)
        else:
            return


async def _with_clients(app: web.Application) -> AsyncIterator[None]:
    settings = PostgresSettings(os.environ["API_DATABASE"], _secret("API_PASSWORD_FILE"), total_seconds=_DATABASE_SECONDS)
    redis = redis_settings()
    async with AsyncExitStack() as clients:
        app[_DATABASE] = await clients.enter_async_context(PostgresClient(settings))
        if redis:
            app[_REDIS] = await clients.enter_async_context(RedisClient(redis))
        making = asyncio.create_task(_make_table(app[_DATABASE]))
        yield
        making.cancel()


def redis_settings() -> RedisSettings | None:
    """Return where Redis is; None when the platform has no Sentinels. A password file that is not there is no password."""
    settings = RedisSettings.from_environment(os.environ, password=None)
    if not settings.sentinels:
        return None
    file = Path(os.environ.get("API_REDIS_PASSWORD_FILE", ""))
    password = file.read_text(encoding="utf-8").strip() if file.is_file() else None
    return replace(settings, password=password, total_seconds=_REDIS_SECONDS)


def _secret(variable: str) -> str:
    return Path(os.environ[variable]).read_text(encoding="utf-8").strip()


def application() -> web.Application:
    """Return the API, configured by its environment when it starts."""
    app = web.Application()
    app.on_response_prepare.append(_tell_region)
    app.cleanup_ctx.append(_with_clients)
    app.router.add_get("/health", _health)
    app.router.add_get("/health/ready", _ready)
    app.router.add_post("/api/v1/workflows", _create)
    return app


def main() -> None:
    """Serve on port 8080 until SIGTERM; requests that are under way are finished."""
    logging.basicConfig(level=logging.INFO)
    web.run_app(application(), port=8080, access_log=None, shutdown_timeout=10)


if __name__ == "__main__":
    main()
