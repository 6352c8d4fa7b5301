"""Whatever Azure answers, or does not: each change once, and a true statement at the end. Who dies: ``test_survival``."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.lab.azure.faults import Fault as Azure
from tests.fakes.faults import Fault
from tests.traffic.bench import AWAY, TrafficBench

_ROUTE = {"method": "PATCH", "path": "*/routes/*"}
_ORIGIN = {"method": "PATCH", "path": "*/origins/*"}
_ENDPOINT = {"method": "PATCH", "path": "*/externalEndpoints/*"}
_POLL = {"method": "GET", "path": "*/operationresults/*"}
_PATCHES = {"groups": _ROUTE, "origins": _ORIGIN, "manager": _ENDPOINT}
_ANSWERS: dict[str, dict[str, Any]] = {
    "lost": {"drop": "after"},
    "dropped": {"drop": "before"},
    "throttled, with a time": {"status": 429, "retry_after": 1, "code": "TooManyRequests"},
    "throttled": {"status": 429, "code": "TooManyRequests"},
    "conflict": {"status": 409, "code": "Conflict"},
    "unavailable": {"status": 503, "code": "ServiceUnavailable"},
    "broken": {"status": 500},
}


async def _must_have_moved(bench: TrafficBench, *, accepted: int = 1) -> None:
    end, told = await bench.ending(await bench.start())
    assert (end, bench.served_by()) == ("completed", AWAY), told
    assert len(bench.changes()) == accepted
    struck = [one for one in bench.world.emulator.log if one.refused_by == "fault" or one.status == 0]
    assert struck or accepted > 1


@pytest.mark.parametrize("bench", _PATCHES, indirect=True)
@pytest.mark.parametrize("answer", _ANSWERS)
async def test_a_fault_costs_time_and_no_second_change(bench: TrafficBench, answer: str) -> None:
    bench.world.emulator.faults.order(Azure(**_PATCHES[bench.layout], **_ANSWERS[answer]))
    await _must_have_moved(bench)


@pytest.mark.parametrize(
    "fault",
    [
        Azure(**_POLL, status=503, code="ServiceUnavailable", times=3),
        Azure(**_POLL, drop="before", times=2),
        Azure(**_POLL, status=404, code="ResourceNotFound", times=0),
        Azure(**_POLL, status=429, retry_after=1, code="TooManyRequests"),
        Azure(method="GET", path="*/routes/*", nth=2, status=500, times=3),
    ],
    ids=lambda fault: f"{fault.path}-{fault.status or fault.drop}-{fault.times}",
)
async def test_silence_while_azure_works_is_waited_out(bench: TrafficBench, fault: Azure) -> None:
    bench.world.emulator.faults.order(fault)
    await _must_have_moved(bench)


async def test_a_request_that_names_no_operation_is_followed_by_the_route(bench: TrafficBench) -> None:
    bench.world.emulator.faults.order(Azure(**_ROUTE, links=False))
    end, told = await bench.ending(await bench.start())
    assert (end, bench.served_by(), len(bench.changes())) == ("completed", AWAY, 1), told


async def test_a_change_that_azure_was_too_busy_for_is_asked_for_again(bench: TrafficBench) -> None:
    bench.world.emulator.faults.order(Azure(**_ROUTE, ends="Failed", code="ServerBusy"))
    await _must_have_moved(bench, accepted=2)


@pytest.mark.parametrize("ends", ["Failed", "Canceled"])
async def test_an_operation_that_fails_leaves_everything_as_it_was(bench: TrafficBench, ends: str) -> None:
    before = bench.settings()
    bench.world.emulator.faults.order(Azure.model_validate({**_ROUTE, "ends": ends, "code": "InternalServerError"}))
    end, told = await bench.ending(await bench.start())
    assert (end, bench.settings(), len(bench.changes())) == ("NotAvailable", before, 1), told
    assert "InternalServerError" in told


async def test_an_operation_that_says_failed_and_has_done_it_is_done(bench: TrafficBench) -> None:
    bench.world.emulator.faults.order(Azure(**_ROUTE, ends="Failed", code="InternalServerError", acted=True))
    end, told = await bench.ending(await bench.start())
    assert (end, bench.served_by(), len(bench.changes())) == ("completed", AWAY, 1), told


@pytest.mark.parametrize("bench", ["both"], indirect=True)
@pytest.mark.parametrize(("status", "code"), [(403, "AuthorizationFailed"), (400, "BadRequest")])
async def test_a_no_of_azure_puts_back_what_was_done_before(bench: TrafficBench, status: int, code: str) -> None:
    before = bench.settings()
    bench.world.emulator.faults.order(Azure(**_ROUTE, status=status, code=code))
    end, told = await bench.ending(await bench.start())
    assert (end, bench.settings()) == ("RolledBack", before), told
    assert bench.changes() == ["PATCH 200 east", "PATCH 200 east"]
    assert code in told


@pytest.mark.parametrize("bench", ["both"], indirect=True)
@pytest.mark.parametrize("lost", ["traffic.change", "traffic.await_change", "traffic.await_served", "traffic.survey"])
async def test_an_answer_that_never_reaches_temporal(bench: TrafficBench, lost: str) -> None:
    bench.faults.order(lost, Fault.UNREPORTED)
    end, told = await bench.ending(await bench.start())
    assert (end, bench.served_by()) == ("completed", AWAY), told
    assert bench.changes() == ["PATCH 200 east", "PATCH 202 default-route"]


@pytest.mark.parametrize("bench", ["both"], indirect=True)
@pytest.mark.parametrize("answer", _ANSWERS)
async def test_a_fault_on_the_way_back(bench: TrafficBench, answer: str) -> None:
    before = bench.settings()
    bench.world.emulator.faults.order(Azure(**_ROUTE, nth=2, **_ANSWERS[answer]))
    bench.faults.order("traffic.await_served", Fault.REFUSED)
    end, told = await bench.ending(await bench.start())
    assert (end, bench.settings()) == ("RolledBack", before), told
    assert len(bench.changes()) == 4, "two there, two back"
