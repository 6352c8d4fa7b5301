"""A workload in memory, a real Temporal server, and a worker that serves ``pod-failover``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml
from temporalio.client import Client

from activities.pods.steps import PodActivities
from activities.run.inventory import EstateActivities
from activities.run.records import RecordsActivities
from tests.fakes.faults import Faults
from tests.pods.world import PodWorld
from tests.postgres.bench import Handle
from tests.run.served import Served
from workflows.pods.models import pods_lock_id
from workflows.run.models import plan_id

_LONGEST = timedelta(seconds=90)


class PodBench(Served):
    """One workload of its own name, and a worker for it."""

    def __init__(self, client: Client, folder: Path, **changes: Any) -> None:
        """Write an estate; ``changes`` replace keys of the workload's entry."""
        super().__init__(client, f"pods-{uuid4().hex[:8]}", Faults())
        self.folder, self.world, self.workload = folder, PodWorld(), f"api-{uuid4().hex[:8]}"
        self.estate = folder / "estate.yaml"
        entry = {
            "region": "eastus", "deployment": "api-deployment", "service": "api",
            "patience": "PT2S", "settled_within": "PT2S", **changes,
        }  # fmt: skip
        content = {
            "regions": {"eastus": {"location": "East US", "namespace": "aiagent-prod"}},
            "workloads": {self.workload: entry},
            "people": {"dana": ["DBA"], "omar": ["DBA"]},
            "records": str(folder / "records"),
        }
        self.estate.write_text(yaml.safe_dump(content), encoding="utf-8")

    async def start(self, *args: Any, id: str | None = None, **more: Any) -> Handle:  # noqa: A002 - Temporal's name
        """Start a run with exactly ``args``, or a real one with ``more``."""
        request = {"workload": self.workload, "run": "real", "by": "omar", "reason": "a test", **more}
        lock = pods_lock_id(self.workload)
        usual = plan_id(lock) if request["run"] == "plan" else lock
        handle: Handle = await self.client.start_workflow(
            "pod-failover", args=args or [request], id=id or usual, task_queue=self.queue, execution_timeout=_LONGEST
        )
        self.started.append(handle)
        return handle


@asynccontextmanager
async def serving(client: Client, folder: Path, **changes: Any) -> AsyncIterator[PodBench]:
    """Serve the workload until the block ends."""
    bench = PodBench(client, folder, **changes)
    bench.serve((EstateActivities(bench.inventory), RecordsActivities(bench.inventory), PodActivities(bench.world)))
    try:
        yield bench
    finally:
        await bench.close()
