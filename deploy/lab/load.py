"""Load on a lab, as customers make it, and the checker that asks whether two servers take writes at one moment.

Runs inside the hub, where service and pod addresses are reachable, until it gets SIGTERM or SIGINT; then it prints one
JSON document. After its settings it reads lines ``MEMBER ADDRESS`` for pods that were made anew. Three clients side by side:

- *rows*: a new client every 20 ms, with a connection through the write Service for its one row; the longest gap is the
  outage, acknowledged rows that are missing at the end are the loss. Nobody waits for the one before: a client that began
  while the address led nowhere goes on for a second, and the next one's way may be open long before;
- *api*: ``POST /api/v1/workflows`` through the sample API's Service (``deploy.lab.api_load``);
- *checker*: a COMMIT at ``synchronous_commit = local`` on each server by its own address. A server that answers it takes
  writes. Two that take turns faster than a switch could move are two writers.

Where the settings name Redis, two more: ``deploy.lab.redis_load``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Any

import psycopg
from pydantic import BaseModel

from deploy.clients.redis_client import RedisClient
from deploy.lab import redis_load
from deploy.lab.api_load import calls
from deploy.lab.redis_load import RedisLoadSettings

_ROW_EVERY, _ASK_EVERY = 0.02, 0.005
_GAPS = 5
_READY_WITHIN = 60
_TURN_SECONDS = 0.1
"""A switch stops one server before it promotes the other, which has not taken less than 0.15 s here."""


class LoadSettings(BaseModel):
    """Where the clients go."""

    write_address: str
    api_address: str = ""
    """Empty: nobody calls the API."""
    members: dict[str, str]
    """Member → pod address."""
    password: str
    token: str = ""
    run: str
    redis: RedisLoadSettings | None = None
    """None: nobody writes to Redis."""


@dataclass
class Seen:
    """What the clients saw. Times are ``time.time()``."""

    acknowledged: list[tuple[int, float]] = field(default_factory=list)
    row_errors: dict[str, int] = field(default_factory=dict)
    api_ok: int = 0
    api_errors: list[tuple[float, str]] = field(default_factory=list)
    commits: list[tuple[float, float, str]] = field(default_factory=list)
    """Checker: (asked, answered, member) of every COMMIT that returned."""
    asked: dict[str, int] = field(default_factory=dict)
    redis: redis_load.RedisSeen = field(default_factory=redis_load.RedisSeen)


def longest_gaps(acknowledged: list[tuple[int, float]]) -> list[tuple[float, float, float]]:
    """Return (seconds, from, to) of the longest times without an acknowledged row, the longest first."""
    times = [at for _, at in acknowledged]
    pairs = [(after - before, before, after) for before, after in pairwise(times)]
    return sorted(pairs, reverse=True)[:_GAPS]


def two_writers(commits: list[tuple[float, float, str]]) -> list[str]:
    """Return a sentence for each moment at which two servers took writes.

    A violation is a commit on another server between two commits of one server that are close together, or two that
    overlap in time.
    """
    ordered = sorted(commits)
    found = []
    for earlier, later in pairwise(ordered):
        if earlier[2] != later[2] and later[0] < earlier[1] - 0.001 and later[1] < earlier[1] + _TURN_SECONDS:
            found.append(f"{earlier[2]} and {later[2]} both answered at {later[1]:.3f}")
    for first, other, again in zip(ordered, ordered[1:], ordered[2:], strict=False):
        if first[2] == again[2] != other[2] and again[0] - first[1] < _TURN_SECONDS:
            found.append(f"{other[2]} took a write at {other[1]:.3f} between two of {first[2]}")
    return found


async def _rows(settings: LoadSettings, seen: Seen) -> None:
    async with asyncio.TaskGroup() as clients:
        for number in count():
            clients.create_task(_row(settings, seen, number))
            await asyncio.sleep(_ROW_EVERY)


async def _row(settings: LoadSettings, seen: Seen, number: int) -> None:
    try:
        async with asyncio.timeout(1), await _connect(settings, settings.write_address) as connection:
            await connection.execute("insert into lab_rows values (%s, %s)", (settings.run, number))
        seen.acknowledged.append((number, time.time()))
    except (psycopg.Error, OSError, TimeoutError) as error:
        name = type(error).__name__
        seen.row_errors[name] = seen.row_errors.get(name, 0) + 1


async def _follow_pods(settings: LoadSettings) -> None:
    """Learn the new addresses of pods that are made anew."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        member, _, address = line.decode().strip().partition(" ")
        for members in (settings.members, settings.redis.members if settings.redis else {}):
            if member in members and address:
                members[member] = address


