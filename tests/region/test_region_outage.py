"""Temporal's server is killed with -9 while a region fails over, and started again on what it knew.

In nine phases of one run a step has not acted yet; at four changes of another one it has acted, and has told nobody. In a
third run the server is away for longer than a step may take.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError

from activities.clients.kubernetes.regions import KEPT
from deploy.lab.patience import stretched
from deploy.lab.region_parts import Temporal
from tests.azure.pair import AzurePair
from tests.fakes.faults import Fault, Ordered
from tests.postgres.bench import Handle
from tests.postgres.worker import WITHOUT_BEAT, worker_of
from tests.region.bench import DATABASE
from tests.region.clusters import API, OTHER, PODS, Clusters
from tests.region.failover_bench import RegionFailoverBench, leaving
from tests.region.traffic_stand_in import SLOW
from workflows.region import database
from workflows.region.children import traffic_lock_id
from workflows.region.fence_models import fence_lock_id
from workflows.region.models import flexible_lock_id, region_lock_id
from workflows.run import steps
from workflows.run.models import plan_id

_HELD = {
    "region.survey": "surveying",
    "region.fence": "fencing",
    "region.await_promotion": "promoting",
    "region.apply_overlay": "applying the overlay",
    "region.check_application": "verifying",
    "records.keep": "completed",
}
"""Step that hangs → phase that the run is in then."""
_CHANGES = ("region.claim", "region.apply_overlay", "region.promote", "region.fence")
_FEW_POLLS: dict[str, Any] = {"max_concurrent_activity_task_polls": 1, "max_concurrent_workflow_task_polls": 2}
_MAY_TAKE = 4
_PATIENT: dict[str, Any] = {"patience": "PT2M", "ready": {"within": "PT2M"}, "traffic": [SLOW]}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(_real_servers: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Temporal]:
    async with Temporal(tmp_path_factory.mktemp("outage")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def leave(
    server: Temporal, shared: AzurePair, tmp_path: Path, clusters: Clusters, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RegionFailoverBench]:
    """Serve a region by a worker of this process; its traffic waits for a signal.

    The worker has as few polls as it can have. Each waits longer after every loss of the server, until it is given a task.
    """
    monkeypatch.setattr(database, "_ONE_LOOK", timedelta(seconds=0.5))
    monkeypatch.setattr("tests.run.served.worker_of", partial(worker_of, **_FEW_POLLS))
    async with leaving(server.client, shared, tmp_path, clusters, **_PATIENT) as one:
        yield one


async def _kill(server: Temporal) -> None:
    """Kill it, and start it on the same port and file."""
    server.kill()
    await server.start()


async def _reached(hanging: Ordered) -> None:
    async with asyncio.timeout(stretched(30)):
        await hanging.reached.wait()


async def _led(bench: RegionFailoverBench) -> Handle:
    """Return the run that leads the traffic, and waits for the signal ``go_on``. One of another test has ended."""
    child = bench.client.get_workflow_handle(traffic_lock_id(SLOW))
    async with asyncio.timeout(stretched(30)):
        while True:
            with suppress(RPCError):
                if (await child.describe()).status is WorkflowExecutionStatus.RUNNING:
                    return child
            await asyncio.sleep(0.02)


async def _runs(bench: RegionFailoverBench) -> Counter[str]:
    """Return how many runs each lock has had."""
    found = bench.client.list_workflows(f"TaskQueue = '{bench.queue}'")
    return Counter([one.id async for one in found])


async def _must_be_done_once(bench: RegionFailoverBench, handle: Handle, *others: str) -> None:
    """Wait for a good end, and look at the world; ``others``: workflow IDs of what it has begun besides."""
    end, told = await bench.ending(handle)
    assert (end, await bench.leads_there()) == ("completed", True), told
    assert bench.changes() == ["PATCH 202"]
    assert (await bench.scales(), await bench.there()) == (dict.fromkeys(PODS, 0), (2, "api:dr"))
    assert await asyncio.to_thread(_written, bench, bench.lost) == {API: (2, "3"), OTHER: (2, "2")}
    assert await asyncio.to_thread(_written, bench, bench.surviving) == {API: (2, ""), OTHER: (1, "")}
    assert (await bench.holder(), set(bench.application.submitted)) == ("", {"failover-check"})
    traffic = traffic_lock_id(SLOW)
    locks = (region_lock_id(bench.lost), flexible_lock_id(DATABASE), traffic, *others)
    assert await _runs(bench) == {**dict.fromkeys(locks, 1), plan_id(traffic): 2}, "it is surveyed twice"
    assert {one.by for one in bench.report().votes if one.approve} == {"mona", "dana", "carl"}


def _written(bench: RegionFailoverBench, region: str) -> dict[str, tuple[int, str]]:
    """Return how often what each application of a region asks for was written, and what a fence has noted of it."""
    found = bench.clusters.apps(region).list_namespaced_deployment(bench.clusters.space).items
    return {one.metadata.name: (one.metadata.generation, (one.metadata.annotations or {}).get(KEPT, "")) for one in found}


async def test_a_server_that_is_killed_in_nine_phases_of_a_run_costs_nothing_but_time(
    server: Temporal, leave: RegionFailoverBench
) -> None:
    hanging = {name: leave.faults.order(name, Fault.HANGS) for name in _HELD if name != "records.keep"}

    async def killed_at(*names: str) -> None:
        for name in names:
            await _reached(hanging[name])
            assert (await leave.status(handle)).phase == _HELD[name]
            await _kill(server)
            hanging[name].released.set()

    await leave.lose_database()
    handle = await leave.leave("forced")
    await killed_at("region.survey")
    await leave.vote(handle, "mona")
    await _kill(server)
    await leave.vote(handle, "dana", "carl")
    await killed_at("region.fence", "region.await_promotion")
    await handle.execute_update("hold", {"by": "dana", "reason": "a look", "anyway": True})
    assert (await leave.until_phase(handle, "held")).forward_only is True
    await _kill(server)
    assert (await leave.status(handle)).phase == "held"
    await handle.execute_update("release", {"by": "mona"})
    await killed_at("region.apply_overlay")
    traffic = await _led(leave)
    assert (await leave.status(handle)).phase == "routing"
    await _kill(server)
    await traffic.signal("go_on")
    await _reached(hanging["region.check_application"])
    hanging["records.keep"] = leave.faults.order("records.keep", Fault.HANGS)  # the database's run has kept its own
    await killed_at("region.check_application", "records.keep")
    await _must_be_done_once(leave, handle, fence_lock_id(leave.lost))


async def test_what_was_done_when_the_server_was_killed_is_not_done_again_by_the_next_attempt(
    server: Temporal, leave: RegionFailoverBench
) -> None:
    silent = {name: leave.faults.order(WITHOUT_BEAT + name, Fault.OUTLIVES) for name in _CHANGES}

    async def killed_after(*names: str) -> None:
        for name in names:
            await _reached(silent[name])
            await _kill(server)
            async with asyncio.timeout(stretched(30)):
                while leave.faults.calls.count(name) < 2:
                    await asyncio.sleep(0.02)
            silent[name].released.set()

    handle = await leave.approved()
    await killed_after("region.claim", "region.apply_overlay", "region.promote")
    await (await _led(leave)).signal("go_on")
    await killed_after("region.fence")
    await _must_be_done_once(leave, handle)


async def test_a_server_that_is_away_for_longer_than_a_step_may_take_costs_nothing_but_time(
    server: Temporal, leave: RegionFailoverBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "_LATE", timedelta(seconds=1))
    leave.change_entry(patience=f"PT{_MAY_TAKE}S")
    hanging = leave.faults.order("region.apply_overlay", Fault.HANGS)
    await leave.lose_database()
    handle = await leave.approved("forced")
    await _reached(hanging)
    server.kill()
    await asyncio.sleep(_MAY_TAKE + 3)
    await server.start()
    hanging.released.set()
    await (await _led(leave)).signal("go_on")
    await _must_be_done_once(leave, handle, fence_lock_id(leave.lost))
    assert leave.faults.calls.count("region.apply_overlay") > 1
