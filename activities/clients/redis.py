"""Redis servers and Sentinels, each asked by the address of its own pod, on a new connection for every question.

Nothing here retries: a refused connection, a silent server and a wrong password are UnreachableError with the kind of
silence; an error that Redis answers is RedisAnswerError. A command that met silence may have been carried out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import redis.exceptions as errors
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from activities.clients.foreign import Message, is_refused, says
from activities.clients.kubernetes.addresses import Addresses
from activities.clients.ports import RedisAnswerError, UnreachableError
from activities.clients.secrets import read_secret
from activities.redis.models import RedisRole, SentinelFact, ServerFact
from activities.run.errors import Refusal, refuse
from activities.run.models.diagnosis import Silence
from estate.redis import RedisTarget

_WITHIN = timedelta(seconds=1)
_ANSWERS_SECONDS = 0.01
"""Until what was held back is answered."""
_NO_ANSWER = (errors.ConnectionError, errors.TimeoutError, OSError, TimeoutError)


class RedisClient:
    """Every Redis deployment that the estate lists."""

    def __init__(self, addresses: Addresses) -> None:
        """Find pods by ``addresses``."""
        self._addresses = addresses

    async def server(self, target: RedisTarget, name: str, *, within: timedelta = _WITHIN) -> ServerFact:
        """Return what the server ``name`` says of itself.

        Raises:
            UnreachableError: it does not answer.
            RedisAnswerError: it answers that we may not ask, or nobody knows where it can be reached.

        """
        async with self._server(target, name, within) as (redis, host):
            info = await redis.info("replication")
            announced = await _announced(redis)
            own = (await redis.info("server"))["run_id"] if announced is None else ""
        if announced is None:
            address = await self._address_by_sentinels(target, name, own, f"{host}:{target.deployment.port}", within)
        else:
            port = int(announced.get("replica-announce-port") or 0) or target.deployment.port
            address = f"{announced.get('replica-announce-ip') or host}:{port}"
        role = RedisRole(info["role"])
        is_replica = role is RedisRole.REPLICA
        return ServerFact(
            name=name,
            address=address,
            role=role,
            offset=int(info["slave_repl_offset"] if is_replica else info["master_repl_offset"]),
            follows=f"{info['master_host']}:{info['master_port']}" if is_replica else "",
            link_up=is_replica and info["master_link_status"] == "up",
            replicas=int(info["connected_slaves"]),
            priority=int(info.get("slave_priority", 100)),
        )

    async def _address_by_sentinels(
        self, target: RedisTarget, name: str, own: str, pod: str, within: timedelta
    ) -> str:  # fmt: skip
        """Return the address of the server with the run ID ``own``: hardened servers do not tell what they announce.

        The Sentinels know every server by its run ID, or by the pod's own address where it announces no other. A guess
        would be dangerous: a master that nobody recognizes would be taken for a second one.

        Raises:
            RedisAnswerError: no Sentinel knows it, yet.

        """
        told = await asyncio.gather(*(self._known(target, one, within) for one in target.deployment.sentinels))
        known = {run: address for addresses in told for run, address in addresses.items()}
        if own in known:
            return known[own]
        if pod in known.values():
            return pod
        raise RedisAnswerError(name, "NOPERM it does not tell the address that it announces, and no Sentinel knows it")

    async def _known(self, target: RedisTarget, sentinel: str, within: timedelta) -> dict[str, str]:
        """Return run ID → address of every server that a Sentinel knows; none where it does not say."""
        try:
            async with self._reach(target, sentinel, target.deployment.sentinel_port, within) as (redis, _):
                found = [await _ask(redis, "SENTINEL", "MASTER", target.name)]
                found += await _ask(redis, "SENTINEL", "REPLICAS", target.name)
        except (UnreachableError, RedisAnswerError):
            return {}
        return {one["runid"]: f"{one['ip']}:{one['port']}" for one in map(_pairs, found)}

    async def sentinel(self, target: RedisTarget, name: str, *, within: timedelta = _WITHIN) -> SentinelFact:
        """Return what the Sentinel ``name`` says of the master."""
        async with self._reach(target, name, target.deployment.sentinel_port, within) as (redis, _):
            try:
                said = await _ask(redis, "SENTINEL", "MASTER", target.name)
            except errors.ResponseError as error:
                return SentinelFact(name=name, error=f"{name} does not know the master {target.name}: {error}")
            can_decide, words = await _quorum(redis, target.name)
        known = _pairs(said)
        flags = _flags(known["flags"])
        return SentinelFact(
            name=name,
            master=f"{known['ip']}:{known['port']}",
            config_epoch=int(known["config-epoch"]),
            agrees_it_is_down="o_down" in flags,
            fails_over="failover_in_progress" in flags,
            can_decide=can_decide,
            words=words,
        )

    async def pause(self, target: RedisTarget, name: str, lasts: timedelta) -> None:
        """Hold every write back for ``lasts``, beginning now. A second call begins anew."""
        async with self._server(target, name, _WITHIN) as (redis, _):
            await _ask(redis, "CLIENT", "PAUSE", int(lasts.total_seconds() * 1000), "WRITE")

    async def unpause(self, target: RedisTarget, name: str) -> None:
        """Let writers go on. Safe to repeat."""
        async with self._server(target, name, _WITHIN) as (redis, _):
            await _ask(redis, "CLIENT", "UNPAUSE")

    async def elect(self, target: RedisTarget, name: str, old: str) -> None:
        """Let the Sentinel ``name`` promote a replica in place of the master at ``old``, without asking the others.

        Sentinel's command does not say which master it means: one that has been elected a moment ago would be replaced in
        its turn. So the Sentinel is asked on the same connection, just before.

        Raises:
            RedisAnswerError: it does not: ``INPROG`` while it does already, ``NOGOODSLAVE`` when none can lead, ``MOVED``
                when it names another master by now.
            UnreachableError: with ``NO_ANSWER`` only when it may have begun all the same.

        """
        asked = False
        try:
            async with self._reach(target, name, target.deployment.sentinel_port, _WITHIN) as (redis, _):
                host, port = await _ask(redis, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", target.name) or ("nobody", 0)
                if f"{host}:{port}" != old:
                    raise RedisAnswerError(name, f"MOVED names {host}:{port} as the master by now, not {old}")
                asked = True
                await _ask(redis, "SENTINEL", "FAILOVER", target.name)
        except UnreachableError as error:
            raise UnreachableError(str(error), Silence.NO_ANSWER if asked else Silence.NO_CONNECTION) from error

    async def demote(self, target: RedisTarget, name: str, master: str) -> int:
        """Make the server a replica of ``master``, refuse what was held back, then send its clients away; return how many.

        In this order: a write that was held back is answered with READONLY, so that its client knows that it was not
        executed. A client that is cut off first would never know.
        """
        host, port = master.rsplit(":", 1)
        async with self._server(target, name, _WITHIN) as (redis, _):
            await _ask(redis, "REPLICAOF", host, port)
            await _ask(redis, "CLIENT", "UNPAUSE")
            await asyncio.sleep(_ANSWERS_SECONDS)
            ended = await _ask(redis, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        return int(ended)

    async def probe(self, target: RedisTarget, name: str, mark: str) -> int:
        """Write ``mark``, read it back, and return how many replicas have confirmed it within half a second.

        Raises:
            UnreachableError: what was read is not what was written.

        """
        key = f"failover:verify:{mark}"
        async with self._server(target, name, timedelta(seconds=3)) as (redis, _):
            await redis.set(key, mark, ex=60)
            confirmed = int(await _ask(redis, "WAIT", 1, 500))
            found = await redis.get(key)
            await redis.delete(key)
        if found != mark:
            raise UnreachableError(f"{name} took a write and did not return it")
        return confirmed

    async def add_row(self, target: RedisTarget, name: str, run: str, row: int, *, within: timedelta) -> None:
        """Add ``row`` to the set of ``run``: acknowledged once this returns."""
        async with self._server(target, name, within) as (redis, _):
            await redis.sadd(_rows_key(run), row)

    async def missing_rows(self, target: RedisTarget, name: str, run: str, rows: tuple[int, ...]) -> int:
        """Return how many of ``rows`` the server does not have."""
        async with self._server(target, name, timedelta(seconds=5)) as (redis, _):
            found = {int(row) for row in await redis.smembers(_rows_key(run))}
        return len(set(rows) - found)

    async def remove_rows(self, target: RedisTarget, name: str, run: str) -> None:
        """Remove the set of ``run``. Safe to repeat."""
        async with self._server(target, name, timedelta(seconds=5)) as (redis, _):
            await redis.delete(_rows_key(run))

    @asynccontextmanager
    async def _server(self, target: RedisTarget, name: str, within: timedelta) -> AsyncIterator[tuple[Redis, str]]:
        async with self._reach(target, name, target.deployment.port, within) as reached:
            yield reached

    @asynccontextmanager
    async def _reach(self, target: RedisTarget, name: str, port: int, within: timedelta) -> AsyncIterator[tuple[Redis, str]]:
        """Yield a connection and the host it leads to; turn every silence into UnreachableError.

        Raises:
            ApplicationError: ``BadInput``, the estate lists no such pod of ``target``.

        """
        known = {*target.deployment.servers, *target.deployment.sentinels}
        if name not in known:
            raise refuse(Refusal.BAD_INPUT, f"server: {target.name} has no {name}; it has {', '.join(sorted(known))}")
        host = await self._addresses.of_pod(target.region, name)
        if host is None:
            raise UnreachableError(f"pod {name} has no address", Silence.NO_CONNECTION)
        seconds, secret = within.total_seconds(), target.deployment.password
        redis = Redis(
            host=host,
            port=port,
            password=read_secret(secret) if secret else None,
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
            protocol=2,
            driver_info=None,
            client_name="failover",
            single_connection_client=True,
        )
        try:
            async with asyncio.timeout(seconds):
                yield redis, host
        except _NO_ANSWER as error:
            self._addresses.forget_pod(target.region, name)
            raise UnreachableError(f"{name}: {_words(error, seconds)}", _silence_of(error)) from error
        except errors.ResponseError as error:
            raise RedisAnswerError(name, _with_code(error)) from error
        finally:
            await redis.aclose()


async def _announced(redis: Redis) -> dict[str | None, str | None] | None:
    """Return the address settings of a server; ``None`` where CONFIG is denied, renamed or disabled."""
    try:
        return await redis.config_get("replica-announce-ip", "replica-announce-port")
    except errors.ResponseError:
        return None


def _pairs(said: Any) -> dict[str, Any]:  # noqa: ANN401 - a mapping or a list, by the library's version
    return said if isinstance(said, dict) else dict(zip(said[::2], said[1::2], strict=True))


async def _ask(redis: Redis, *words: str | int) -> Any:  # noqa: ANN401 - what Redis answers
    return await redis.execute_command(*words)  # type: ignore[no-untyped-call]


async def _quorum(redis: Redis, master: str) -> tuple[bool, str]:
    try:
        await _ask(redis, "SENTINEL", "CKQUORUM", master)
    except errors.ResponseError as error:
        return False, str(error)
    return True, ""


def _with_code(error: errors.ResponseError) -> str:
    """Return the answer with its code; the library takes some of them off, and says the rest."""
    words = str(error)
    return words if words.split(" ", 1)[0].isupper() else f"{type(error).__name__.removesuffix('Error').upper()} {words}"


def _flags(said: Any) -> set[str]:  # noqa: ANN401 - a text or a list, by the library's version
    return set(said.split(",") if isinstance(said, str) else said)


def _rows_key(run: str) -> str:
    return f"failover:writes:{run}"


def _words(error: BaseException, seconds: float) -> str:
    if isinstance(error, TimeoutError | errors.TimeoutError):
        return f"no answer within {seconds:g} s"
    return str(error) or type(error).__name__


def _silence_of(error: BaseException) -> Silence:
    if isinstance(error, errors.AuthenticationError):
        return Silence.TURNED_AWAY
    if says(error, Message.REDIS_NO_ROOM):
        return Silence.NO_ROOM
    if is_refused(error):
        return Silence.REFUSED
    return Silence.NO_ANSWER if isinstance(error, TimeoutError | errors.TimeoutError) else Silence.NO_CONNECTION
