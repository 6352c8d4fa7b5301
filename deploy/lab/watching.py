"""Lets the lab's targets be watched for a while: for benchmarks, tests and the soak."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.client import Client

from activities.run.models.wire import read
from deploy.lab.patience import stretched
from starters.client.detections import standing
from workflows.detection.models import StartedWatches, WatchersRequest, WatchStatus
from workflows.run.models import TASK_QUEUE, TASK_TIMEOUT

_SEEN_WITHIN = 60


async def start_watches(client: Client, target: str = "") -> tuple[str, ...]:
    """Start the watches of ``target``, or all; return their workflow IDs once every witness has spoken."""
    handle = await client.start_workflow(
        "watchers-start",
        WatchersRequest(target=target or None),
        id="watchers-start",
        task_queue=TASK_QUEUE,
        task_timeout=TASK_TIMEOUT,
        result_type=StartedWatches,
    )
    done = read(StartedWatches, await handle.result())
    watches = (*done.started, *done.running)
    async with asyncio.timeout(stretched(_SEEN_WITHIN)):
        while True:
            said = [await status_of(client, one) for one in watches]
            if all(one.witnesses and not one.silent for one in said):
                return watches
            await asyncio.sleep(0.2)


async def status_of(client: Client, watch: str) -> WatchStatus:
    """Return how a watch stands, by its own word."""
    return read(WatchStatus, await client.get_workflow_handle(watch).query("watch_status", result_type=WatchStatus))


@asynccontextmanager
async def watched(client: Client, target: str = "") -> AsyncIterator[tuple[str, ...]]:
    """Watch ``target`` (all when empty) inside the block, with the estate as it is now."""
    await stop_watches(client)
    watches = await start_watches(client, target)
    try:
        yield watches
    finally:
        await stop_watches(client)


async def stop_watches(client: Client) -> None:
    """End all watches; the failovers that they have begun go on."""
    for watch in await standing(client):
        await client.get_workflow_handle(watch).terminate("the lab's watch is over")
    async with asyncio.timeout(stretched(_SEEN_WITHIN)):
        while True:
            if not await standing(client):
                return
            await asyncio.sleep(0.2)
