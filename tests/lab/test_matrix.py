"""Every step of a failover, planned and forced, with every fault, on the real platform. Long: ``./run matrix``.

Whatever happens, the run or the next one ends well, one server takes writes, the record is clean and no acknowledged row is
lost (the ``platform`` fixture looks at the last two). Results are committed, and may be gathered in slices:
``./run matrix -k "forced and Temporal"``.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

from activities.run.models.report import Outcome
from deploy.lab import processes
from deploy.lab.breaking import kill_processes
from deploy.lab.controlplane import start_control_plane
from deploy.lab.network import set_link
from deploy.lab.switching import Handle, approve, ending, start
from deploy.lab.temporal import start_temporal
from tests.lab.campaign import keep
from tests.lab.histories import completed
from tests.lab.platform import Platform

pytestmark = [pytest.mark.lab, pytest.mark.matrix]
STEPS = {
    "planned": (
        "postgres.claim", "kubernetes.await_quiet", "postgres.fence", "postgres.promote", "postgres.route",
        "postgres.verify",
    ),
    "forced": ("postgres.claim", "postgres.prove", "postgres.promote", "postgres.route", "postgres.verify"),
}  # fmt: skip
_CASES = [(mode, step) for mode, steps in STEPS.items() for step in steps]


async def _kill_worker(platform: Platform, handle: Handle, by: str) -> None:  # noqa: ARG001
    kill_processes(platform.lab, platform.binaries, by, signal.SIGKILL)


async def _kill_candidate(platform: Platform, handle: Handle, by: str) -> None:  # noqa: ARG001
    kill_processes(platform.lab, platform.binaries, platform.candidate, signal.SIGKILL)


async def _kill_primary(platform: Platform, handle: Handle, by: str) -> None:  # noqa: ARG001
    kill_processes(platform.lab, platform.binaries, platform.old, signal.SIGKILL)


async def _cut_candidate(platform: Platform, handle: Handle, by: str) -> None:  # noqa: ARG001
    node = platform.nodes[platform.candidate]
    set_link(platform.lab, node, up=False)
    await asyncio.sleep(4)
    set_link(platform.lab, node, up=True)


async def _kill_temporal(platform: Platform, handle: Handle, by: str) -> None:  # noqa: ARG001
    await _kill(platform, "temporal")
    await asyncio.sleep(2)
    await asyncio.to_thread(start_temporal, platform.lab)


async def _lose_api_server(platform: Platform, handle: Handle, by: str) -> None:  # noqa: ARG001
    await _kill(platform, "apiserver")
    await asyncio.sleep(20)
    await asyncio.to_thread(start_control_plane, platform.lab, platform.binaries)


async def _freeze_worker(platform: Platform, handle: Handle, by: str) -> None:  # noqa: ARG001
    kill_processes(platform.lab, platform.binaries, by, signal.SIGSTOP)
    await asyncio.sleep(8)
    kill_processes(platform.lab, platform.binaries, by, signal.SIGCONT)


async def _reset(platform: Platform, handle: Handle, by: str) -> None:  # noqa: ARG001
    await platform.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=platform.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=handle.id),
            reason="by a test",
            workflow_task_finish_event_id=await _last_task(handle),
            request_id=str(uuid4()),
        )
    )


async def _last_task(handle: Handle) -> int:
    last = 0
    async for event in handle.fetch_history_events():
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            last = event.event_id
    return last


async def _cancel(platform: Platform, handle: Handle, by: str) -> None:  # noqa: ARG001
    await handle.cancel()


async def _terminate(platform: Platform, handle: Handle, by: str) -> None:  # noqa: ARG001
    await handle.terminate("pulled by a test")


FAULTS: dict[str, Callable[[Platform, Handle, str], Awaitable[None]]] = {
    "worker killed": _kill_worker,
    "candidate killed": _kill_candidate,
    "old primary killed": _kill_primary,
    "candidate cut off for 4 s": _cut_candidate,
    "Temporal killed": _kill_temporal,
    "API server gone for 20 s": _lose_api_server,
    "worker frozen for 8 s": _freeze_worker,
    "reset": _reset,
    "cancelled": _cancel,
    "terminated": _terminate,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("mode", "step"), _CASES)
async def test_the_cluster_is_whole_again(platform: Platform, mode: str, step: str, fault: str) -> None:
    await platform.fresh_pods()
    platform.look()
    began = time.monotonic()
    if mode == "forced":
        platform.break_it("container", platform.old)
    handle = await start(platform.client, reason=f"{fault} after {step}", mode=mode, attest=mode == "forced")
    approving = asyncio.create_task(approve(handle, attest=mode == "forced"))
    done_by = await completed(handle, step)
    await FAULTS[fault](platform, handle, done_by)
    await asyncio.gather(approving, return_exceptions=True)
    facts = await ending(platform.client.get_workflow_handle(handle.id), within=400)
    words = str(facts.outcome or facts.close)
    if platform.note("intent") or platform.note("unfinished") or facts.outcome is None:
        words += f", then {await _again(platform, mode)}"
    assert facts.outcome in {Outcome.COMPLETED, Outcome.ROLLED_BACK, Outcome.CANCELLED, Outcome.RECOVERED, None}, (
        facts.reason
    )
    platform.settle(200)
    assert platform.note("intent") == platform.note("unfinished") == ""
    keep(mode, step, fault, f"{words}, {time.monotonic() - began:.0f} s")


async def _again(platform: Platform, mode: str) -> str:
    """Start the same run again, approve it if it asks, and return how it ended."""
    handle = await start(platform.client, reason="the same again", mode=mode, attest=mode == "forced")
    approving = asyncio.create_task(approve(handle, within=200, attest=mode == "forced"))
    facts = await ending(handle, within=400)
    approving.cancel()
    assert facts.outcome in {Outcome.COMPLETED, Outcome.RECOVERED}
    return str(facts.outcome)


async def _kill(platform: Platform, name: str) -> None:
    pid = processes.pid_of(platform.lab, name)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while processes.pid_of(platform.lab, name) is not None:
        await asyncio.sleep(0.02)
