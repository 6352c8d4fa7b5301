"""People decide on a plan before anything changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowUpdateFailedError

from gate.api import Role
from starters.history.model import facts_of
from starters.history.parse import chronicle_of
from tests.fakes.faults import Fault
from tests.fakes.world import A, B, C, World
from tests.postgres.bench import Bench, Handle, serving
from workflows.run.models import Status


async def _waiting(bench: Bench, **more: Any) -> tuple[Handle, Status, str]:
    handle = await bench.switch(**more)
    status = await bench.until_phase(handle, "awaiting approval")
    assert status.plan is not None
    return handle, status, status.plan.digest


def _vote(digest: str, by: str = "dana", *, approve: bool = True, **more: Any) -> dict[str, Any]:
    return {"by": by, "plan": digest, "approve": approve, **more}


async def test_waits_until_somebody_else_approves_by_update(asking: Bench) -> None:
    before = asking.world.snapshot
    handle, status, digest = await _waiting(asking)
    assert asking.world.snapshot == before
    assert status.approval is not None
    assert (status.approval.needed, status.approval.votes) == (1, ())
    answer = await handle.execute_update("decide", _vote(digest))
    assert answer["approval"]["votes"][0]["by"] == "dana"
    result = await asking.finished(handle)
    assert (result.outcome, asking.world.writers) == ("completed", [B])


async def test_a_signal_approves_too_and_a_wrong_one_is_dropped(asking: Bench) -> None:
    handle, _, digest = await _waiting(asking)
    for wrong in (_vote("another"), _vote(digest, by="omar"), _vote(digest, by="nobody"), {"nonsense": 1}, "text"):
        await handle.signal("vote", wrong)
    assert (await asking.status(handle)).phase == "awaiting approval"
    await handle.signal("vote", _vote(digest))
    assert (await asking.finished(handle)).outcome == "completed"


@pytest.mark.parametrize(
    ("vote", "complaint"),
    [
        ({"plan": "0badbeef"}, "is not the plan that waits"),
        ({"by": "omar"}, "requested this run"),
        ({"by": " OMAR "}, "requested this run"),
        ({"by": "mona"}, "holds none of the roles"),
        ({"by": "stranger"}, "nobody of that name; DBA: dana"),
        ({"role": "CTO"}, "cannot fill CTO"),
        ({"unknown": 1}, "unknown: unknown key; known keys are by, plan"),
    ],
)
async def test_says_why_a_vote_does_not_count(asking: Bench, vote: dict[str, Any], complaint: str) -> None:
    before = asking.world.snapshot
    handle, _, digest = await _waiting(asking)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update("decide", {**_vote(digest), **vote})
    assert complaint in str(refused.value.cause)
    status = await asking.status(handle)
    assert status.approval is not None
    assert (status.phase, status.approval.votes) == ("awaiting approval", ())
    assert asking.world.snapshot == before


async def test_a_rejection_ends_the_run_and_nothing_has_changed(asking: Bench) -> None:
    before = asking.world.snapshot
    handle, _, digest = await _waiting(asking)
    await handle.execute_update("decide", _vote(digest, approve=False, note="month end"))
    refusal = await asking.refused(handle)
    assert (refusal.type, "month end" in refusal.message) == ("ApprovalRejected", True)
    assert asking.world.snapshot == before


async def test_an_approval_expires_and_nothing_has_changed(temporal: Client, tmp_path: Path) -> None:
    policy = {"planned": {"roles": ["DBA"], "window": "PT0.3S"}}
    async with serving(temporal, tmp_path, World(), approvals=policy) as bench:
        before = bench.world.snapshot
        refusal = await bench.refused(await bench.switch())
        assert (refusal.type, "0 of 1" in refusal.message) == ("ApprovalExpired", True)
        assert bench.world.snapshot == before


async def test_a_cancel_while_waiting_changes_nothing(asking: Bench) -> None:
    before = asking.world.snapshot
    handle, _, _ = await _waiting(asking)
    await handle.cancel()
    assert await asking.ending(handle) == "cancelled"
    assert asking.world.snapshot == before


async def test_an_approval_of_one_run_does_not_approve_the_next_one_with_the_same_plan(asking: Bench) -> None:
    first, _, digest = await _waiting(asking)
    await first.cancel()
    assert await asking.ending(first) == "cancelled"
    second, status, other = await _waiting(asking)
    assert status.plan is not None
    assert other != digest
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await second.execute_update("decide", _vote(digest))
    assert "is not the plan that waits" in str(refused.value.cause)
    await second.execute_update("decide", _vote(other))
    assert (await asking.finished(second)).outcome == "completed"


async def test_a_reset_keeps_the_votes(temporal: Client, tmp_path: Path) -> None:
    policy = {"planned": {"roles": ["DBA", "Manager"], "window": "PT1M"}}
    async with serving(temporal, tmp_path, World(), approvals=policy) as bench:
        handle, _, digest = await _waiting(bench)
        await handle.execute_update("decide", _vote(digest))
        tasks = [
            event.event_id
            async for event in handle.fetch_history_events()
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        ]
        run_id = (await handle.describe()).run_id
        request = ResetWorkflowExecutionRequest(
            namespace=temporal.namespace,
            workflow_execution=WorkflowExecution(workflow_id=handle.id, run_id=run_id),
            workflow_task_finish_event_id=tasks[-1],
            request_id=run_id,
        )
        await temporal.workflow_service.reset_workflow_execution(request)
        newest = temporal.get_workflow_handle(handle.id)
        bench.started.append(newest)
        status = await bench.until_phase(newest, "awaiting approval")
        assert status.plan is not None
        assert status.plan.digest == digest
        await newest.execute_update("decide", _vote(digest, by="mona"))
        assert (await bench.finished(newest)).outcome == "completed"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", "cancelled"),
        ("as typed elsewhere", "cancelled"),
        ("null", "cancelled"),
        ('{"by": "mona", "reason": "the wrong cluster"}', "cancelled by mona: the wrong cluster"),
        ('{"by": "mona", "reason": ""}', "cancelled by mona"),
        ('{"by": "", "reason": "no time"}', "cancelled by somebody, by command: no time"),
    ],
)
async def test_a_cancel_that_says_who_and_why_is_kept(asking: Bench, said: str, told: str) -> None:
    handle, _, _ = await _waiting(asking)
    await handle.cancel(reason=said)
    assert await asking.ending(handle) == "cancelled"
    facts = facts_of(chronicle_of((await handle.fetch_history()).events))
    assert facts.reason == f"{told}; nothing was changed"


async def test_an_undo_says_who_cancelled(bench: Bench) -> None:
    fault = bench.world.faults.order("postgres.fence", Fault.HANGS)
    handle = await bench.switch()
    await fault.reached.wait()
    await handle.cancel(reason='{"by": "mona", "reason": "stop"}')
    assert await bench.ending(handle) == "cancelled"
    facts = facts_of(chronicle_of((await handle.fetch_history()).events))
    assert facts.reason.startswith("cancelled by mona: stop; undone: ")


async def test_without_a_name_the_requester_is_refused(asking: Bench) -> None:
    refusal = await asking.refused(await asking.switch(by=""))
    assert (refusal.type, refusal.message.startswith("by:")) == ("BadInput", True)


async def test_an_approved_plan_that_no_longer_holds_is_refused(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, World((A, B, C)), approvals={"planned": {"roles": ["DBA"]}}) as bench:
        handle, status, digest = await _waiting(bench)
        assert status.plan is not None
        bench.world.members[status.plan.candidate].lag_bytes = 10**9
        before = bench.world.snapshot
        await handle.execute_update("decide", _vote(digest))
        refusal = await bench.refused(handle)
        assert (refusal.type, digest in refusal.message) == ("PlanChanged", True)
        assert bench.world.snapshot == before


async def test_a_candidate_that_fell_out_meanwhile_is_refused(asking: Bench) -> None:
    handle, _, digest = await _waiting(asking)
    asking.world.members[B].lag_bytes = 10**9
    before = asking.world.snapshot
    await handle.execute_update("decide", _vote(digest))
    assert (await asking.refused(handle)).type == "LagTooLarge"
    assert asking.world.snapshot == before
    assert asking.world.members[A].role is Role.PRIMARY


async def test_figures_that_drift_do_not_void_an_approval(asking: Bench) -> None:
    handle, _, digest = await _waiting(asking)
    asking.world.members[B].lag_bytes = 4096
    asking.world.relabel("team", "orders")
    await handle.execute_update("decide", _vote(digest))
    assert (await asking.finished(handle)).outcome == "completed"


async def test_a_vote_before_there_is_a_plan_is_answered(asking: Bench) -> None:
    asking.world.faults.order("postgres.survey", Fault.HANGS)
    handle = await asking.switch()
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update("decide", _vote("digest"))
    assert "there is no plan" in str(refused.value.cause)
