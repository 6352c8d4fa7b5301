"""Load on Redis beside that on PostgreSQL, and the checker that asks each Redis server itself whether it takes writes.

- *members*: every 20 ms one more member of a set, through the reference client, sent once; the longest gap between
  acknowledgements is the outage, acknowledged members that are missing at the end are the loss;
- *checker*: a SET on each server by its pod's own address. A server that answers OK takes writes.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from pydantic import BaseModel
from redis.exceptions import RedisError

from deploy.clients.errors import InDoubtError, NotAcknowledgedError
from deploy.clients.redis_client import RedisClient, RedisSettings
from deploy.clients.redis_link import ANSWERS, Address, CutError, Link, NotSentError

_MEMBER_EVERY, _ASK_EVERY, _GONE_EVERY = 0.02, 0.01, 0.05
_MEMBER_SECONDS, _ASK_SECONDS, _LOOK_SECONDS = 6.0, 0.25, 30.0
_WAITING = 50
"""As many members wait at most; more would keep the machine busy and lengthen what they measure."""


class RedisLoadSettings(BaseModel):
    """Where the clients go."""

    sentinels: list[Address]
    members: dict[str, str]
    """Server → pod address."""
    port: int = 6379
    password: str


@dataclass
class RedisSeen:
    """What the clients saw. Times are ``time.time()``."""

    acknowledged: list[tuple[int, float]] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    in_doubt: set[int] = field(default_factory=set)
    writes: list[tuple[float, float, str]] = field(default_factory=list)
    """Checker: (asked, answered, server) of every SET that was taken."""
    answers: Counter[str] = field(default_factory=Counter)
    """Checker: how often a server said whether it takes writes."""


def client_for(settings: RedisLoadSettings) -> RedisClient:
    """Return the client that the members go through."""
    return RedisClient(RedisSettings(tuple(settings.sentinels), settings.password))


async def members(client: RedisClient, key: str, seen: RedisSeen) -> None:
    """Add members for ever; nobody waits for the one before, unless many do."""
    turns = asyncio.Semaphore(_WAITING)
    async with asyncio.TaskGroup() as tasks:
        for number in count():
            await turns.acquire()
            tasks.create_task(_member(client, key, number, seen)).add_done_callback(lambda _: turns.release())
            await asyncio.sleep(_MEMBER_EVERY)


async def _member(client: RedisClient, key: str, number: int, seen: RedisSeen) -> None:
    try:
        await client.write("SADD", key, number, within=_MEMBER_SECONDS)
        seen.acknowledged.append((number, time.time()))
    except (NotAcknowledgedError, RedisError) as error:
        seen.errors[type(error).__name__] += 1
        if isinstance(error, InDoubtError):
            seen.in_doubt.add(number)


async def check(settings: RedisLoadSettings, seen: RedisSeen, member: str) -> None:
    """Ask one server for ever, by the address that its pod has at that moment."""
    link, address = None, ""
    try:
        while True:
            if link and (address != settings.members[member] or not link.usable):
                await link.close()
                link = None
            address = settings.members[member]
            try:
                link = link or await Link.open((address, settings.port), settings.password, _ASK_SECONDS)
                asked = time.time()
                await link.run("SET", "lab:checker", member, within=_ASK_SECONDS)
                seen.writes.append((asked, time.time(), member))
                seen.answers[member] += 1
            except ANSWERS:
                seen.answers[member] += 1  # it is a replica, or refuses writes
            except (RedisError, OSError, NotSentError, CutError):
                await asyncio.sleep(_GONE_EVERY)
            await asyncio.sleep(_ASK_EVERY)
    finally:
        if link:
            link.end("the load ends")


async def summary(client: RedisClient, key: str, seen: RedisSeen) -> dict[str, Any]:
    """Return counts, and what became of the members; ``lost`` is None when no master can be asked."""
    result: dict[str, Any] = {
        "members": len(seen.acknowledged),
        "errors": dict(seen.errors),
        "in_doubt": len(seen.in_doubt),
        "in_doubt_present": None,
        "lost": None,
        "checks": dict(seen.answers),
        "writes": len(seen.writes),
    }
    try:
        there = {int(one) for one in await client.repeat("SMEMBERS", key, within=_LOOK_SECONDS)}
        result["lost"] = len({number for number, _ in seen.acknowledged} - there)
        result["in_doubt_present"] = len(seen.in_doubt & there)
        await client.repeat("UNLINK", key, "lab:checker", within=_LOOK_SECONDS)
    except (NotAcknowledgedError, RedisError):
        pass
    return result
