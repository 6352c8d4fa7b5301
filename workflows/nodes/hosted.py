"""Leaders that a node hosts: each is failed over by its own procedure, as a child under its own lock."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowCancellationType, ParentClosePolicy

from activities.nodes.models import Carried
from activities.run.errors import Refusal, refuse
from estate.nodes import NodeTarget
from workflows.nodes.models import NodeFailoverRequest
from workflows.postgres.models import FailoverRequest
from workflows.redis.models import RedisFailoverRequest
from workflows.run import outcome
from workflows.run.automatic import handed_on
from workflows.run.models import TASK_TIMEOUT, Run


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
