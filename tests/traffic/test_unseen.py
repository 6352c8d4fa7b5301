"""Azure does not document whether a route shows a change before its operation has ended: here it does not show it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from temporalio.client import Client

from activities.clients.azure.access import AzureAccess
from activities.clients.azure.front_door import AzureFrontDoor
from activities.clients.ports import RequestRefusedError
from activities.traffic.models import SUCCEEDED, Change, LeverFact
from deploy.lab.azure.faults import Fault as Azure
from estate.traffic import TrafficTarget
from tests.fakes.faults import Fault
from tests.traffic.bench import AWAY, TrafficBench, serving


class ShowsLate(AzureFrontDoor):
    """Shows the setting of before, and no change under way, until the operation has ended."""

    def __init__(self, access: AzureAccess) -> None:
        super().__init__(access)
        self._seen: dict[str, LeverFact] = {}

    async def lever(self, target: TrafficTarget, change: Change) -> LeverFact:
        fact = await super().lever(target, change)
        if fact.state != SUCCEEDED:
            return self._seen[fact.name].model_copy(update={"state": SUCCEEDED})
        self._seen[fact.name] = fact
        return fact


@pytest_asyncio.fixture(loop_scope="session")
async def late(temporal: Client, tmp_path: Path) -> AsyncIterator[TrafficBench]:
    async with serving(temporal, tmp_path, front=ShowsLate, pace=0.02) as bench:
        yield bench


async def test_the_end_is_what_counts(late: TrafficBench) -> None:
    end, told = await late.ending(await late.start())
    assert (end, late.served_by(), len(late.changes())) == ("completed", AWAY, 1), told


async def test_a_cancel_waits_for_the_operation_before_it_looks(late: TrafficBench) -> None:
    before = late.settings()
    held = late.faults.order("traffic.await_change", Fault.HANGS)
    handle = await late.start()
    await held.reached.wait()
    await handle.cancel()
    end, told = await late.ending(handle)
    assert (end, late.settings(), len(late.changes())) == ("cancelled", before, 2), told


async def test_an_operation_that_fails_unseen_leaves_everything(late: TrafficBench) -> None:
    before = late.settings()
    late.world.emulator.faults.order(Azure(method="PATCH", path="*/routes/*", ends="Failed", code="InternalServerError"))
    end, told = await late.ending(await late.start())
    assert (end, late.settings(), len(late.changes())) == ("NotAvailable", before, 1), told


class _ReadsOnly(AzureFrontDoor):
    """Refuses every change."""

    async def set(self, target: TrafficTarget, change: Change) -> str:  # noqa: ARG002 - as the port has it
        raise RequestRefusedError("this client changes nothing", "ReadOnly")


async def test_a_plan_needs_no_client_that_changes_anything(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, front=_ReadsOnly) as bench:
        end, told = await bench.ending(await bench.start(run="plan"))
        assert (end, "1 change would lead aiagent to westus2" in told) == ("completed", True), told
        end, told = await bench.ending(await bench.start())
        assert (end, "this client changes nothing" in told) == ("NotAvailable", True), told
        assert bench.changes() == []
