"""The reference client for Redis behind Sentinel: one connection to the master, which it finds again when that moves.

It does not wait for Sentinel. When its connection ends, or a server says that it is no master, it asks all Sentinels and
all servers at once (``redis_master``) and goes on as soon as that is safe (``redis_choice``). When a Sentinel announces
another master, it asks at once as well: a frozen master closes no connection. Every attempt has a deadline, every call too.

    async with RedisClient(RedisSettings(sentinels, password)) as redis:
        await redis.repeat("HSET", "workflow:7", "name", "billing")
        await redis.write("INCR", "workflows")
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import redis.exceptions as refusals

from deploy.clients.errors import AccessDeniedError, InDoubtError
from deploy.clients.pace import Call, Pace
from deploy.clients.redis_choice import NoMasterError
from deploy.clients.redis_link import ANSWERS, Address, CutError, Link, NotSentError, shown
from deploy.clients.redis_master import MasterFinder

_HEARTBEAT_SECONDS = 1.0
_LAST_ANSWERS_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 0.2
"""Between two searches, each of which opens a connection to every server and Sentinel."""
_NOT_NOW_PAUSE_SECONDS = 0.05
"""Between two tries of one command, on a connection that is open."""
_NOT_NOW = (refusals.ReadOnlyError, refusals.BusyLoadingError, refusals.ClusterDownError, refusals.TryAgainError)
_NOT_NOW_CODES = ("NOREPLICAS", "BUSY")
Word = str | bytes | float


@dataclass(frozen=True)
class RedisSettings:
    """Where the Sentinels are, and how patient the client is."""

    sentinels: tuple[Address, ...]
    password: str | None = field(default=None, repr=False)
    """Of servers and Sentinels."""
    master_name: str = "mymaster"
    attempt_seconds: float = 1.0
    """For one answer. Longer than your slowest command: who misses it loses the connection, and all commands on it."""
    total_seconds: float = 8.0
    """For one call, with everything that is tried again."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], password: str | None, name: str = "redis-sentinel") -> Self:
        """Take the addresses that Kubernetes gives every pod for Services ``NAME-0``, ``NAME-1`` and so on; maybe none."""
        sentinels: list[Address] = []
        prefix = name.upper().replace("-", "_")
        while host := environment.get(f"{prefix}_{len(sentinels)}_SERVICE_HOST"):
            sentinels.append((host, int(environment.get(f"{prefix}_{len(sentinels)}_SERVICE_PORT", "26379"))))
        return cls(tuple(sentinels), password)


