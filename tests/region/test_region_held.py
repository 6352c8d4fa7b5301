"""The worker is killed with -9 while people hold a region's failover: the hold stands, and a release lets the run go on."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from temporalio.service import RPCError

from activities.run.models.control import Control
from deploy.lab.patience import stretched
from deploy.lab.region_parts import Workers
from tests.postgres.bench import Handle
from tests.region.clusters import PODS
from tests.region.failover_bench import RegionFailoverBench
from tests.region.test_region_survival import served, server, workers  # noqa: F401 - fixtures
from workflows.run.models import Status

_WHY = {"by": "dana", "reason": "a look"}


async def _held(bench: RegionFailoverBench, handle: Handle) -> Status:
    """Return the status of a run that stands still. For a while the server asks a worker that was killed."""
    async with asyncio.timeout(stretched(30)):
        while True:
            with suppress(RPCError):
                return await bench.until_phase(handle, "held")


async def _asked(bench: RegionFailoverBench) -> None:
    async with asyncio.timeout(stretched(30)):
        while not bench.changes():
            await asyncio.sleep(0.01)


async def _world(bench: RegionFailoverBench) -> tuple[Any, ...]:
    return (await bench.scales(), await bench.there(), await bench.holder(), await bench.leader(), bench.changes())


async def _killed_while_held(bench: RegionFailoverBench, workers: Workers, handle: Handle) -> None:  # noqa: F811
    """Kill the worker of a run that is held; another one must find it as it was. Then let the run go on."""
    before, world = await _held(bench, handle), await _world(bench)
    workers.kill_one()
    workers.start_one()
    after = await _held(bench, handle)
    assert (after.explanation, after.control) == (before.explanation, before.control)
    assert after.explanation.startswith("held by dana since ")
    assert await _world(bench) == world, "who reads a held run changes nothing"
    await handle.execute_update("release", {"by": "mona"})


async def test_a_hold_outlives_the_worker_before_anything_is_done_and_past_the_promotion(
    workers: Workers,  # noqa: F811
    served: RegionFailoverBench,  # noqa: F811
) -> None:
    handle = await served.leave("planned")
    await served.until_phase(handle, "awaiting approval")
    await handle.execute_update("hold", _WHY)
    await served.vote(handle)
    await _held(served, handle)
    assert await served.is_as_before()
    await _killed_while_held(served, workers, handle)
    await _asked(served)
    await handle.execute_update("hold", _WHY)
    assert (await _held(served, handle)).forward_only is True
    await _killed_while_held(served, workers, handle)
    end, told = await served.ending(handle)
    assert (end, await served.leads_there(), served.changes()) == ("completed", True, ["PATCH 202"]), told
    assert (await served.scales(), await served.holder()) == (dict.fromkeys(PODS, 0), "")
    report = served.report()
    assert [one.what for one in report.control] == [Control.HOLD, Control.RELEASE] * 2
    assert {one.by for one in report.votes if one.approve} == {"mona", "dana", "carl"}
