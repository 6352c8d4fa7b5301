"""The steps of ``node-failover`` as a workflow calls them: one line of summary, one posture each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowCancellationType, ParentClosePolicy

from activities.nodes.machine_models import NodeProof, StoppedRequest
from activities.nodes.machine_steps import MachineActivities
from activities.nodes.models import (
    Carried,
    Cordoned,
    CordonRequest,
    Drained,
    DrainRequest,
    MovedRequest,
    NodeLook,
    NodePod,
    NodeSettled,
    NodeSurvey,
    PodsReplaced,
    ReplacePodsRequest,
    Returned,
    SettledRequest,
)
from activities.nodes.steps import NodeActivities
from activities.nodes.survey import NodeLookActivities
from activities.postgres.models.survey import ResolveRequest
from activities.run.errors import Refusal, refuse
from estate.nodes import NodeTarget
from workflows.postgres.steps import me
from workflows.run import outcome
from workflows.run.automatic import handed_on
from workflows.run.models import (
    TASK_TIMEOUT,
    FailoverRequest,
    NodeFailoverRequest,
    NodeReturnRequest,
    RedisFailoverRequest,
    Run,
)
from workflows.run.postures import ALONGSIDE, COMPENSATE, ENDLESS, FORWARD, MUTATE, OBSERVE


async def resolve(node: str) -> NodeTarget:
    """Find the node and its pool."""
    return await workflow.execute_activity_method(
        NodeLookActivities.resolve, ResolveRequest(cluster=node), summary=f"look up {node}", **OBSERVE
    )


async def survey(target: NodeTarget) -> NodeSurvey:
    """Look at the node and its pods."""
    return await workflow.execute_activity_method(
        NodeLookActivities.survey, NodeLook(target=target), summary=f"survey {target.name}", **OBSERVE
    )


async def cordon(target: NodeTarget) -> Cordoned:
    """Keep new pods away."""
    return await workflow.execute_activity_method(
        NodeActivities.cordon, CordonRequest(target=target, run=me()), summary=f"cordon {target.name}", **MUTATE
    )


async def uncordon(target: NodeTarget) -> Cordoned:
    """Let new pods on again: the last step, or the undo."""
    return await workflow.execute_activity_method(
        NodeActivities.uncordon, CordonRequest(target=target, run=me()), summary=f"uncordon {target.name}", **COMPENSATE
    )


def drain(target: NodeTarget, insisted_by: str) -> workflow.ActivityHandle[Drained]:
    """Begin to evict what is on the node."""
    return workflow.start_activity_method(
        NodeActivities.drain,
        DrainRequest(target=target, run=me(), insisted_by=insisted_by),
        summary=f"evict what is on {target.name}",
        **FORWARD,
    )


def moved(target: NodeTarget, pods: tuple[NodePod, ...]) -> workflow.ActivityHandle[datetime]:
    """Begin to look whether something still leads from the node; the moves themselves may go on for long after that."""
    return workflow.start_activity_method(
        NodeLookActivities.moved,
        MovedRequest(target=target, pods=pods),
        summary=f"nothing leads from {target.name} any more",
        **ALONGSIDE,
    )


async def stopped(step: workflow.ActivityHandle[Any]) -> None:
    """Return once ``step`` has ended by a cancel, or before it."""
    step.cancel()
    await workflow.wait({step})


async def replace(target: NodeTarget, pods: tuple[NodePod, ...]) -> PodsReplaced:
    """Remove pods of a silent node at once."""
    return await workflow.execute_activity_method(
        NodeActivities.replace,
        ReplacePodsRequest(target=target, pods=pods, run=me()),
        summary=f"remove {len(pods)} pods of {target.name}",
        **FORWARD,
    )


def machine_stopped(target: NodeTarget, provider_id: str) -> workflow.ActivityHandle[NodeProof]:
    """Begin to ask the control plane of the node's machine whether it runs, and end it where the estate lets a run."""
    may_end = bool(target.settings.machines and target.settings.machines.may_end)
    return workflow.start_activity_method(
        MachineActivities.stopped,
        StoppedRequest(target=target, provider_id=provider_id, end=may_end),
        summary=f"the machine of {target.name} does not run",
        **ALONGSIDE,
    )


