"""Asks every Sentinel and every known server at once who the master is, and listens to the Sentinels' announcements."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import redis.exceptions as refusals
from redis.asyncio import Connection

from deploy.clients.errors import AccessDeniedError
from deploy.clients.redis_choice import NoMasterError, Survey, View, choose
from deploy.clients.redis_link import Address, connect, connection_to

_ASK_SECONDS = 0.5
_GRACE_SECONDS = 0.1
"""How long a majority that has answered waits for the Sentinels that have not: theirs may be the higher epoch."""
_QUIET_SECONDS = 3.0
_AGAIN_SECONDS = 0.5
_EVENTS = ("+promoted-slave", "+switch-master")
"""The first comes when a failover cannot end but in another master, the second when its replicas follow as well."""


async def ask(address: Address, password: str | None, *commands: tuple[str, ...], within: float = _ASK_SECONDS) -> list[Any]:
    """Return the answers to ``commands``, on a connection of their own.

    Raises:
        RedisError: the server answers with an error to one of them.
        OSError: it cannot be reached, or (TimeoutError) does not answer within so many seconds.
    """
    connection = connection_to(address, password)
    try:
        async with asyncio.timeout(within):
            await connect(connection)
            for command in commands:
                await connection.send_command(*command)
            return [await connection.read_response() for _ in commands]
    finally:
        await connection.disconnect(nowait=True)


class MasterFinder:
    """Finds the master, and remembers between rounds whom to ask."""

    def __init__(self, sentinels: tuple[Address, ...], password: str | None, master_name: str) -> None:
        """Take the Sentinels' addresses; the servers' are learned from them."""
        self._sentinels, self._password, self._name = sentinels, password, master_name
        self._servers: set[Address] = set()
        self._known: View | None = None

    async def find(self) -> Address:
        """Ask one round; return the master as soon as the answers allow. Takes up to 0.5 s when somebody is silent.

        Raises:
            NoMasterError: not to be decided at this moment.
            AccessDeniedError: the password is wrong.
        """
        survey = Survey(len(self._sentinels), known=self._known)
        sentinels = [asyncio.create_task(self._ask_sentinel(survey, one)) for one in self._sentinels]
        servers: list[asyncio.Task[None]] = []
        began = time.monotonic()
        try:
            while True:
                for one in (_named(survey) | self._servers) - survey.servers:
                    survey.servers.add(one)
                    servers.append(asyncio.create_task(self._ask_server(survey, one)))
                hearing, asking = ([one for one in tasks if not one.done()] for tasks in (sentinels, servers))
                seconds = time.monotonic() - began
                if not hearing and not asking:
                    return choose(survey)
                if _is_settled(survey, hearing=bool(hearing), asking=bool(asking), seconds=seconds):
                    with suppress(NoMasterError, AccessDeniedError):  # an answer that is still to come may decide it
                        return choose(survey)
                patience = _GRACE_SECONDS - seconds
                waiting = [*hearing, *asking]
                await asyncio.wait(waiting, timeout=patience if patience > 0 else None, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._remember(survey)
            await _end([*sentinels, *servers])

    def _remember(self, survey: Survey) -> None:
        if len(survey.views) >= survey.majority:
            self._known = survey.best
        self._servers = _named(survey) or self._servers

    async def _ask_sentinel(self, survey: Survey, sentinel: Address) -> None:
        questions = [("SENTINEL", what, self._name) for what in ("MASTER", "REPLICAS", "GET-MASTER-ADDR-BY-NAME")]
        with _heard_by(survey, sentinel):
            master, replicas, (host, port) = await ask(sentinel, self._password, *questions)
            said = _pairs(master)
            # A Sentinel that has seen its replica promoted says so in the last answer, long before it announces the switch.
            is_undecided = (host, port) == (said["ip"], said["port"])
            survey.views[sentinel] = View(
                master=(host, int(port)),
                epoch=int(said["config-epoch"]),
                replicas=tuple((one["ip"], int(one["port"])) for one in map(_pairs, [master, *replicas])),
                failing_over=is_undecided and "failover_in_progress" in said["flags"].split(","),
            )

    async def _ask_server(self, survey: Survey, server: Address) -> None:
        with _heard_by(survey, server):
            (role,) = await ask(server, self._password, ("ROLE",))
            survey.follows[server] = server if role[0] == "master" else (role[1], int(role[2]))

    async def listen(self, sentinel: Address, doubt: Callable[[], None]) -> None:
        """Call ``doubt`` whenever this Sentinel announces another master, or was out of hearing. Never returns."""
        while True:
            connection = connection_to(sentinel, self._password)
            try:
                async with asyncio.timeout(_ASK_SECONDS):
                    await connect(connection)
                    await connection.send_command("SUBSCRIBE", *_EVENTS)
                    for _ in _EVENTS:
                        await connection.read_response()
                doubt()
                await self._hear(connection, doubt)
            except (refusals.RedisError, OSError):
                await asyncio.sleep(_AGAIN_SECONDS)
            finally:
                await connection.disconnect(nowait=True)

    async def _hear(self, connection: Connection, doubt: Callable[[], None]) -> None:
        """Pass announcements on until the connection ends or the Sentinel answers no PING.

        Raises:
            RedisError: the connection ended.
            TimeoutError: no answer.
        """
        waits_for_pong = False
        while True:
            said = await connection.read_response(timeout=_QUIET_SECONDS)
            if said is None and waits_for_pong:
                raise TimeoutError("no answer to PING")
            waits_for_pong = said is None
            if said is None:
                await connection.send_command("PING")
            elif said[0] == "message" and self._name in said[2].split():
                doubt()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for one in tasks:
        one.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def _heard_by(survey: Survey, address: Address) -> Iterator[None]:
    """Note in ``survey`` that ``address`` did not answer, and why."""
    try:
        yield
    except (refusals.AuthenticationError, refusals.NoPermissionError):
        survey.denied.add(address)
    except TimeoutError:
        survey.silent[address] = f"no answer within {_ASK_SECONDS} s"
    except (refusals.RedisError, OSError) as error:
        survey.silent[address] = str(error)


def _named(survey: Survey) -> set[Address]:
    """Return every server that somebody names."""
    by_sentinels = {server for view in survey.views.values() for server in (view.master, *view.replicas)}
    return by_sentinels | set(survey.follows.values())


def _is_settled(survey: Survey, *, hearing: bool, asking: bool, seconds: float) -> bool:
    """Whether what was heard may be judged while Sentinels are still to be heard, or servers still to answer."""
    if hearing and (seconds < _GRACE_SECONDS or len(survey.masters) > 1):
        return False
    named = survey.best
    disputable = survey.failing_over and named is not None and survey.follows.get(named.master) == named.master
    return not (disputable and asking)


def _pairs(flat: list[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=False))
