"""How long one pass takes: ``python -m tests.readiness.figure [TARGETS]`` (200) starts a Temporal server and one worker.

Nothing but the systems' answers is fake. A pass that writes fails: every client refuses it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from uuid import uuid4

from temporalio.client import Client

from activities.readiness.steps import ReadinessActivities
from activities.run.declare import steps_of
from activities.run.inventory import EstateActivities, Inventory
from activities.run.parents import ParentActivities
from activities.run.records import RecordsActivities
from tests.fakes.faults import Faults
from tests.postgres.worker import worker_of
from tests.readiness.bench import checking
from tests.readiness.calm import Calm
from tests.readiness.estate import write_estate
from tests.temporal_server import start_server
from workers.embedded import TUNING
from workflows.catalog import PROCEDURES
from workflows.readiness.models import ReadinessStatus


def calm_of(folder: Path, targets: int) -> Calm:
    """Return systems that suit an estate of so many targets, which is written to ``folder``."""
    write_estate(folder / "estate.yaml", targets)
    calm = Calm(Inventory(folder / "estate.yaml"))
    fact = calm.nodes.nodes_by_name.popitem()[1]
    names = [f"node-{number}" for number in range(targets // 10)]
    calm.nodes.nodes_by_name = {name: fact.model_copy(update={"name": name}) for name in names}
    return calm


async def one_pass(client: Client, folder: Path, targets: int) -> tuple[ReadinessStatus, Calm]:
    """Make one pass through ``targets``, with one worker; return what it has found."""
    calm = calm_of(folder, targets)
    queue, inventory = f"readiness-{uuid4().hex[:8]}", calm.clients.inventory
    owners = [
        EstateActivities(inventory), RecordsActivities(inventory), ParentActivities(),
        ReadinessActivities(inventory, calm.clients.nodes),
        *(one for spec in PROCEDURES for one in spec.serves(calm.clients)),
    ]  # fmt: skip
    steps = [step for group in {type(one): one for one in owners}.values() for step in steps_of(group)]
    worker = worker_of(client, queue, steps, inventory, Faults())
    async with worker, checking(client, queue) as passes:
        return await passes.first(within=300), calm


async def _figure(targets: int) -> None:
    tuning = [part for value in TUNING for part in ("--dynamic-config-value", value)]
    environment = await start_server(dev_server_extra_args=tuning)
    async with environment:
        with tempfile.TemporaryDirectory(prefix="failover-readiness-") as folder:
            before = os.times()
            status, calm = await one_pass(environment.client, Path(folder), targets)
            spent = os.times().user - before.user
    many, seconds = len(status.checks), status.took_seconds
    lines = [
        f"{targets} targets, {many} dry runs, one worker: {seconds:.1f} s; {status.counts['ready']} ready",
        f"processor time of the worker, its start included: {spent:.1f} s; load {os.getloadavg()[0]:.1f}",
        f"looks: {len(calm.asked)}; writes that were tried: {len(calm.refused)} {dict(Counter(calm.refused))}",
        *(f"{one.readiness.value}: {one.procedure} {one.target} {one.variant}: {one.reasons[0].message[:300]}"
          for one in status.checks[:10] if one.readiness.value != "ready"),
    ]  # fmt: skip
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    asyncio.run(_figure(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
    sys.stdout.flush()
    os._exit(0)
