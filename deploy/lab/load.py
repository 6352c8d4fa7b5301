"""Load on a lab, as customers make it, and the checker that asks whether two servers take writes at one moment.

Runs inside the hub, where service and pod addresses are reachable, until it gets SIGTERM or SIGINT; then it prints one
JSON document. After its settings it reads lines ``MEMBER ADDRESS`` for pods that were made anew. Clients side by side:
rows through the write Service (``deploy.lab.row_load``), calls of the sample API (``deploy.lab.api_load``), one question
after the other to each PostgreSQL server (``deploy.lab.checker``) and, where the settings name it, Redis
(``deploy.lab.redis_load``).
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
from typing import Any

from deploy.clients.redis_client import RedisClient
from deploy.lab import redis_load, row_load
from deploy.lab.api_load import calls
from deploy.lab.checker import check, two_writers
from deploy.lab.load_data import LoadSettings, Seen, outage
from deploy.lab.patience import stretched

_READY_WITHIN = 60
_LOOK_EVERY = 0.005


async def run(settings: LoadSettings) -> dict[str, Any]:
    """Make load until told to end; return what was seen."""
    ending, seen = asyncio.Event(), Seen()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    await row_load.prepare(settings)
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(redis_load.client_for(settings.redis)) if settings.redis else None
        tasks = [asyncio.create_task(client) for client in _clients(settings, seen, redis)]
        await _begun(seen)
        print("ready", flush=True)
        await ending.wait()
        until = time.time()
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        found = await _found(settings, seen, until)
        found["broken"] = [repr(one) for one in ended if isinstance(one, Exception)]
        if redis:
            summary = await redis_load.summary(redis, _key(settings), seen.redis)
            judged = {**outage(seen.redis.acknowledged, until), "two_writers": two_writers(seen.redis.writes)}
            found["redis"] = summary | judged
    return found


async def _begun(seen: Seen) -> None:
    """Return once the checker has seen a server take a write, and a row was acknowledged.

    What is broken right after that is broken before somebody's eyes. TimeoutError: not within a minute.
    """
    async with asyncio.timeout(stretched(_READY_WITHIN)):
        while True:
            if seen.commits and seen.acknowledged:
                return
            await asyncio.sleep(_LOOK_EVERY)


async def _follow_pods(settings: LoadSettings) -> None:
    """Learn the new addresses of pods that are made anew."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        member, _, address = line.decode().strip().partition(" ")
        for members in (settings.members, settings.redis.members if settings.redis else {}):
            if member in members and address:
                members[member] = address


def _clients(settings: LoadSettings, seen: Seen, redis: RedisClient | None) -> list[Coroutine[Any, Any, None]]:
    clients = [row_load.rows(settings, seen), _follow_pods(settings)]
    if settings.by_members:
        clients.append(row_load.rows_by_members(settings, seen))
    if settings.api_address:
        clients.append(calls(settings, seen))
    clients += [check(settings, seen, member) for member in settings.members]
    if settings.redis and redis:
        clients.append(redis_load.members(redis, _key(settings), seen.redis))
        clients += [redis_load.check(settings.redis, seen.redis, member) for member in settings.redis.members]
    return clients


def _key(settings: LoadSettings) -> str:
    return f"lab:members:{settings.run}"


async def _found(settings: LoadSettings, seen: Seen, until: float) -> dict[str, Any]:
    return {
        "rows": len(seen.acknowledged),
        "row_errors": seen.row_errors,
        "lost": await row_load.lost(settings, seen),
        **outage(seen.acknowledged, until),
        "by_members": outage(seen.by_members, until),
        "api_ok": seen.api_ok,
        "api_errors": seen.api_errors,
        "checks": {member: seen.answers.get(member, 0) for member in settings.members},
        "silent_seconds": {member: round(until - seen.answered_at.get(member, 0.0), 1) for member in settings.members},
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
