"""Watches on the real cluster: what is dead is failed over by itself, what is frozen or cut off for a while is not."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionDescription
from temporalio.service import RPCError, RPCStatusCode

from activities.nodes.run_models import NodeDetails
from activities.run.models.report import Outcome
from deploy.lab.breaking import freeze_machine, heal, kill_processes, kill_servers, pids_of, thaw_machine
from deploy.lab.estate import automatic, changed_estate
from deploy.lab.names import NODES
from deploy.lab.network import lose_packets, set_link
from deploy.lab.patience import stretched
from deploy.lab.sentinels import redis_master
from deploy.lab.switching import ending
from deploy.lab.watching import status_of, watched
from tests.lab.platform import Platform

pytestmark = pytest.mark.lab
_DATABASE = "watch/postgres/orders"


async def _last_run(platform: Platform, lock: str) -> WorkflowExecutionDescription | None:
    """Return the last run under ``lock``, ``None`` when there has never been one."""
    try:
        return await platform.client.get_workflow_handle(lock).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None


async def _until_begun(platform: Platform, lock: str, since: float, seconds: float) -> str:
    """Return the run ID of the failover that has begun under ``lock`` since then."""
    async with asyncio.timeout(stretched(seconds)):
        while True:
            found = await _last_run(platform, lock)
            if found is not None and found.start_time.timestamp() > since:
                return found.run_id
            await asyncio.sleep(0.1)


@asynccontextmanager
async def _automatic(
    platform: Platform, target: str, change: Callable[[dict[str, Any]], None] = lambda _: None
) -> AsyncIterator[None]:
    def both(estate: dict[str, Any]) -> None:
        automatic(estate)
        change(estate)

    with changed_estate(platform.lab, platform.binaries, both):
        async with watched(platform.client, target):
            yield


async def test_a_database_server_that_stays_down_is_failed_over_by_itself_and_a_cool_down_follows(
    platform: Platform,
) -> None:
    platform.look()
    uid = platform.kubectl("get", "pod", platform.old, "-o", "jsonpath={.metadata.uid}")

    def at_once(estate: dict[str, Any]) -> None:
        for cluster in estate["postgres"].values():
            cluster["watch"]["stopped_after"] = "PT0S"

    async with _automatic(platform, "postgres/orders", at_once):
        began = time.time()
        stop = threading.Event()

        def keep_down() -> None:
            while not stop.wait(0.01):
                kill_servers(platform.lab, platform.binaries, platform.old, uid)

        keeping = threading.Thread(target=keep_down)
        keeping.start()
        try:
            run = await _until_begun(platform, "postgres/orders", began, 30)
            async with asyncio.timeout(stretched(60)):
                while platform.leader == platform.old:
                    await asyncio.sleep(0.2)
        finally:
            stop.set()
            await asyncio.to_thread(keeping.join)
        facts = await ending(platform.client.get_workflow_handle("postgres/orders", run_id=run))
        assert facts.outcome is Outcome.COMPLETED, facts.reason
        assert facts.asked.by == "postgres-watch"
        assert platform.leader == platform.candidate
        async with asyncio.timeout(stretched(20)):
            while (status := await status_of(platform.client, _DATABASE)).cooling is None:
                await asyncio.sleep(0.2)
        assert status.cooling.after == platform.old
    platform.settle(200)


async def test_what_passes_is_not_failed_over(platform: Platform) -> None:
    """A frozen machine, a lossy network, a node cut off, witnesses and workers that die, one after the other."""
    platform.look()
    node = platform.nodes[platform.old]
    async with _automatic(platform, ""):
        await _a_redis_master_that_stands_still_for_a_moment_stays(platform)
        began = time.time()
        for one in NODES:
            lose_packets(platform.lab, one, 0.05)
        try:
            freeze_machine(platform.lab, node)
            await asyncio.sleep(12)
            thaw_machine(platform.lab, node)
            for pod in [*platform.pods("failover-witness")[:2], *platform.pods("failover-worker")[:1]]:
                kill_processes(platform.lab, platform.binaries, pod, signal.SIGKILL)
            set_link(platform.lab, node, up=False)
            await asyncio.sleep(8)
            set_link(platform.lab, node, up=True)
            await asyncio.sleep(4)
        finally:
            thaw_machine(platform.lab, node)
            for one in NODES:
                lose_packets(platform.lab, one, 0)
        for lock in ("postgres/orders", *(f"node/{one}" for one in NODES)):
            found = await _last_run(platform, lock)
            assert found is None or found.start_time.timestamp() < began, f"{lock} was begun"
        assert platform.leader == platform.old
    await asyncio.to_thread(heal, platform.lab, lambda _: None)
    await platform.fresh_pods()


async def _a_redis_master_that_stands_still_for_a_moment_stays(platform: Platform) -> None:
    """Sentinel's threshold is 3 s; what stands still for longer it cannot tell from death."""
    before = redis_master(platform.lab, platform.binaries)
    pids = pids_of(platform.lab, platform.binaries, before)
    for number, seconds in ((signal.SIGSTOP, 1.5), (signal.SIGCONT, 0)):
        for pid in pids:
            os.kill(pid, number)
        await asyncio.sleep(seconds)
    await asyncio.sleep(2)
    assert redis_master(platform.lab, platform.binaries) == before


async def test_a_node_without_power_is_evacuated_by_itself(platform: Platform) -> None:
    """Its silence counts after 8 s here; what keeps data waits for proof, so nobody's word is needed for the rest."""
    platform.look()
    node = next(one for one in NODES if one not in platform.nodes.values())

    def hurried(estate: dict[str, Any]) -> None:
        for pool in estate["node_pools"].values():
            pool["watch"] = {"policy": "automatic", "silent_after": "PT8S"}
            pool["word_within"] = "PT5S"

    async with _automatic(platform, "nodes/workers", hurried):
        began = time.time()
        platform.break_it("node", node)
        run = await _until_begun(platform, f"node/{node}", began, 60)
        facts = await ending(platform.client.get_workflow_handle(f"node/{node}", run_id=run))
        assert facts.asked.by == "node-watch"
        details = facts.known.of(NodeDetails)
        assert details.pods_replaced is not None or facts.outcome is Outcome.COMPLETED
        print(facts.outcome, facts.reason, details.pods_replaced)
    await asyncio.to_thread(heal, platform.lab, lambda _: None)
    platform.kubectl("uncordon", node)
    await platform.fresh_pods()
