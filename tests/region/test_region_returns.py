"""The lost region returns while its failover is under way, at each of its steps: never do both regions take writes.

Before the promotion it returns as what it was, and nothing is promoted over it. After it Azure makes its server a replica.
What a server does that returns while Azure promotes the other one is Azure's: nobody has written that down.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from activities.region import promotion
from deploy.lab.patience import stretched
from tests.fakes.faults import Fault
from tests.region.clusters import PODS
from tests.region.failover_bench import RegionFailoverBench
from tests.region.returning_bench import give_back, make_whole, new_of, writing_to_the_old

_BEFORE = ("region.claim", "region.fence", "region.promote")
_AFTER = ("region.apply_overlay", "region.await_ready", "region.check_application")


async def _returns_at(bench: RegionFailoverBench, step: str) -> tuple[str, str, int, int]:
    """Lose the region, give it back at ``step``; return the end, and the old server's writes until then and afterwards."""
    held = bench.faults.order(step, Fault.HANGS)
    bench.change_entry(patience="PT1M", ready={"within": "PT1M"})
    await bench.lose_database()
    await bench.clusters.relays[bench.lost].refuse()
    handle = await bench.approved("forced")
    async with asyncio.timeout(stretched(60)):
        await held.reached.wait()
    async with writing_to_the_old(bench) as writer:
        await give_back(bench)
        tried = writer.tried
        async with asyncio.timeout(stretched(20)):
            while writer.tried < tried + 3:
                await asyncio.sleep(0.01)
        until_then = writer.acknowledged
        bench.faults.release()
        end, told = await bench.ending(handle)
    print(told)
    return end, told, until_then, writer.acknowledged


@pytest.mark.parametrize("step", _BEFORE)
async def test_before_the_promotion_nothing_is_promoted_over_a_primary_that_is_back(
    leave: RegionFailoverBench, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promotion, "_FRESH", timedelta(seconds=0.05))
    end, told, until_then, taken = await _returns_at(leave, step)
    assert (end, leave.changes(), until_then > 0, taken > until_then) == ("RolledBack", [], True, True), told
    assert await leave.is_as_before()


@pytest.mark.parametrize("step", _AFTER)
async def test_after_the_promotion_it_acknowledges_nothing(leave: RegionFailoverBench, step: str) -> None:
    try:
        end, told, _, taken = await _returns_at(leave, step)
        assert (end, taken, leave.changes()) == ("completed", 0, ["PATCH 202"]), told
        assert (await leave.leads_there(), await leave.is_primary(new_of(leave))) == (True, True)
        assert await leave.scales() == dict.fromkeys(PODS, 0)
    finally:
        leave.faults.release()
        await make_whole(leave)
