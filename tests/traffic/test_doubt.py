"""Nobody knows whether a request was heard, or a look is out of date: no second change, no false end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from activities.clients.azure.access import AzureAccess
from activities.clients.azure.front_door import AzureFrontDoor
from activities.run.models.report import Outcome
from activities.traffic.models import SUCCEEDED, Change, LeverFact
from deploy.lab.azure.faults import Fault as Azure
from deploy.lab.patience import stretched
from estate.traffic import TrafficTarget
from tests.fakes.faults import Fault
from tests.traffic.bench import AWAY, DR_POOL, PROFILE, TrafficBench, serving
from tests.traffic.test_unseen import ShowsLate

_ROUTE: dict[str, Any] = {"method": "PATCH", "path": "*/routes/*"}


@asynccontextmanager
async def _late(temporal: Client, folder: Path) -> AsyncIterator[TrafficBench]:
    async with serving(temporal, folder, front=ShowsLate, pace=0.02) as bench:
        yield bench


async def _until(so: Callable[[], Any]) -> None:
    async with asyncio.timeout(stretched(20)):
        while not so():
            await asyncio.sleep(0.005)


async def test_a_cancel_after_a_lost_answer_waits_until_the_change_is_seen(temporal: Client, tmp_path: Path) -> None:
    async with _late(temporal, tmp_path) as late:
        before = late.settings()
        late.world.emulator.faults.order(Azure(**_ROUTE, drop="after"))
        handle = await late.start()
        await _until(late.changes)
        await handle.cancel()
        end, told = await late.ending(handle)
        assert (end, late.settings(), len(late.changes())) == ("cancelled", before, 2), told
        assert late.report().outcome is Outcome.ROLLED_BACK


async def test_a_lost_answer_is_no_second_change_although_nothing_is_seen(temporal: Client, tmp_path: Path) -> None:
    async with _late(temporal, tmp_path) as late:
        late.world.emulator.faults.order(Azure(**_ROUTE, drop="after"))
        end, told = await late.ending(await late.start())
        assert (end, late.served_by(), len(late.changes())) == ("completed", AWAY, 1), told


async def test_a_change_without_an_operation_is_not_asked_for_twice(temporal: Client, tmp_path: Path) -> None:
    async with _late(temporal, tmp_path) as late:
        late.world.emulator.faults.order(Azure(**_ROUTE, links=False))
        end, told = await late.ending(await late.start())
        assert (end, late.served_by(), len(late.changes())) == ("completed", AWAY, 1), told


@pytest.mark.parametrize("how", [{"drop": "after"}, {"links": False}])
async def test_an_undo_whose_end_is_not_seen_is_not_asked_for_twice(
    temporal: Client, tmp_path: Path, how: dict[str, Any]
) -> None:
    async with _late(temporal, tmp_path) as late:
        before = late.settings()
        late.world.emulator.faults.order(Azure(**_ROUTE, nth=2, **how))
        late.faults.order("traffic.await_served", Fault.REFUSED)
        end, told = await late.ending(await late.start())
        assert (end, late.settings(), len(late.changes())) == ("RolledBack", before, 2), told


class _StandsStill(AzureFrontDoor):
    """Stands still after the look that comes directly before the first request, until it is released."""

    def __init__(self, access: AzureAccess) -> None:
        super().__init__(access)
        self.looks, self.reached, self.cancelled, self.released = 0, asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def lever(self, target: TrafficTarget, change: Change) -> LeverFact:
        fact = await super().lever(target, change)
        self.looks += 1
        while self.looks == 2 and not self.released.is_set():
            self.reached.set()
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                self.cancelled.set()
        return fact


async def test_a_worker_that_stood_still_looks_again_before_it_asks(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = timedelta(0)
    monkeypatch.setattr("activities.traffic.sending.now", lambda: datetime.now(UTC) + passed)
    async with serving(temporal, tmp_path, front=_StandsStill) as bench:
        front: Any = bench.front
        handle = await bench.start()
        await front.reached.wait()
        passed = timedelta(minutes=1)
        bench.route()["originGroup"] = {"id": bench.world.front.profile(PROFILE, "aiagent-prod-rg").group_id("both-regions")}
        front.released.set()
        end, told = await bench.ending(handle)
        assert (end, bench.changes()) == ("ChangedByAnother", []), told


async def test_a_worker_that_was_told_to_stop_while_it_stood_still_asks_nothing(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, front=_StandsStill) as bench:
        front: Any = bench.front
        handle = await bench.start()
        await front.reached.wait()
        await handle.cancel()
        await front.cancelled.wait()
        front.released.set()
        end, told = await bench.ending(handle)
        assert (end, bench.changes()) == ("cancelled", []), told
        assert bench.report().outcome is Outcome.CANCELLED


async def test_an_undo_that_changed_nothing_is_not_claimed_after_a_second_attempt(bench: TrafficBench) -> None:
    held = bench.faults.order("traffic.change", Fault.HANGS)
    bench.faults.order("traffic.restore", Fault.UNREPORTED)
    handle = await bench.start()
    await held.reached.wait()
    await handle.cancel()
    assert (await bench.ending(handle))[0] == "cancelled"
    assert (bench.report().outcome, bench.changes()) == (Outcome.CANCELLED, [])


async def test_what_somebody_else_moved_before_anything_was_sent_is_not_claimed(bench: TrafficBench) -> None:
    bench.world.emulator.faults.order(Azure(method="GET", path="*/routes/*", nth=2, status=503, code="ServiceUnavailable"))
    held = bench.faults.order("traffic.await_served", Fault.HANGS)
    handle = await bench.start()
    await _until(lambda: any(one.refused_by == "fault" for one in bench.world.emulator.log))
    bench.route()["originGroup"] = {"id": bench.world.front.profile(PROFILE, "aiagent-prod-rg").group_id(DR_POOL)}
    await held.reached.wait()
    await handle.cancel()
    assert (await bench.ending(handle))[0] == "cancelled"
    assert (bench.route()["originGroup"]["id"].endswith(DR_POOL), bench.changes()) == (True, [])


async def test_a_change_that_was_refused_before_anything_was_sent_needs_no_undo(bench: TrafficBench) -> None:
    bench.world.emulator.faults.order(Azure(**_ROUTE, status=403, code="AuthorizationFailed"))
    end, told = await bench.ending(await bench.start())
    assert (end, "AuthorizationFailed" in told, bench.changes()) == ("NotAvailable", True, []), told
    assert "traffic.restore" not in bench.faults.calls


class _NotTaken(AzureFrontDoor):
    """Shows a lever as failed after the request of the number ``bad``, until the next one."""

    bad = 1

    def __init__(self, access: AzureAccess) -> None:
        super().__init__(access)
        self._asked = 0

    async def set(self, target: TrafficTarget, change: Change) -> str:
        self._asked += 1
        return await super().set(target, change)

    async def lever(self, target: TrafficTarget, change: Change) -> LeverFact:
        fact = await super().lever(target, change)
        return fact.model_copy(update={"state": "Failed"}) if (fact.state, self._asked) == (SUCCEEDED, self.bad) else fact


class _NotTakenBack(_NotTaken):
    bad = 2


async def test_a_setting_that_azure_has_not_taken_does_not_count_as_made(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, front=_NotTaken) as bench:
        end, told = await bench.ending(await bench.start())
        assert (end, bench.served_by(), len(bench.changes())) == ("completed", AWAY, 2), told


async def test_a_setting_that_azure_has_not_taken_does_not_count_as_put_back(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, front=_NotTakenBack) as bench:
        before = bench.settings()
        bench.faults.order("traffic.await_served", Fault.REFUSED)
        end, told = await bench.ending(await bench.start())
        assert (end, bench.settings(), len(bench.changes())) == ("RolledBack", before, 3), told
