"""A pair of Flexible Servers on real PostgreSQL behind the emulated Azure, a real Temporal server, and a worker.

The worker has the rights of ``postgres.json`` and ``quota.json`` in ``deploy/azure/roles`` and no more. Each test begins
with whoever leads then, and leaves a healthy pair.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import yaml
from temporalio.client import Client

from activities.clients.azure.access import AzureAccess
from activities.clients.azure.flexible import AzureFlexible
from activities.clients.flexible_sql import FlexibleSqlClient
from activities.region.models import READY
from activities.region.promotion import PromotionActivities
from activities.region.route import FlexibleRouteActivities
from activities.region.survey import FlexibleLookActivities
from activities.run.inventory import EstateActivities
from activities.run.records import RecordsActivities
from deploy.lab.azure.pair import OPERATOR_PASSWORD
from deploy.lab.azure.roles import Role
from estate.flexible import FlexibleTarget
from estate.loader import load_estate
from estate.resolving import resolve_flexible
from tests.azure.pair import (
    ENDPOINT,
    HOSTS,
    NAMES_HOST,
    PRIMARY,
    PRIMARY_GROUP,
    QUOTA_ROLE,
    REPLICA,
    REPLICA_GROUP,
    ROLE_FILE,
    SUBSCRIPTION,
    TOKEN,
    WRITER,
    AzurePair,
    azure_pair,
    new_folder,
)
from tests.fakes.faults import Faults
from tests.postgres.bench import Handle
from tests.run.served import Served
from workflows.region.models import flexible_lock_id
from workflows.run.models import plan_id

DATABASE = "aiagent-db"
_LONGEST = timedelta(seconds=150)
_OTHER = {PRIMARY: REPLICA, REPLICA: PRIMARY}


class RegionBench(Served):
    """One database and a worker for it."""

    def __init__(self, client: Client, azure: AzurePair, folder: Path, **changes: Any) -> None:
        """Write an estate; ``changes`` replace keys of the database's entry."""
        super().__init__(client, f"region-{uuid4().hex[:8]}", Faults())
        self.azure, self.folder = azure, folder
        self.estate = folder / "estate.yaml"
        for name, secret in (("password", OPERATOR_PASSWORD), ("bearer", TOKEN)):
            (folder / name).write_text(secret, encoding="utf-8")
        entry = {
            "region": "eastus", "subscription": SUBSCRIPTION, "virtual_endpoint": ENDPOINT, "database": "aiagent",
            "servers": {
                PRIMARY: {"resource_group": PRIMARY_GROUP, "region": "eastus"},
                REPLICA: {"resource_group": REPLICA_GROUP, "region": "westus2"},
            },
            "login": {"password": f"file:{folder / 'password'}", "port": azure.servers.address(PRIMARY).port,
                      "sslmode": "disable"},
            "nameserver": NAMES_HOST, "nameserver_port": azure.names.port, **changes,
        }  # fmt: skip
        content = {
            "regions": {
                "eastus": {"location": "East US", "namespace": "aiagent-prod"},
                "westus2": {"location": "West US 2", "namespace": "aiagent-prod"},
            },
            "flexible_servers": {DATABASE: entry},
            "people": {"dana": ["DBA"], "mona": ["Manager"], "carl": ["CTO"], "omar": ["DBA"]},
            "records": str(folder / "records"),
        }
        self.estate.write_text(yaml.safe_dump(content), encoding="utf-8")
        access = self.access = AzureAccess(azure.emulator.url, f"file:{folder / 'bearer'}", timedelta(seconds=0.1))
        self.servers, self.sql = AzureFlexible(access), FlexibleSqlClient()
        azure.emulator.faults.clear()

    async def start(self, mode: str = "planned", **more: Any) -> Handle:
        """Start a failover."""
        request = {"database": DATABASE, "mode": mode, "run": "real", "by": "omar", "reason": "a test", **more}
        lock = flexible_lock_id(DATABASE)
        handle: Handle = await self.client.start_workflow(
            "postgres-region-failover",
            request,
            id=plan_id(lock) if request["run"] == "plan" else lock,
            task_queue=self.queue,
            execution_timeout=_LONGEST,
        )
        self.started.append(handle)
        return handle

    async def leader(self) -> str:
        """Return the server whose address the writer name gives, if it takes writes."""
        address = await self.azure.resolve(WRITER)
        name = next(server for server, host in HOSTS.items() if host == address)
        return name if await self.is_primary(name) else ""

    async def is_primary(self, server: str) -> bool:
        """Whether it answers, and takes writes."""
        try:
            return not (await self.azure.servers.sql(server, "select pg_is_in_recovery()"))[0][0]
        except psycopg.Error:
            return False

    def replica_of(self, leader: str) -> str:
        return _OTHER[leader]

    def changes(self) -> list[str]:
        """Return every call that was to change something and was carried out, as METHOD STATUS; 0: its answer was lost."""
        carried_out = [one for one in self.azure.emulator.log if not one.refused_by]
        return [f"{one.method} {one.status}" for one in carried_out if one.method != "GET"]

    async def heal(self) -> None:
        """Start what an earlier test has killed."""
        for server in HOSTS:
            if not await self.azure.servers.is_up(server):
                await self.azure.servers.heal(server)

    async def until_healthy(self) -> str:
        """Wait until one leads, the other streams from it, and Azure says so; return who leads."""
        async with asyncio.timeout(60):
            while not (leader := await self._leads_a_replica()):
                await asyncio.sleep(0.1)
        return leader

    async def _leads_a_replica(self) -> str:
        facts = {server: await self.servers.server(self.target, server) for server in HOSTS}
        if any(fact.state != READY for fact in facts.values()) or not (leader := await self.leader()):
            return ""
        streams = await self.azure.servers.sql(leader, "select count(*) from pg_stat_replication where state = 'streaming'")
        return leader if streams == [(1,)] and facts[self.replica_of(leader)].source == leader else ""

    @property
    def target(self) -> FlexibleTarget:
        return resolve_flexible(load_estate(self.estate), DATABASE)


@asynccontextmanager
async def running() -> AsyncIterator[AzurePair]:
    """Run the pair with the least rights."""
    with new_folder() as folder:
        async with azure_pair(folder, roles=[Role.load(one) for one in (ROLE_FILE, QUOTA_ROLE)]) as azure:
            await azure.provide_operator()
            yield azure


@asynccontextmanager
async def serving(client: Client, azure: AzurePair, folder: Path, **changes: Any) -> AsyncIterator[RegionBench]:
    """Serve the database until the block ends."""
    bench = RegionBench(client, azure, folder, **changes)
    await bench.heal()
    await bench.until_healthy()
    azure.emulator.log.clear()
    azure.emulator.faults.clear()
    bench.serve((
        EstateActivities(bench.inventory), RecordsActivities(bench.inventory),
        FlexibleLookActivities(bench.servers, bench.sql), PromotionActivities(bench.servers, bench.sql),
        FlexibleRouteActivities(bench.sql),
    ))  # fmt: skip
    try:
        yield bench
    finally:
        await bench.close()
        await bench.servers.close()
