"""Azure throttles, fails and hangs up at each call of a failback, and of the fence of a region that returns."""

from __future__ import annotations

import asyncio

import pytest

from deploy.lab.patience import stretched
from tests.region.clusters import PODS
from tests.region.every_call import ANSWERS, CHANGES, LOOKS, EachCall
from tests.region.failover_bench import RegionFailoverBench
from tests.region.returning_bench import give_back, new_of, old_of

pytestmark = [pytest.mark.usefixtures("soon_told"), pytest.mark.parametrize("answer", ANSWERS)]


def _met(each: EachCall, method: str) -> list[list[bool]]:
    """Return, for each thing that was asked for, which of the requests for it have met a fault."""
    return [[fault is not None for fault in met] for call, met in each.asked.items() if call.startswith(method)]


async def test_everything_moves_back_by_one_promotion(
    away: RegionFailoverBench, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = EachCall(LOOKS[answer], CHANGES[answer])
    monkeypatch.setattr(away.azure.emulator, "faults", each)
    async with asyncio.timeout(stretched(60)):
        end, told = await away.ending(await away.back_and_approved())
    assert (end, await away.leads_there(), away.changes()) == ("completed", False, ["PATCH 202"]), told
    assert (await away.scales(), await away.holder(), each.unmet) == (PODS, "", [])
    assert _met(each, "PATCH") == [[True, False]]


async def test_an_old_primary_that_takes_writes_is_stopped_by_one_request(
    left: RegionFailoverBench, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = EachCall(LOOKS[answer], CHANGES[answer])
    monkeypatch.setattr(left.azure.emulator, "faults", each)
    await give_back(left, forgets=True)
    async with asyncio.timeout(stretched(60)):
        end, told = await left.ending(left.fence)
    assert (end, await left.azure.servers.is_up(old_of(left))) == ("completed", False), told
    assert left.changes() == ["PATCH 202", "POST 202"]
    assert (await left.scales(), await left.is_primary(new_of(left))) == (dict.fromkeys(PODS, 0), True)
    assert (_met(each, "POST"), each.unmet) == ([[True, False]], [])
