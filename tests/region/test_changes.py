"""What Azure is asked besides promotions, under the shipped role: a server is stopped, started, and given a standby."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from activities.clients.operation_facts import OperationState
from activities.clients.ports import BusyError
from activities.region.models import READY
from deploy.lab.azure.faults import Fault as Azure
from tests.region.bench import RegionBench


async def _ended(bench: RegionBench, operation: str) -> OperationState:
    async with asyncio.timeout(20):
        while (fact := await bench.servers.operation(bench.target, operation)).state is OperationState.RUNNING:
            await asyncio.sleep(0.02)
    return fact.state


async def test_a_server_is_stopped_and_started_by_one_request_each(bench: RegionBench) -> None:
    server = bench.replica_of(await bench.leader())
    stopping = await bench.servers.stop(bench.target, server)
    assert (await bench.servers.server(bench.target, server)).state == "Stopping"
    assert await _ended(bench, stopping) is OperationState.SUCCEEDED
    assert (await bench.servers.server(bench.target, server)).state == "Stopped"
    assert not await bench.azure.servers.is_up(server)
    starting = await bench.servers.start(bench.target, server)
    assert (await bench.servers.server(bench.target, server)).state == "Starting"
    assert await _ended(bench, starting) is OperationState.SUCCEEDED
    assert await bench.until_healthy() == bench.replica_of(server)
    assert bench.changes() == ["POST 202", "POST 202"]


async def test_a_server_gets_high_availability_by_one_request(bench: RegionBench) -> None:
    leader = await bench.leader()
    bench.azure.flexible.server(leader).ha_mode = "Disabled"
    begun = await bench.servers.stand_by(bench.target, leader, "ZoneRedundant")
    assert await _ended(bench, begun) is OperationState.SUCCEEDED
    fact = await bench.servers.server(bench.target, leader)
    assert (fact.high_availability, fact.state, bench.changes()) == ("ZoneRedundant Healthy", READY, ["PATCH 202"])


async def test_what_is_stopped_is_not_stopped_again_and_what_runs_is_not_started(bench: RegionBench) -> None:
    server = bench.replica_of(await bench.leader())
    assert await _ended(bench, await bench.servers.start(bench.target, server)) is OperationState.FAILED
    ended = [await _ended(bench, await bench.servers.stop(bench.target, server)) for _ in range(2)]
    assert ended == [OperationState.SUCCEEDED, OperationState.BUSY]
    await _ended(bench, await bench.servers.start(bench.target, server))
    assert await bench.until_healthy()


@pytest.mark.parametrize("change", ["stop", "start"])
async def test_a_request_that_azure_throttles_is_not_sent_again(bench: RegionBench, change: str) -> None:
    fault: dict[str, Any] = {"method": "POST", "path": f"*/{change}"}
    bench.azure.emulator.faults.order(Azure(**fault, status=429, code="TooManyRequests"))
    with pytest.raises(BusyError):
        await getattr(bench.servers, change)(bench.target, await bench.leader())
    assert [one.status for one in bench.azure.emulator.log if one.method == "POST"] == [429]
