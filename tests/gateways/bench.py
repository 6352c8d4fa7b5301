"""A gateway behind the emulated Azure, a real Temporal server, and a worker with the least rights."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml
from temporalio.client import Client

from activities.clients.azure.access import AzureAccess
from activities.clients.azure.application_gateway import AzureGateways
from activities.clients.backend_http import BackendHttp
from activities.run.inventory import EstateActivities
from activities.run.records import RecordsActivities
from activities.traffic.gateway_change import GatewayChangeActivities
from activities.traffic.gateway_models import GatewayDetails
from activities.traffic.gateway_survey import GatewayLookActivities
from estate.gateways import GatewayTarget
from estate.loader import load_estate
from estate.resolving import resolve_gateway
from tests.azure.pair import TOKEN
from tests.fakes.faults import Faults
from tests.gateways.samples import ENTRY
from tests.gateways.world import GATEWAY, GatewayWorld
from tests.postgres.bench import Handle
from tests.run.served import Served
from workflows.run.models import plan_id
from workflows.traffic.gateway_models import gateway_lock_id

_LONGEST = timedelta(seconds=120)
LOCK = gateway_lock_id(GATEWAY)


class GatewayBench(Served):
    """One gateway and a worker for it."""

    def __init__(self, client: Client, world: GatewayWorld, folder: Path, **changes: Any) -> None:
        """Write an estate; ``changes`` replace keys of the gateway's entry."""
        super().__init__(client, f"gateway-{uuid4().hex[:8]}", Faults())
        self.world, self.folder = world, folder
        self.estate = folder / "estate.yaml"
        (folder / "bearer").write_text(TOKEN, encoding="utf-8")
        content = {
            "regions": {"eastus": {"location": "East US", "namespace": "aiagent-prod"}},
            "gateways": {GATEWAY: {**ENTRY, "thresholds": {"healthy_within": "PT10S", "answer_within": "PT1S"}, **changes}},
            "people": {"dana": ["DBA"], "mona": ["Manager"], "omar": ["DBA"]},
            "records": str(folder / "records"),
        }
        self.estate.write_text(yaml.safe_dump(content), encoding="utf-8")
        access = AzureAccess(world.emulator.url, f"file:{folder / 'bearer'}", timedelta(seconds=0.05))
        self.gateways = AzureGateways(access)

    async def start(self, **more: Any) -> Handle:
        """Start a run."""
        request = {"gateway": GATEWAY, "run": "real", "by": "omar", "reason": "a test", **more}
        handle: Handle = await self.client.start_workflow(
            "gateway-failover",
            request,
            id=plan_id(LOCK) if request["run"] == "plan" else LOCK,
            task_queue=self.queue,
            execution_timeout=_LONGEST,
        )
        self.started.append(handle)
        return handle

    async def run(self, **more: Any) -> tuple[str, str]:
        """Start a run and wait for its end."""
        return await self.ending(await self.start(**more))

    def details(self) -> GatewayDetails:
        """Return those of the newest report."""
        return self.report().of(GatewayDetails)

    @property
    def target(self) -> GatewayTarget:
        return resolve_gateway(load_estate(self.estate), GATEWAY)


@asynccontextmanager
async def serving(client: Client, world: GatewayWorld, folder: Path, **changes: Any) -> AsyncIterator[GatewayBench]:
    """Serve the gateway until the block ends."""
    bench = GatewayBench(client, world, folder, **changes)
    bench.serve((
        EstateActivities(bench.inventory), RecordsActivities(bench.inventory),
        GatewayLookActivities(bench.gateways, BackendHttp()), GatewayChangeActivities(bench.gateways),
    ))  # fmt: skip
    try:
        yield bench
    finally:
        await bench.close()
        await bench.gateways.close()
