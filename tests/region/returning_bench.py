"""A region that was lost and left, and that returns: as a replica, or with a primary that knows nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg

from tests.azure.pair import PRIMARY, REPLICA
from tests.postgres.bench import Handle
from tests.region.failover_bench import REGION_OF, RegionFailoverBench
from workflows.region.fence_models import fence_lock_id
from workflows.region.models import region_lock_id
from workflows.run.models import plan_id


def old_of(bench: RegionFailoverBench) -> str:
    """Return the server in the lost region."""
    return next(name for name, region in REGION_OF.items() if region == bench.lost)


def new_of(bench: RegionFailoverBench) -> str:
    """Return the server in the surviving region."""
    return REPLICA if old_of(bench) == PRIMARY else PRIMARY


async def lose_and_leave(bench: RegionFailoverBench, **more: Any) -> Handle:
    """Lose the region wholly, and have its failover forced to its end; return that run."""
    bench.change_entry(patience="PT1M", ready={"within": "PT1M"})
    await bench.lose_database()
    await bench.clusters.relays[bench.lost].refuse()
    handle = await bench.approved("forced", **more)
    end, told = await bench.ending(handle)
    assert end == "completed", told
    return handle


async def give_back(bench: RegionFailoverBench, *, forgets: bool = False) -> None:
    """Let the region return. ``forgets``: its old primary was told nothing, and takes writes."""
    old = old_of(bench)
    if forgets:
        bench.azure.servers._leaders.pop(old, None)
        bench.azure.flexible.server(old).returns_to = ""
    await bench.clusters.relays[bench.lost].allow()
    await bench.azure.servers.heal(old)


async def make_whole(bench: RegionFailoverBench) -> None:
    """Make the old server the replica that every test begins with."""
    old, new = old_of(bench), new_of(bench)
    if not await bench.is_primary(new) or bench.azure.flexible.server(old).source == new:
        return
    bench.azure.servers._dead.discard(old)
    await bench.azure.servers.follow(old, new)
    server = bench.azure.flexible.server(old)
    server.state = "Ready"
    bench.azure.flexible.state.becomes_replica(server, new)


async def ask_fence(bench: RegionFailoverBench, run: str = "real", **more: Any) -> Handle:
    """Start one by hand."""
    request = {"region": bench.lost, "run": run, "by": "omar", "reason": "a test", **more}
    lock = fence_lock_id(bench.lost)
    handle: Handle = await bench.client.start_workflow(
        "region-fence", request, id=plan_id(lock) if run == "plan" else lock, task_queue=bench.queue
    )
    bench.started.append(handle)
    return handle


async def ask_recovery(bench: RegionFailoverBench, repairs: str, run: str = "real", **more: Any) -> Handle:
    """Start one by hand; ``repairs``: run ID of the failover."""
    request = {"region": bench.lost, "repairs": repairs, "run": run, "by": "omar", "reason": "a test", **more}
    lock = region_lock_id(bench.lost)
    handle: Handle = await bench.client.start_workflow(
        "region-recovery", request, id=plan_id(lock) if run == "plan" else lock, task_queue=bench.queue
    )
    bench.started.append(handle)
    return handle


async def recovered(bench: RegionFailoverBench, repairs: str) -> Handle:
    """Start one, and have a DBA approve it."""
    handle = await ask_recovery(bench, repairs)
    await bench.vote(handle, "dana")
    return handle


async def failover_of(bench: RegionFailoverBench) -> str:
    """Return the run ID of the newest run of the region's lock."""
    return str((await bench.client.get_workflow_handle(region_lock_id(bench.lost)).describe()).run_id)


class StubbornWriter:
    """Writes to one server by its own name, whatever it answers, and counts what is acknowledged."""

    def __init__(self) -> None:
        self.acknowledged, self.tried = 0, 0

    async def write(self, conninfo: str) -> None:
        """Go on until cancelled."""
        while True:
            self.tried += 1
            with suppress(psycopg.Error, OSError, TimeoutError):
                async with (
                    asyncio.timeout(2),
                    await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection,
                ):
                    await connection.execute("create table if not exists stubborn (at timestamptz)")
                    await connection.execute("insert into stubborn values (now())")
                    self.acknowledged += 1
            await asyncio.sleep(0.01)


@asynccontextmanager
async def writing_to_the_old(bench: RegionFailoverBench) -> AsyncIterator[StubbornWriter]:
    """Let a client of the lost region go on trying while the block lasts."""
    writer = StubbornWriter()
    task = asyncio.create_task(writer.write(bench.azure.conninfo(old_of(bench))))
    try:
        yield writer
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
