"""Following never affects a run, and outlives the server's restarts."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client

from tests.fakes.faults import Fault
from tests.fakes.world import World
from tests.ports import free_port
from tests.postgres.bench import serving
from tests.starters.command import Command
from tests.starters.conftest import Stage
from tests.temporal_server import server_on
from workflows.run.payloads import DATA_CONVERTER


async def test_leaving_a_watch_leaves_the_run_going(asking: Stage) -> None:
    process = await asking.failover.begin("start", "postgres-failover", asking.cluster, "--by", "omar", "--watch")

    left = await asking.failover.interrupt(process, lambda seen: "failover approve" in seen)

    assert left.code == 130
    assert f"pick it up again: failover follow {asking.cluster}" in left.err
    assert (await asking.failover("status", asking.cluster)).code == 4


async def test_who_follows_for_a_limited_time_is_told_that_people_are_waited_for(asking: Stage) -> None:
    ran = await asking.failover("start", "postgres-failover", asking.cluster, "--by", "omar", "--timeout", "1s")

    assert ran.code == 4, ran
    assert f"has not ended within 1s and goes on (awaiting approval); follow it: failover follow {asking.cluster}" in ran.err
    assert f"failover approve {asking.cluster} --by NAME --plan " in ran.out


async def test_a_run_that_outlasts_the_time_to_follow_goes_on(stage: Stage) -> None:
    hanging = stage.world.faults.order("postgres.verify", Fault.HANGS)
    await stage.failover("start", "postgres-failover", stage.cluster, "--no-follow")
    await hanging.reached.wait()
    busy = await stage.failover("follow", stage.cluster, "--timeout", "1s", "--output", "json")
    hanging.released.set()
    ended = await stage.failover("follow", stage.cluster, "--timeout", "60s")

    assert (busy.code, ended.code) == (1, 0), (busy, ended)
    assert (busy.document["open"], busy.document["watch_again"]) == (True, f"failover follow {stage.cluster}")


async def test_a_killed_watch_leaves_the_run_going(asking: Stage) -> None:
    await asking.waits_for_approval()
    process = await asking.failover.begin("follow", asking.cluster)
    await asyncio.sleep(1)
    process.kill()
    await process.wait()

    approved = await asking.failover("approve", asking.cluster, "--by", "dana", "--plan", await asking.digest())
    watched = await asking.failover("watch", asking.cluster)

    assert (approved.code, watched.code) == (0, 0)
    assert "objective met" in watched.out


async def test_a_run_that_was_reset_is_found_under_its_new_id(asking: Stage) -> None:
    await asking.waits_for_approval()
    handle = asking.bench.client.get_workflow_handle(f"postgres/{asking.cluster}")
    old = (await handle.describe()).run_id
    new = await _reset(asking.bench.client, handle.id, old)

    status = (await asking.failover("status", asking.cluster, "-o", "json")).document
    cancelled = await asking.failover("cancel", asking.cluster, "-o", "json")

    assert status["run_id"] == new != old
    assert cancelled.document["outcome"] == "cancelled"
    assert (await asking.failover("report", f"postgres/{asking.cluster}/{old}", "-o", "json")).document[
        "close"
    ] == "terminated"


async def _reset(client: Client, workflow_id: str, run_id: str) -> str:
    """Reset the run to its first task, as a person does in the UI."""
    answer = await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
            workflow_task_finish_event_id=4,
            request_id=uuid4().hex,
            reason="a test",
        )
    )
    return answer.run_id


async def test_a_watch_tells_why_a_step_is_tried_again(stage: Stage) -> None:
    stage.world.faults.order("postgres.verify", Fault.SILENT, for_ever=True)
    process = await stage.failover.begin("start", "postgres-failover", stage.cluster, "--watch")
    await stage.bench.until(lambda: stage.world.faults.calls.count("postgres.verify") > 8)
    stage.world.faults.lift("postgres.verify")

    ran = await stage.failover.end(process)

    assert "tried again: postgres.verify: attempt" in ran.out
    assert "postgres.verify was made to meet silence" in ran.out


async def test_a_watch_outlives_a_restart_of_the_server(tmp_path: Path) -> None:
    port = free_port("127.0.0.1")
    policy = {"planned": {"roles": ["DBA"], "window": "PT5M"}}
    server = await server_on(port, tmp_path / "temporal.db")
    try:
        async with _served(port, tmp_path, policy) as (failover, cluster):
            watch = await failover.begin("start", "postgres-failover", cluster, "--by", "omar", "--watch")
            await _line_with(watch, "failover approve")
            server.kill()
            await server.wait()
            await _line_with(watch, "does not answer")
            server = await server_on(port, tmp_path / "temporal.db")
            digest = await _digest_once_the_worker_is_back(failover, cluster)
            assert (await failover("approve", cluster, "--by", "dana", "--plan", digest)).code == 0
            ended = await failover.end(watch)
    finally:
        server.kill()
        await server.wait()

    assert ended.code == 0
    assert "objective met" in ended.out


async def _digest_once_the_worker_is_back(failover: Command, cluster: str) -> str:
    async with asyncio.timeout(60):
        while True:
            status = (await failover("status", cluster, "-o", "json")).document.get("status")
            if status is not None:
                return str(status["plan"]["digest"])


async def _line_with(process: Process, words: str) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while words not in (await process.stdout.readline()).decode():
            continue


@asynccontextmanager
async def _served(port: int, folder: Path, policy: object) -> AsyncIterator[tuple[Command, str]]:
    client = await Client.connect(f"127.0.0.1:{port}", data_converter=DATA_CONVERTER)
    async with serving(client, folder, World(), approvals=policy) as bench:
        yield Command(f"127.0.0.1:{port}", bench.queue), bench.cluster


@pytest.mark.usefixtures("hurried")
async def test_cancel_ends_the_wait_for_redundancy(stage: Stage) -> None:
    stage.world.faults.order("postgres.await_redundancy", Fault.SILENT, for_ever=True)
    await stage.failover("start", "postgres-failover", stage.cluster)
    handle = stage.bench.client.get_workflow_handle(f"postgres/{stage.cluster}")
    await stage.bench.until_phase(handle, "restoring redundancy")

    ran = await stage.failover("cancel", stage.cluster)

    assert ran.code == 1
    assert "redundancy: postgresql-primary-0 follows" in ran.out
