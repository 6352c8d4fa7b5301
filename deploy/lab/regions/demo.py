"""``failover lab demo region``: a region is lost under load, three people approve, customers are served from the other one.

Then the lost region comes back, and everything moves back as a planned move.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime

from rich.console import Console
from temporalio.client import Client

from activities.run.models.report import Outcome
from deploy.lab.azure.pair import PRIMARY
from deploy.lab.packages import ensure_packages
from deploy.lab.patience import stretched
from deploy.lab.regions.ending import end
from deploy.lab.regions.names import Regions
from deploy.lab.regions.scene import EAST, WEST, Stage
from deploy.lab.regions.stage import two_regions
from deploy.lab.switching import Handle, ending, plan_of
from starters.client.answers import Output
from starters.client.following import follow
from starters.client.inside import read_children
from starters.client.server import read_run
from starters.client.targets import Place
from starters.history.model import Facts, facts_of
from starters.render.live import display_for
from starters.render.terminal import full
from workflows.region.fence_models import fence_lock_id
from workflows.region.models import CONFIRM, CONFIRM_BACK, region_lock_id
from workflows.run.models import TASK_QUEUE, TASK_TIMEOUT, Decision

_OPERATOR, _APPROVERS = "omar", ("mona", "dana", "carl")
_WIDTH = 120
_REGIONS = Regions("demo")


def region_demo() -> int:
    """Run it; return 0 when customers were served again and no more was lost than the plan had said."""
    ensure_packages(print)
    end(_REGIONS)  # what a demonstration that was killed has left
    began = time.monotonic()
    try:
        code = asyncio.run(_all())
    finally:
        end(_REGIONS)
    print(f"\nDone in {time.monotonic() - began:.0f} s; nothing is left running.", flush=True)
    return code


async def _all() -> int:
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    print("Two clusters, two PostgreSQL servers, an emulated Azure, Temporal and two workers start", flush=True)
    async with two_regions(print, _REGIONS) as stage:
        there = await _there(stage, console)
        back = await _back(stage, console)
    return 0 if there and back else 1


async def _there(stage: Stage, console: Console) -> bool:
    """Lose the first region."""
    await asyncio.sleep(2)
    _say(f"East US is lost: control plane, node, {PRIMARY}. {_OPERATOR} asks for West US 2; three people must approve")
    lost_at, since = time.monotonic(), datetime.now(UTC)
    await stage.lose(EAST)
    facts = await leave(stage.client, mode="forced", down_since=since.isoformat(), reason="East US does not answer")
    console.print(full(facts))
    await stage.customer.until_served(WEST)
    rows, seconds = await stage.missing()
    first = next(one for one in stage.customer.acknowledged if one.region == WEST)
    print(
        f"\nCustomers: no workflow was taken for {stage.customer.longest_gap():.1f} s; the first one from West US 2"
        f" {first.at - lost_at:.1f} s after the loss. {rows} acknowledged workflows are missing, of {seconds:.1f} s.",
        flush=True,
    )
    return facts.outcome is Outcome.COMPLETED


async def _back(stage: Stage, console: Console) -> bool:
    """Let it return, and go back without loss."""
    _say(f"East US returns: its cluster, and {PRIMARY} as a replica. Everything moves back as a planned move")
    await stage.restore(EAST)
    await returned(stage.client)
    print(f"\n{fence_lock_id(EAST)} has ended: what ran in East US is scaled to zero, and {PRIMARY} follows", flush=True)
    before, _ = await stage.missing()
    await asyncio.sleep(2)
    began = time.monotonic()
    facts = await come_back(stage.client, "East US is back")
    console.print(full(facts))
    await stage.customer.until_served(EAST)
    after, _ = await stage.missing()
    gap = stage.customer.longest_gap(since=began)
    print(
        f"\nOn the way back {after - before} acknowledged workflows were lost; none was taken for {gap:.1f} s.", flush=True
    )
    return facts.outcome is Outcome.COMPLETED and after == before


async def returned(client: Client) -> None:
    """Wait until the run that fences the lost region has done so, and has ended."""
    async with asyncio.timeout(stretched(120)):
        await client.get_workflow_handle(fence_lock_id(EAST)).result()


async def leave(client: Client, **request: str) -> Facts:
    """Leave the first region by ``region-failover``, and return how it ended."""
    return await _run(client, "region-failover", {"confirm": CONFIRM, **request})


async def come_back(client: Client, reason: str) -> Facts:
    """Return to the first region by ``region-failback``, and return how it ended."""
    return await _run(client, "region-failback", {"confirm": CONFIRM_BACK, "reason": reason})


async def _run(client: Client, procedure: str, request: dict[str, str]) -> Facts:
    """Start it, and return how it ended once three people had approved it."""
    asked = {"region": EAST, "run": "real", "by": _OPERATOR, **request}
    handle: Handle = await client.start_workflow(
        procedure, asked, id=region_lock_id(EAST), task_queue=TASK_QUEUE, task_timeout=TASK_TIMEOUT
    )
    return await approved(client, handle, pause=1)


async def approved(client: Client, handle: Handle, pause: float = 0) -> Facts:
    """Have three people approve a run, ``pause`` seconds apart, show it, and return how it ended."""
    place = Place(workflow_id=handle.id, run_id=handle.result_run_id or "")
    watching = asyncio.create_task(follow(client, place, display_for(Output.TEXT)))
    await agreed(handle, pause)
    await ending(handle)
    with suppress(asyncio.CancelledError):
        await watching
    chronicle = await read_run(client, place)
    await read_children(client, chronicle)
    return facts_of(chronicle)


async def agreed(handle: Handle, pause: float = 0) -> None:
    """Have three people approve a run, ``pause`` seconds apart."""
    plan = await plan_of(handle)
    for person in _APPROVERS:
        await asyncio.sleep(pause)
        await handle.execute_update("decide", Decision(by=person, plan=plan.digest, approve=True))
        print(f"          {person} approves", flush=True)


def _say(text: str) -> None:
    print(f"\n{text}", flush=True)
