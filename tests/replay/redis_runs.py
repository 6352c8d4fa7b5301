"""The runs of ``redis-failover`` whose histories are kept; they are recorded in front of real servers and Sentinels."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.fakes.faults import Fault
from tests.postgres.bench import Handle
from tests.redis.bench import RedisBench
from tests.redis.cluster import SENTINELS, SERVERS
from tests.replay.votes import policies, unapproved


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


async def _moved_already(bench: RedisBench) -> Handle:
    leader = await bench.leader()
    return await bench.start(member=next(name for name in SERVERS if name != leader))


async def _not_resumed(bench: RedisBench) -> Handle:
    bench.faults.order("redis.switch", Fault.REFUSED)
    bench.faults.order("redis.resume", Fault.REFUSED)
    return await bench.start()


async def _stranded(bench: RedisBench) -> Handle:
    bench.faults.order("redis.verify", Fault.REFUSED)
    return await bench.start()


async def _alive(bench: RedisBench) -> Handle:
    return await bench.start("forced")


async def _forced(bench: RedisBench) -> Handle:
    bench.cluster.kill(await bench.leader())
    return await bench.start("forced")


async def _forced_plan(bench: RedisBench) -> Handle:
    bench.cluster.kill(await bench.leader())
    return await bench.start("forced", run="plan")


async def _forced_stranded(bench: RedisBench) -> Handle:
    bench.cluster.kill(await bench.leader())
    bench.faults.order("redis.verify", Fault.REFUSED)
    return await bench.start("forced")


async def _forced_cancelled(bench: RedisBench) -> Handle:
    bench.cluster.kill(await bench.leader(), *SENTINELS[1:])
    handle = await bench.start("forced")
    await bench.until_phase(handle, "awaiting proof")
    await handle.cancel()
    return handle


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
    "redis-planned-refused": _moved_already,
    "redis-planned-rollback-incomplete": _not_resumed,
    "redis-planned-stranded": _stranded,
    **unapproved("redis-planned", _planned),
    "redis-forced-refused": _alive,
    "redis-forced-plan": _forced_plan,
    "redis-forced-stranded": _forced_stranded,
    "redis-forced-cancelled": _forced_cancelled,
    "redis-forced-completed": _forced,
    "redis-forced-by-word": _by_word,
}
DEPLOYMENTS: dict[str, dict[str, Any]] = policies("redis-planned", "planned")
"""Run → what else the deployment's entry says."""
