"""Whatever Azure answers, or does not: one promotion, and a true word at the end. Who dies: ``test_survival``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from activities.region.models import Ended, FlexibleDetails
from deploy.lab.azure.faults import Fault as Azure
from tests.azure.pair import AzurePair
from tests.fakes.faults import Fault
from tests.region.bench import RegionBench, serving
from tests.run.cancels import cancel

_PATCH = {"method": "PATCH", "path": "*/flexibleServers/*"}
_POLL = {"method": "GET", "path": "*/azureAsyncOperation/*"}


async def _must_have_moved(bench: RegionBench, before: str, *, accepted: int = 1) -> FlexibleDetails:
    """Check that the other one leads, and how many promotions Azure has accepted."""
    assert await bench.leader() == bench.replica_of(before)
    assert len(bench.changes()) == accepted
    return bench.report().of(FlexibleDetails)


@pytest.mark.parametrize(
    "fault",
    [
        Azure(**_PATCH, drop="after"),
        Azure(**_PATCH, status=429, retry_after=1, code="TooManyRequests"),
        Azure(**_PATCH, status=429, code="TooManyRequests"),
        Azure(**_PATCH, status=503, code="ServiceUnavailable"),
        Azure(**_PATCH, status=500),
        Azure(**_PATCH, drop="before"),
        Azure(**_POLL, status=503, code="ServiceUnavailable", times=3),
        Azure(**_POLL, drop="before", times=2),
        Azure(**_POLL, status=404, code="ResourceNotFound", times=0),
        Azure(**_POLL, status=429, retry_after=1, code="TooManyRequests"),
        Azure(method="GET", path="*/flexibleServers/CANDIDATE", nth=2, status=500, times=3),
        Azure(**_PATCH, links=False),
    ],
    ids=lambda fault: f"{fault.method}-{fault.status or fault.drop or 'no-links'}-{fault.retry_after or 0}",
)
async def test_a_fault_of_azure_costs_time_and_no_second_promotion(bench: RegionBench, fault: Azure) -> None:
    before = await bench.leader()
    path = fault.path.replace("CANDIDATE", bench.replica_of(before))
    bench.azure.emulator.faults.order(fault.model_copy(update={"path": path}))
    end, told = await bench.ending(await bench.start())
    assert end == "completed", told
    await _must_have_moved(bench, before)
    struck = [one for one in bench.azure.emulator.log if one.refused_by == "fault" or one.status == 0]
    assert struck or not fault.links


async def test_a_server_that_is_busy_is_asked_again(bench: RegionBench) -> None:
    before = await bench.leader()
    bench.azure.emulator.faults.order(Azure(**_PATCH, ends="Failed", code="ServerBusy"))
    end, told = await bench.ending(await bench.start())
    assert end == "completed", told
    details = await _must_have_moved(bench, before, accepted=2)
    assert details.promotions_asked == 2


@pytest.mark.parametrize("ends", ["Failed", "Canceled"])
async def test_an_operation_that_fails_leaves_the_old_primary(bench: RegionBench, ends: str) -> None:
    before = await bench.leader()
    bench.azure.emulator.faults.order(Azure.model_validate({**_PATCH, "ends": ends, "code": "InternalServerError"}))
    end, told = await bench.ending(await bench.start())
    assert (end, await bench.leader()) == ("CandidateFailed", before), told
    assert "InternalServerError" in told
    assert "nothing was changed" in told


async def test_an_operation_that_says_failed_and_has_done_it_is_done(bench: RegionBench) -> None:
    before = await bench.leader()
    bench.azure.emulator.faults.order(Azure(**_PATCH, ends="Failed", code="InternalServerError", acted=True))
    end, told = await bench.ending(await bench.start())
    assert end == "completed", told
    details = await _must_have_moved(bench, before)
    assert details.promotion is not None
    assert details.promotion.ended is Ended.SUCCEEDED


@pytest.mark.parametrize(("status", "code"), [(403, "AuthorizationFailed"), (400, "InvalidParameterValue")])
async def test_a_no_of_azure_ends_the_run_with_nothing_changed(bench: RegionBench, status: int, code: str) -> None:
    before = await bench.leader()
    bench.azure.emulator.faults.order(Azure(**_PATCH, status=status, code=code))
    end, told = await bench.ending(await bench.start())
    assert (end, await bench.leader()) == ("PromotionRefused", before), told
    assert code in told


@pytest.mark.parametrize("lost", ["region.promote", "region.await_promotion", "region.verify_route", "region.await_replica"])
async def test_an_answer_that_never_reaches_temporal(bench: RegionBench, lost: str) -> None:
    before = await bench.leader()
    bench.faults.order(lost, Fault.UNREPORTED)
    end, told = await bench.ending(await bench.start())
    assert end == "completed", told
    await _must_have_moved(bench, before)


async def test_a_cancel_before_the_promotion_changes_nothing(bench: RegionBench) -> None:
    before = await bench.leader()
    held = bench.faults.order("region.survey_database", Fault.HANGS)
    handle = await bench.start()
    await held.reached.wait()
    await handle.cancel()
    assert (await bench.ending(handle))[0] == "cancelled"
    assert (await bench.leader(), bench.changes()) == (before, [])


async def test_a_cancel_after_it_changes_nothing_either(bench: RegionBench) -> None:
    before = await bench.leader()
    held = bench.faults.order("region.await_promotion", Fault.OUTLIVES)
    handle = await bench.start()
    await held.reached.wait()
    await cancel(handle)
    bench.faults.release()
    end, told = await bench.ending(handle)
    assert end == "completed", told
    await _must_have_moved(bench, before)


async def test_a_planned_run_whose_primary_dies_meanwhile_leaves_the_way_free(bench: RegionBench) -> None:
    """Azure refuses to begin; nobody could start a forced failover while this run went on asking."""
    before = await bench.leader()
    bench.azure.emulator.faults.order(Azure(**_PATCH, ends="Failed", code="ServerBusy"))
    handle = await bench.start()
    async with asyncio.timeout(30):
        while not bench.changes():
            await asyncio.sleep(0.01)
    await asyncio.to_thread(bench.azure.servers.kill, before)
    end, told = await bench.ending(handle)
    await bench.azure.servers.heal(before)
    assert (end, len(bench.changes())) == ("NoPrimary", 1), told
    assert "--mode forced" in told


@pytest.mark.parametrize("answer", [{"status": 503, "code": "ServiceUnavailable"}, {"drop": "before"}])
async def test_azure_does_not_answer_for_the_lost_region(bench: RegionBench, answer: dict[str, Any]) -> None:
    """It hands questions about a server on to its region."""
    before = await bench.leader()
    after = bench.replica_of(before)
    for path in (f"*/flexibleServers/{before}", f"*/flexibleServers/{before}/*"):
        bench.azure.emulator.faults.order(Azure(path=path, times=0, **answer))
    await asyncio.to_thread(bench.azure.servers.kill, before)
    end, told = await bench.ending(await bench.start("forced", to=after))
    assert (end, await bench.leader()) == ("completed", after), told
    assert bench.changes() == ["PATCH 202"]
    bench.azure.emulator.faults.clear()


async def test_a_request_that_azure_forbids_at_the_second_attempt_may_have_been_heard_at_the_first(
    bench: RegionBench,
) -> None:
    before = await bench.leader()
    bench.azure.emulator.faults.order(Azure(**_PATCH, drop="after"))
    candidate = f"*/flexibleServers/{bench.replica_of(before)}"
    bench.azure.emulator.faults.order(Azure(method="GET", path=candidate, nth=3, status=403, code="AuthorizationFailed"))
    end, told = await bench.ending(await bench.start())
    assert end == "completed", told
    await _must_have_moved(bench, before)


async def test_a_cancel_between_two_requests_is_honoured(bench: RegionBench) -> None:
    before = await bench.leader()
    bench.azure.emulator.faults.order(Azure(**_PATCH, ends="Failed", code="ServerBusy", times=0))
    handle = await bench.start()
    async with asyncio.timeout(30):
        while not bench.changes():
            await asyncio.sleep(0.01)
    await handle.cancel()
    end, _ = await bench.ending(handle)
    assert (end, await bench.leader(), len(bench.changes())) == ("cancelled", before, 1)


async def test_a_promotion_that_does_not_end_in_time_is_stranded(
    temporal: Client, shared: AzurePair, tmp_path: Path
) -> None:
    async with serving(temporal, shared, tmp_path, thresholds={"promoted_within": "PT0.3S"}) as bench:
        end, told = await bench.ending(await bench.start())
        assert end == "Stranded"
        assert "it has not ended in time" in told
        await bench.until_healthy()


async def test_an_endpoint_that_leads_elsewhere_is_stranded(
    temporal: Client, shared: AzurePair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(temporal, shared, tmp_path, thresholds={"route_within": "PT1S"}) as bench:
        monkeypatch.setattr(shared.names, "point", lambda *_: None)
        before = await bench.leader()
        end, told = await bench.ending(await bench.start())
        assert end == "Stranded", told
        assert "leads to" in told
        again, said = await bench.ending(await bench.start(to=bench.replica_of(before)))
        assert (again, "see its DNS record" in said) == ("MovedAlready", True)
        monkeypatch.undo()
        shared.flexible.state.publish(shared.flexible.state.endpoints["aiagent"])
        await bench.until_healthy()