async def _check(settings: LoadSettings, seen: Seen, member: str) -> None:
    """Write to one member whenever it takes writes.

    A server that says that it takes none is not tried: its log would grow by 24 kB/s and hide what its gate says.
    """
    connection, address = None, ""
    while True:
        if address != settings.members[member]:
            connection, address = None, settings.members[member]
        asked = time.time()
        seen.asked[member] = seen.asked.get(member, 0) + 1
        try:
            async with asyncio.timeout(2):
                if connection is None:
                    connection = await _connect(settings, address)
                    await connection.execute("set synchronous_commit = local")
                if await _takes_writes(connection):
                    await connection.execute("insert into lab_checks values (%s)", (member,))
                    seen.commits.append((asked, time.time(), member))
        except psycopg.errors.ReadOnlySqlTransaction:
            pass
        except (psycopg.Error, OSError, TimeoutError):
            connection = None
        await asyncio.sleep(_ASK_EVERY)


async def _takes_writes(connection: psycopg.AsyncConnection[Any]) -> bool:
    row = await (await connection.execute("show transaction_read_only")).fetchone()
    return row == ("off",)


async def _connect(settings: LoadSettings, address: str) -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(
        host=address, user="app", password=settings.password, dbname="aiagent_prod", autocommit=True, connect_timeout=2
    )


async def _prepare(settings: LoadSettings) -> None:
    """Make the tables; wait for a Service that leads nowhere, as after the API server was away, or to a standby.

    To a standby: a source port that a client before this one has used in vain is still bound to the server of that time,
    for two minutes (``nf_conntrack_tcp_timeout_syn_sent``).
    """
    deadline = time.monotonic() + _READY_WITHIN
    while True:
        try:
            async with await _connect(settings, settings.write_address) as connection:
                await connection.execute("create table if not exists lab_rows (run text, row int, primary key (run, row))")
                await connection.execute("create table if not exists lab_checks (member text)")
        except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.5)
        else:
            return


async def _lost(settings: LoadSettings, seen: Seen) -> int | None:
    numbers = [number for number, _ in seen.acknowledged]
    for _ in range(10):
        try:
            async with asyncio.timeout(20), await _connect(settings, settings.write_address) as connection:
                rows = await (
                    await connection.execute("select row from lab_rows where run = %s", (settings.run,))
                ).fetchall()
                await connection.execute("delete from lab_rows where run = %s", (settings.run,))
                await connection.execute("truncate lab_checks")
                return len(set(numbers) - {row[0] for row in rows})
        except (psycopg.Error, OSError, TimeoutError):
            await asyncio.sleep(0.5)
    return None


async def run(settings: LoadSettings) -> dict[str, Any]:
    """Make load until told to end; return what was seen."""
    ending, seen = asyncio.Event(), Seen()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    await _prepare(settings)
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(redis_load.client_for(settings.redis)) if settings.redis else None
        tasks = [asyncio.create_task(client) for client in _clients(settings, seen, redis)]
        await _begun(seen)
        print("ready", flush=True)
        await ending.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        found = await _found(settings, seen)
        if redis:
            summary = await redis_load.summary(redis, _key(settings), seen.redis)
            found["redis"] = {**summary, **_outage(seen.redis.acknowledged), "two_writers": two_writers(seen.redis.writes)}
    return found


async def _begun(seen: Seen) -> None:
    """Return once the checker has seen a server take a write, and a row was acknowledged.

    What is broken right after that is broken before somebody's eyes. TimeoutError: not within a minute.
    """
    async with asyncio.timeout(_READY_WITHIN):
        while True:
            if seen.commits and seen.acknowledged:
                return
            await asyncio.sleep(_ASK_EVERY)


def _clients(settings: LoadSettings, seen: Seen, redis: RedisClient | None) -> list[Coroutine[Any, Any, None]]:
    clients = [_rows(settings, seen), _follow_pods(settings)]
    if settings.api_address:
        clients.append(calls(settings, seen))
    clients += [_check(settings, seen, member) for member in settings.members]
    if settings.redis and redis:
        clients.append(redis_load.members(redis, _key(settings), seen.redis))
        clients += [redis_load.check(settings.redis, seen.redis, member) for member in settings.redis.members]
    return clients


def _key(settings: LoadSettings) -> str:
    return f"lab:members:{settings.run}"


def _outage(acknowledged: list[tuple[int, float]]) -> dict[str, Any]:
    gaps = longest_gaps(acknowledged)
    seconds, before, after = gaps[0] if gaps else (0.0, 0.0, 0.0)
    return {"outage_seconds": round(seconds, 4), "outage_from": before, "outage_to": after, "gaps": gaps}


async def _found(settings: LoadSettings, seen: Seen) -> dict[str, Any]:
    return {
        "rows": len(seen.acknowledged),
        "row_errors": seen.row_errors,
        "lost": await _lost(settings, seen),
        **_outage(seen.acknowledged),
        "api_ok": seen.api_ok,
        "api_errors": seen.api_errors,
        "checks": seen.asked,
        "commits": len(seen.commits),
        "two_writers": two_writers(seen.commits),
    }


def main() -> None:
    """Read settings as JSON from standard input, print what was seen as JSON."""
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    settings = LoadSettings.model_validate_json(sys.stdin.readline())
    print(json.dumps(asyncio.run(run(settings))), flush=True)


if __name__ == "__main__":
    main()
