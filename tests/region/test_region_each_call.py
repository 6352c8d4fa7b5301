"""Azure throttles, fails and hangs up at each call of a region's failover: it costs time, and never a second promotion."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from deploy.lab.azure.faults import Fault as Azure
from deploy.lab.patience import stretched
from tests.fakes.faults import Fault
from tests.region.clusters import PODS
from tests.region.every_call import ANSWERS, CHANGES, LATER, LOOKS, UNAVAILABLE, UNHEARD, UNTOLD, EachCall
from tests.region.failover_bench import RegionFailoverBench

_KINDS = ("flexibleServers/", "/backups", "/usages", "/maintenanceEvents", "/virtualendpoints/", "/azureAsyncOperation/")
_PATCH: dict[str, Any] = {"method": "PATCH", "path": "*/flexibleServers/*"}


pytestmark = pytest.mark.usefixtures("soon_told")


async def _must_have_moved(leave: RegionFailoverBench, each: EachCall, mode: str) -> list[Azure | None]:
    """Fail over and check that every call has met a fault; return what each request for the promotion has met."""
    async with asyncio.timeout(stretched(60)):
        end, told = await leave.ending(await leave.approved(mode))
    accepted = leave.changes()
    assert (end, await leave.leads_there(), len(accepted)) == ("completed", True, 1), (told, accepted)
    assert (await leave.scales(), await leave.there()) == (dict.fromkeys(PODS, 0), (2, "api:dr"))
    assert (await leave.holder(), each.unmet) == ("", [])
    return [fault for call, met in each.asked.items() if call.startswith("PATCH") for fault in met]


@pytest.mark.parametrize("answer", LOOKS)
async def test_a_fault_at_each_call_costs_time_and_no_second_promotion(
    leave: RegionFailoverBench, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = EachCall(LOOKS[answer], CHANGES[answer])
    monkeypatch.setattr(leave.azure.emulator, "faults", each)
    assert await _must_have_moved(leave, each, "planned") == [*CHANGES[answer], None]
    assert [kind for kind in _KINDS if not any(kind in call for call in each.asked)] == []


@pytest.mark.parametrize("answer", ANSWERS)
async def test_a_lost_region_is_left_though_no_call_is_answered_at_once_and_the_promotion_s_answer_is_lost(
    leave: RegionFailoverBench, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = EachCall(LOOKS[answer], (*CHANGES[answer], UNTOLD))
    monkeypatch.setattr(leave.azure.emulator, "faults", each)
    await leave.lose_database()
    assert await _must_have_moved(leave, each, "forced") == [*CHANGES[answer], UNTOLD]


@pytest.mark.parametrize("fault", [LATER, UNAVAILABLE, UNHEARD], ids=LOOKS)
async def test_an_azure_that_says_nothing_more_before_the_promotion_leaves_all_as_it_was(
    leave: RegionFailoverBench, fault: Azure
) -> None:
    held = leave.faults.order("region.hold", Fault.HANGS)
    handle = await leave.approved()
    await held.reached.wait()
    leave.azure.emulator.faults.order(fault.model_copy(update={"times": 0}))
    leave.faults.release()
    end, told = await leave.ending(handle)
    leave.azure.emulator.faults.clear()
    assert (end, leave.changes()) == ("RolledBack", []), told
    assert "Azure" in told
    assert await leave.is_as_before()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 400, "code": "QuotaExceeded"}, "QuotaExceeded"),
        ({"ends": "Failed", "code": "InternalServerError"}, "InternalServerError"),
    ],
    ids=["quota", "failed"],
)
async def test_a_promotion_that_azure_does_not_do_leaves_all_as_it_was(
    leave: RegionFailoverBench, fault: dict[str, Any], words: str
) -> None:
    leave.azure.emulator.faults.order(Azure.model_validate({**_PATCH, **fault}))
    end, told = await leave.ending(await leave.approved())
    assert (end, words in told) == ("RolledBack", True), told
    assert await leave.is_as_before()