async def give_up(target: NodeTarget) -> Cordoned:
    """Say that the node is out of service."""
    return await workflow.execute_activity_method(
        NodeActivities.give_up,
        CordonRequest(target=target, run=me()),
        summary=f"taint {target.name} as out of service",
        **FORWARD,
    )


async def returned(target: NodeTarget) -> Returned:
    """Wait until the node is back, and take it back."""
    return await workflow.execute_activity_method(
        NodeActivities.returned, CordonRequest(target=target, run=me()), summary=f"{target.name} is back and well", **ENDLESS
    )


async def begin_return(target: NodeTarget) -> None:
    """Let a run of its own wait for the node, whatever becomes of this one; one that waits already is enough."""
    try:
        await workflow.start_child_workflow(
            "node-return",
            NodeReturnRequest(target=target),
            id=f"return/node/{target.name}",
            task_timeout=TASK_TIMEOUT,
            parent_close_policy=ParentClosePolicy.ABANDON,
            static_summary=f"waits for {target.name}",
        )
    except WorkflowAlreadyStartedError:
        return


async def settled(target: NodeTarget, pods: tuple[NodePod, ...], until: datetime) -> NodeSettled:
    """Wait until what was evicted is ready elsewhere."""
    return await workflow.execute_activity_method(
        NodeActivities.settled,
        SettledRequest(target=target, pods=pods, until=until),
        summary=f"everything of {target.name} is ready elsewhere",
        **FORWARD,
    )


async def move(carried: Carried, asked: NodeFailoverRequest, target: NodeTarget) -> str:
    """Move what leads from the node, in the mode that was asked for, under its own lock, by its own procedure.

    Returns what was done, in words. Sentinel may have been quicker.

    Raises:
        ApplicationError: ``ClaimedElsewhere`` when that lock is held.
        ChildWorkflowError: it was refused, undone or cancelled; says why.

    """
    request = _request_to_move(carried, asked, target)
    try:
        await workflow.execute_child_workflow(
            carried.workflow,
            request,
            id=request.lock,
            task_timeout=TASK_TIMEOUT,
            parent_close_policy=ParentClosePolicy.ABANDON,  # a run that is terminated must not tear a switch apart
            cancellation_type=ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            memo=handed_on(),
            static_summary=f"real: {request.reason}"[:200],
        )
    except WorkflowAlreadyStartedError:
        words = f"{request.lock} is held by another run: failover status {carried.target}; start again when it has ended"
        raise refuse(Refusal.CLAIMED_ELSEWHERE, words) from None
    except ChildWorkflowError as error:
        if outcome.cause_of(error)[0] != Refusal.MOVED_ALREADY:
            raise
        return f"{carried.workflow} {carried.target} (had moved by itself)"
    return f"{carried.workflow} {carried.target}"


def _request_to_move(
    carried: Carried, asked: NodeFailoverRequest, target: NodeTarget
) -> FailoverRequest | RedisFailoverRequest:
    """Return the same request, as far as the procedure takes it: a database may take nobody's word."""
    reason = f"node-failover {asked.node}: {asked.reason or 'no reason given'}"[:1000]
    words = {one.name: one.takes_words for one in target.postgres}
    attest = asked.attest and words.get(carried.target, True)
    more = {"mode": asked.mode, "run": Run.REAL, "by": asked.by, "reason": reason, "attest": attest}
    if carried.workflow == "redis-failover":
        return RedisFailoverRequest(master=carried.target, member=carried.pod, **more)
    return FailoverRequest(cluster=carried.target, **more)
