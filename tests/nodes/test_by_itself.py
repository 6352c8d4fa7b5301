"""A node's run that a watch has begun, and what it begins in its turn: nobody has asked for any of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

from temporalio import workflow
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.run.watches import WATCHES
from tests.nodes.bench import NodeBench, serving
from tests.postgres.bench import Handle
from workflows.nodes.models import node_lock_id

_PAUSE = {"paused_until": "2999-01-01T00:00:00Z", "paused_by": "mona", "paused_because": "a move of disks"}


@workflow.defn(name="stands-for-a-watch")
class _StandsForAWatch:
    @workflow.run
    async def run(self, asked: dict[str, Any], lock: str, queue: str) -> None:
        await workflow.execute_child_workflow("node-failover", asked, id=lock, task_queue=queue)


async def _begin_as_a_watch(bench: NodeBench, client: Client) -> Handle:
    """Return a node's run whose parent has a watch's ID."""
    queue, lock = f"watch-{uuid4().hex[:8]}", node_lock_id(bench.node)
    request = {"node": bench.node, "run": "real", "by": "node-watch", "reason": "a test"}
    async with Worker(client, task_queue=queue, workflows=[_StandsForAWatch], workflow_runner=UnsandboxedWorkflowRunner()):
        watch: Handle = await client.start_workflow(
            "stands-for-a-watch", args=[request, lock, bench.queue], id=f"{WATCHES}nodes/{bench.node}", task_queue=queue
        )
        run: Handle = client.get_workflow_handle(lock)
        bench.started += [watch, run]
        async with asyncio.timeout(20):
            while not await _exists(run):
                await asyncio.sleep(0.05)
    return run


async def _exists(run: Handle) -> bool:
    try:
        await run.describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


async def test_a_pause_holds_the_failover_of_a_database_that_a_watch_has_begun_by_way_of_its_node(
    temporal: Client, tmp_path: Path
) -> None:
    async with serving(temporal, tmp_path) as bench:
        leader = bench.put_primary()
        bench.postgres.write(**_PAUSE)
        end, words = await bench.ending(await _begin_as_a_watch(bench, temporal))
        assert (end, "nobody has asked for this run" in words, "mona" in words) == ("Paused", True, True), words
        assert bench.postgres.record.leader == leader


async def test_a_pause_does_not_hold_what_a_person_begins_by_way_of_a_node(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path) as bench:
        leader = bench.put_primary()
        bench.postgres.write(**_PAUSE)
        end, words = await bench.ending(await bench.start())
        assert end == "completed", words
        assert bench.postgres.record.leader != leader
