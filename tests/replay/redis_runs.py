"""The runs of ``redis-failover`` whose histories are kept; they are recorded in front of real servers and Sentinels."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.fakes.faults import Fault
from tests.postgres.bench import Handle
from tests.redis.bench import RedisBench
from tests.redis.cluster import SENTINELS


async def _planned(bench: RedisBench) -> Handle:
    return await bench.start()


async def _plan(bench: RedisBench) -> Handle:
    return await bench.start(run="plan")


async def _undone(bench: RedisBench) -> Handle:
    bench.faults.order("redis.switch", Fault.REFUSED)
    return await bench.start()


async def _unheard(bench: RedisBench) -> Handle:
    """Let the promotion be done and its answer get lost for good, so that the undo finds another master."""
    bench.faults.order("redis.switch", Fault.UNREPORTED)
    return await bench.start()


async def _cancelled(bench: RedisBench) -> Handle:
    hanging = bench.faults.order("redis.quiesce", Fault.HANGS)
    handle = await bench.start()
    await hanging.reached.wait()
    await handle.cancel()
    return handle


async def _alive(bench: RedisBench) -> Handle:
    return await bench.start("forced")


async def _forced(bench: RedisBench) -> Handle:
    bench.cluster.kill(await bench.leader())
    return await bench.start("forced")


async def _by_word(bench: RedisBench) -> Handle:
    old = await bench.leader()
    bench.cluster.kill(old, *SENTINELS[1:])
    handle = await bench.start("forced")
    while (await bench.status(handle)).phase != "awaiting proof":
        await asyncio.sleep(0.05)
    await handle.execute_update("attest", {"by": "dana", "member": old})
    return handle


REDIS_RUNS: dict[str, Callable[[RedisBench], Awaitable[Handle]]] = {
    "redis-planned-completed": _planned,
    "redis-planned-plan": _plan,
    "redis-planned-rolled-back": _undone,
    "redis-planned-promotion-unheard": _unheard,
    "redis-planned-cancelled": _cancelled,
    "redis-forced-refused": _alive,
    "redis-forced-completed": _forced,
    "redis-forced-by-word": _by_word,
}
