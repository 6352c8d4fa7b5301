"""One suite, two worlds: the in-memory one that the interruption tests use, and the real platform of a lab.

The real one is used where ``FAILOVER_CONTRACT`` holds a ``PostgresTarget`` as JSON; ``tests/lab/test_contract.py`` runs
the suite like that, from inside the lab's network.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest_asyncio

from activities.clients.gate import GateClient
from activities.clients.kubernetes.addresses import Addresses
from activities.clients.kubernetes.core import KubernetesClient
from activities.clients.kubernetes.leader_record import LeaderRecordClient
from activities.clients.ports import ConflictError
from activities.clients.postgres import PostgresClient
from activities.clients.systems import Systems
from estate.loader import load_estate
from estate.postgres import PostgresTarget
from estate.resolving import resolve_target
from gate.record import Record
from tests.fakes.clients import systems_of
from tests.fakes.world import World

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "estate.example.yaml"
REAL = os.environ.get("FAILOVER_CONTRACT", "")


class Bench:
    """A cluster and the three clients that look at it."""

    def __init__(self, systems: Systems, target: PostgresTarget) -> None:
        self.kubernetes, self.leader_records = systems.kubernetes, systems.leader_records
        self.gates, self.postgres = systems.gates, systems.postgres
        self.target, self.region = target, target.region
        self.service = target.cluster.write_service

    async def record(self) -> Record:
        found = await self.leader_records.read(self.region, self.service)
        assert found is not None
        return found

    async def leader(self) -> str:
        return (await self.record()).leader

    async def standby(self) -> str:
        leader = await self.leader()
        return next(name for name in self.target.cluster.members if name != leader)

    async def write(self, **changes: object) -> Record:
        """Change the record, against gates that write it too."""
        while True:
            wanted = (await self.record()).model_copy(update=changes)
            try:
                return await self.leader_records.write(self.region, self.service, wanted)
            except ConflictError:
                await asyncio.sleep(0.01)

    async def until(self, holds: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while not await holds():
                await asyncio.sleep(0.05)

    async def is_whole(self) -> bool:
        record = await self.record()
        return record.intent is None and await self.standby() in record.sync_members


@pytest_asyncio.fixture(loop_scope="session")
async def bench() -> AsyncIterator[Bench]:
    """Hand out a whole cluster."""
    if not REAL:
        world = World()
        async with world.living():
            yield Bench(systems_of(world), resolve_target(load_estate(EXAMPLE), "orders"))
        assert world.violations == []
        return
    kubernetes = KubernetesClient()
    addresses = Addresses(kubernetes)
    gates = GateClient(addresses)
    systems = Systems(kubernetes, LeaderRecordClient(kubernetes), gates, PostgresClient(addresses))
    bench = Bench(systems, PostgresTarget.model_validate_json(REAL))
    await bench.until(bench.is_whole)
    yield bench
    await bench.until(bench.is_whole)
    await gates.close()
