"""The wait of a claimed forced failover for proof that the old primary is stopped, and for a person's word on it."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.postgres.fencing import ProveActivities
from activities.postgres.models.details import PostgresDetails
from activities.postgres.models.transfer import Proof, ProveRequest, Switch
from activities.run.errors import Refusal, refuse
from estate.postgres import ProofKind
from workflows.run.attestation import attested
from workflows.run.automatic import found_in_memo
from workflows.run.cancelling import cancel_and_wait
from workflows.run.models import lock_of
from workflows.run.state import RunState
from workflows.run.steps import begin

_NODE = "node"
"""Subject of the run that a lost node has: it may have the machine ended."""


async def proof_of(state: RunState[PostgresDetails], switch: Switch) -> Proof:
    """Return the proof; a person's word that comes meanwhile is taken up at once.

    Raises:
        ApplicationError: ``NoProof`` when there is none in time. ``CancelledError`` when the run is cancelled.

    """
    forced, old = switch.target.cluster.forced, switch.plan.primary
    deadline = workflow.now() + forced.proof_within
    found = found_in_memo() if state.by_watch else None
    node = state.details.survey.node_of(old) if state.details.survey else ""
    if node and ProofKind.MACHINE in forced.proof:
        await _say_what_is_needed(node)
        if workflow.cancellation_reason() is not None:  # the signal does not hear of it
            raise asyncio.CancelledError
    while True:
        by = state.attested_by
        request = ProveRequest(switch=switch, attested_by=by, unrenewed=found.unrenewed if found else None, node=node)
        proving = begin(ProveActivities.prove, request)
        try:
            left = deadline - workflow.now()
            in_time = await attested(state, left, before=by, or_when=proving.done, summary="wait for proof")
        except asyncio.CancelledError:
            await cancel_and_wait(proving)
            raise
        if not in_time:
            await cancel_and_wait(proving)
            raise refuse(
                Refusal.NO_PROOF,
                f"nobody has proved within {forced.proof_within} that {old} is stopped;"
                f" accepted is {', '.join(forced.proof)}{_remedy(switch)}",
            )
        if proving.done():
            return await proving
        await cancel_and_wait(proving)


def _remedy(switch: Switch) -> str:
    if not switch.target.takes_words:
        return ""
    return f": failover attest {switch.plan.cluster} --member {switch.plan.primary} --by NAME"


async def _say_what_is_needed(node: str) -> None:
    """Tell the run that gives the node up, if there is one: it may have the machine ended."""
    run = workflow.get_external_workflow_handle(lock_of(_NODE, node))
    try:
        await run.signal("proof_needed")
    except FailureError:
        return  # there is none, or it waits for nobody
