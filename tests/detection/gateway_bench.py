"""A gateway behind the emulated Azure that real witnesses look at: their eyes, their probes, a real Temporal server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.worker import Worker

from activities.clients.backend_http import BackendHttp
from activities.detection.models import Look, witness_queue
from activities.detection.probes.gateways import AzureWords, GatewayEye
from activities.detection.steps import WatchActivities
from activities.detection.witness import WitnessActivities
from activities.run.heartbeat import Heartbeat
from activities.run.inventory import EstateActivities
from activities.run.models.wire import read
from activities.run.own_targets import OwnTargets
from activities.run.parents import ParentActivities
from activities.run.records import RecordsActivities
from activities.traffic.gateway_change import GatewayChangeActivities
from activities.traffic.gateway_survey import GatewayLookActivities
from deploy.lab.patience import stretched
from tests.detection.bench import WITNESSES
from tests.gateways.bench import GatewayBench
from tests.gateways.world import GATEWAY, GatewayWorld
from tests.postgres.bench import Handle
from workflows.detection.models import WatchStatus

WATCH = f"watch/gateway/{GATEWAY}"
QUICK: dict[str, Any] = {
    "interval": "PT0.1S", **dict.fromkeys(("stopped_after", "refused_after", "silent_after"), "PT0.2S"),
    "steady_after": "PT0S", "cooldown": "PT1S", "healthy_after": "PT0.5S", "asks_azure_every": "PT0.3S",
}  # fmt: skip


class WatchedGateway(GatewayBench):
    """A gateway, a worker, and three witnesses; those in ``frozen`` look no more, those in ``blind`` see nothing."""

    def __init__(self, client: Client, world: GatewayWorld, folder: Path, **watch: Any) -> None:
        super().__init__(client, world, folder, watch={**QUICK, **watch})
        content = yaml.safe_load(self.estate.read_text(encoding="utf-8"))
        self.estate.write_text(yaml.safe_dump({**content, "witnesses": list(WITNESSES)}), encoding="utf-8")
        self.frozen: set[str] = set()
        self.blind: set[str] = set()
        self._thaw = asyncio.Event()
        self._looking: dict[str, tuple[Worker, asyncio.Task[None]]] = {}

    def look_as(self, witness: str) -> None:
        """Let a witness come."""
        bench, words = self, AzureWords(self.gateways)

        class Eye:
            def __init__(self, target: Any) -> None:
                self._eye = GatewayEye(words, BackendHttp(), target)

            async def look(self) -> Look:
                if witness in bench.frozen:
                    await bench._thaw.wait()
                return Look(blind="its network is cut") if witness in bench.blind else await self._eye.look()

        worker = Worker(
            self.client,
            task_queue=witness_queue(self.queue, witness),
            activities=[WitnessActivities(Eye).look],
            interceptors=[Heartbeat(), OwnTargets(self.inventory)],
            max_heartbeat_throttle_interval=timedelta(seconds=0.2),
            graceful_shutdown_timeout=timedelta(0),
        )
        self._looking[witness] = (worker, asyncio.create_task(worker.run()))

    async def watch(self) -> Handle:
        """Start the watch; return once every witness sees."""
        handle: Handle = await self.client.start_workflow(
            "gateway-watch", {"target": GATEWAY}, id=WATCH, task_queue=self.queue, execution_timeout=timedelta(minutes=5)
        )
        self.started.append(handle)
        await self.until(lambda status: status.seeing == len(WITNESSES) == len(status.witnesses))
        return handle

    async def standing(self) -> WatchStatus:
        return read(WatchStatus, await self.client.get_workflow_handle(WATCH).query("watch_status"))

    async def until(self, holds: Callable[[WatchStatus], Any], seconds: float = 20) -> WatchStatus:
        """Wait until the watch stands so."""
        async with asyncio.timeout(stretched(seconds)):
            while not holds(status := await self.standing()):
                await asyncio.sleep(0.05)
        return status

    async def begun(self, watch: Handle) -> int:
        """Return how many runs the watch has begun."""
        kind = EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED
        return sum([one.event_type == kind for one in (await watch.fetch_history()).events])

    async def close(self) -> None:
        self._thaw.set()
        for worker, task in self._looking.values():
            await worker.shutdown()
            await task
        await super().close()


@asynccontextmanager
async def watching(client: Client, world: GatewayWorld, folder: Path, **watch: Any) -> AsyncIterator[WatchedGateway]:
    """Serve a gateway whose estate says how it is watched, and its witnesses."""
    bench = WatchedGateway(client, world, folder, **watch)
    bench.serve((
        EstateActivities(bench.inventory), RecordsActivities(bench.inventory), WatchActivities(bench.inventory),
        ParentActivities(), GatewayLookActivities(bench.gateways, BackendHttp()), GatewayChangeActivities(bench.gateways),
    ))  # fmt: skip
    for witness in WITNESSES:
        bench.look_as(witness)
    try:
        yield bench
    finally:
        await bench.close()
        await bench.gateways.close()