class RedisClient:
    """Safe to share between tasks. Not for commands that wait (``BLPOP``) or subscribe: they would hold up all others."""

    def __init__(self, settings: RedisSettings) -> None:
        """Take the settings; ``async with`` starts it."""
        self._settings = settings
        self._finder = MasterFinder(settings.sentinels, settings.password, settings.master_name)
        self._link: Link | None = None
        self._linked, self._refused, self._told = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._why: Exception = NoMasterError("no master was found yet")
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def master(self) -> Address | None:
        """The server that commands go to at this moment."""
        return self._link.address if self._link and self._link.usable else None

    async def __aenter__(self) -> Self:
        """Begin to look for the master; waits for nothing."""
        listeners = [self._finder.listen(one, self._told.set) for one in self._settings.sentinels]
        self._tasks = [asyncio.create_task(one) for one in (self._keep(), *listeners)]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close. Calls that are under way are in doubt."""
        for one in self._tasks:
            one.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._link:
            await self._link.close()

    async def write(self, *command: Word, within: float | None = None) -> Any:  # noqa: ANN401 - whatever Redis answers
        """Run a command once and return Redis' answer. It is sent again only if the server said that it did not run it.

        Raises:
            UnavailableError: it was not executed.
            InDoubtError: it may have been executed.
            AccessDeniedError: the password is wrong.
            ResponseError: Redis refuses the command itself.
        """
        return await self._run(command, within, repeatable=False)

    async def repeat(self, *command: Word, within: float | None = None) -> Any:  # noqa: ANN401 - whatever Redis answers
        """Run a command that may be executed more than once: reads, SET, HSET, SADD, DEL.

        Raises:
            UnavailableError: it was not executed.
            InDoubtError: the deadline passed after an attempt whose answer did not come.
            AccessDeniedError: the password is wrong.
            ResponseError: Redis refuses the command itself.
        """
        return await self._run(command, within, repeatable=True)

    async def _run(self, command: tuple[Word, ...], within: float | None, *, repeatable: bool) -> Any:  # noqa: ANN401
        call = Call(self._settings.total_seconds if within is None else within, _NOT_NOW_PAUSE_SECONDS)
        while True:
            link = await self._link_for(call)
            try:
                return await link.run(*command, within=min(self._settings.attempt_seconds, call.left))
            except NotSentError as error:
                call.why = error
            except CutError as error:
                if not repeatable:
                    raise InDoubtError(f"{command[0]!r}: {error}") from error
                call.why, call.in_doubt = error, True
            except ANSWERS as error:
                if not _is_for_later(error):
                    raise
                call.why = error
                self._refused.set()
            await call.pause()

    async def _link_for(self, call: Call) -> Link:
        """Return an open link as soon as there is one; raise what the caller gets when there is none in time."""
        while call.has_time:
            if self._link and self._link.usable:
                return self._link
            if isinstance(self._why, AccessDeniedError):
                raise AccessDeniedError(str(self._why)) from self._why
            self._linked.clear()
            try:
                async with asyncio.timeout(call.left):
                    await self._linked.wait()
            except TimeoutError:
                call.why = self._why
        raise call.failure() from call.why

    async def _keep(self) -> None:
        """Hold a link to the master, for ever: look at once when it ended or a Sentinel tells; else at a pace."""
        pace = Pace(_LONGEST_PAUSE_SECONDS)
        while True:
            self._told.clear()
            self._refused.clear()
            try:
                await self._unless_told(self._look())
            except (AccessDeniedError, NoMasterError, NotSentError, CutError, refusals.RedisError, OSError) as error:
                self._why = error
                if isinstance(error, AccessDeniedError):
                    self._linked.set()
            else:
                await self._rest()
            await _first_of(self._told, within=pace.seconds())

    async def _unless_told(self, looking: Coroutine[Any, Any, None]) -> None:
        """Look; but begin anew when a Sentinel tells meanwhile, for what was heard before is old, and a dead server slow."""
        task, told = asyncio.create_task(looking), asyncio.create_task(self._told.wait())
        try:
            await asyncio.wait({task, told}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise NoMasterError("a Sentinel announces another master")
            task.result()
        finally:
            task.cancel()
            told.cancel()
            await asyncio.gather(task, told, return_exceptions=True)

    async def _look(self) -> None:
        """Find the master and move there; commands under way on the old link have a moment for their answers."""
        master = await self._finder.find()
        if self.master == master:
            return
        old, self._link = self._link, await self._open(master)
        self._linked.set()
        if old and old.usable:
            old.retire()
            asyncio.get_running_loop().call_later(_LAST_ANSWERS_SECONDS, old.end, f"{shown(master)} is the master now")

    async def _open(self, master: Address) -> Link:
        link = await Link.open(master, self._settings.password, self._settings.attempt_seconds)
        try:
            role = await link.run("ROLE", within=self._settings.attempt_seconds)
        except BaseException:
            await link.close()
            raise
        if role[0] != "master":
            await link.close()
            raise NoMasterError(f"{shown(master)} has just become a {role[0]}")
        return link

    async def _rest(self) -> None:
        """Return as soon as the link may be the wrong one."""
        while (link := self._link) and link.usable:
            if await _first_of(self._told, self._refused, link.ended, within=_HEARTBEAT_SECONDS):
                return
            try:
                role = await link.run("ROLE", within=self._settings.attempt_seconds)
            except (NotSentError, CutError):
                return
            if role[0] != "master":
                return


def _is_for_later(error: Exception) -> bool:
    """Whether the server says that it did not run the command, and that it or another one may later."""
    return isinstance(error, _NOT_NOW) or str(error).split(" ")[0] in _NOT_NOW_CODES


async def _first_of(*events: asyncio.Event, within: float) -> bool:
    """Wait until one of ``events`` is set, at most so many seconds; return whether one is."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        done, _ = await asyncio.wait(waits, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)
    finally:
        for one in waits:
            one.cancel()
