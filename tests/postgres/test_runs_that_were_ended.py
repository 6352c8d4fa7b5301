"""A run that was terminated, reset or frozen in any step: the next one settles what it left."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client

from tests.fakes.faults import Fault
from tests.fakes.world import B
from tests.postgres.bench import Bench, Handle
from tests.postgres.test_interruptions import STEPS
from tests.postgres.worker import WITHOUT_BEAT

MUTATING = (
    "postgres.checkpoint", "postgres.claim", "postgres.fence", "postgres.promote", "postgres.route",
    "kubernetes.reconnect", "postgres.finish",
)  # fmt: skip
_LOOKING = ("kubernetes.await_quiet", "postgres.verify", "postgres.await_redundancy")


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        *((step, Fault.HANGS) for step in STEPS if step != "postgres.measure"),
        *((step, Fault.OUTLIVES) for step in MUTATING),
    ],
)
async def test_terminated_in_a_step_and_started_again(bench: Bench, step: str, fault: Fault) -> None:
    ordered = bench.world.faults.order(step, fault)
    handle = await bench.switch()
    await ordered.reached.wait()
    await handle.terminate("by hand")
    again = await bench.switch()
    assert await bench.ending(again) == "completed"
    await bench.until_consistent()
    ordered.released.set()
    await ordered.over.wait()
    await bench.until_consistent()


async def test_the_next_one_waits_until_the_standby_s_gate_sees_it_stream_again(bench: Bench) -> None:
    hanging = bench.world.faults.order("postgres.promote", Fault.HANGS)
    handle = await bench.switch()
    await hanging.reached.wait()
    await handle.terminate("by hand")
    bench.world.members[B].unaware = True
    again = await bench.switch()
    await asyncio.sleep(1)
    assert (await bench.status(again)).outcome is None
    bench.world.members[B].unaware = False
    hanging.released.set()
    assert await bench.ending(again) == "completed"


@pytest.mark.parametrize("step", MUTATING)
async def test_a_frozen_worker_that_wakes_up_changes_nothing(bench: Bench, step: str) -> None:
    frozen = bench.world.faults.order(WITHOUT_BEAT + step, Fault.FROZEN)
    handle = await bench.switch()
    await frozen.reached.wait()
    await handle.terminate("its worker is frozen")
    assert await bench.ending(await bench.switch()) == "completed"
    await bench.until_consistent()
    before = bench.world.snapshot
    frozen.released.set()
    await frozen.over.wait()
    await bench.until_consistent()
    assert bench.world.snapshot == before


@pytest.mark.parametrize("step", ["postgres.checkpoint", "postgres.claim", "postgres.fence"])
async def test_a_frozen_worker_that_wakes_up_after_a_cancel_changes_nothing(bench: Bench, step: str) -> None:
    frozen = bench.world.faults.order(WITHOUT_BEAT + step, Fault.FROZEN)
    handle = await bench.switch()
    await frozen.reached.wait()
    await handle.cancel()
    assert await bench.ending(handle) == "cancelled"
    await bench.until_consistent()
    before = bench.world.snapshot
    frozen.released.set()
    await frozen.over.wait()
    assert bench.world.snapshot == before


@pytest.mark.parametrize(
    ("step", "back_to"),
    [
        *((step, back_to) for back_to in ("the claim", "last task") for step in (*MUTATING[1:], *_LOOKING)),
        *(
            (step, "last task")
            for step in ("estate.resolve", "postgres.settle", "postgres.survey", "postgres.checkpoint", "records.keep")
        ),
        ("postgres.fence", "first task"),
        ("postgres.route", "first task"),
    ],
)
async def test_reset_in_a_step(temporal: Client, bench: Bench, step: str, back_to: str) -> None:
    ordered = bench.world.faults.order(step, Fault.HANGS)
    handle = await bench.switch()
    await ordered.reached.wait()
    again = await reset(temporal, handle, await task_of(handle, back_to))
    ending = await bench.ending(again)
    assert ending in {"completed", "RolledBack"}
    await bench.until_consistent()


async def task_of(handle: Handle, which: str) -> int:
    """Return the event that ``which`` workflow task ended with."""
    tasks, last = [], 0
    async for event in handle.fetch_history_events():
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            tasks.append(event.event_id)
        scheduled = event.activity_task_scheduled_event_attributes.activity_type.name
        if scheduled == "postgres.claim" and which == "the claim":
            last = tasks[-1]
    return {"first task": tasks[0], "last task": tasks[-1], "the claim": last}[which]


async def reset(client: Client, handle: Handle, task: int) -> Handle:
    answer = await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=handle.id),
            reason="by hand",
            workflow_task_finish_event_id=task,
            request_id=str(uuid4()),
        )
    )
    return client.get_workflow_handle(handle.id, run_id=answer.run_id)
