"""The wait of a claimed forced failover for proof that the old primary is stopped, and for a person's word on it."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.postgres.models.transfer import Proof, Switch
from activities.run.errors import Refusal, refuse
from estate.postgres import ProofKind
from workflows.postgres import steps
from workflows.run.automatic import found_by_watch
from workflows.run.cancelling import cancel_and_wait
from workflows.run.models import node_lock_id
from workflows.run.state import Journal


async def proof_of(journal: Journal, switch: Switch) -> Proof:
    """Return the proof; a person's word that comes meanwhile is taken up at once.

    Raises:
        ApplicationError: ``NoProof`` when there is none in time. ``CancelledError`` when the run is cancelled.

    """
    forced, old = switch.target.cluster.forced, switch.plan.primary
    deadline = workflow.now() + forced.proof_within
    found, node = found_by_watch(), journal.survey.node_of(old) if journal.survey else ""
    if node and ProofKind.MACHINE in forced.proof:
        await _say_what_is_needed(node)
        if workflow.cancellation_reason() is not None:  # the signal does not hear of it
            raise asyncio.CancelledError
    while True:
        by = journal.attested_by
        proving = steps.prove(switch, by, found.unrenewed if found else None, node)
        try:
            await workflow.wait_condition(
                lambda by=by, proving=proving: proving.done() or journal.attested_by != by,  # type: ignore[misc]
                timeout=max((deadline - workflow.now()).total_seconds(), 0.0),
                timeout_summary="wait for proof",
            )
        except TimeoutError:
            await cancel_and_wait(proving)
            raise refuse(
                Refusal.NO_PROOF,
                f"nobody has proved within {forced.proof_within} that {old} is stopped;"
                f" accepted is {', '.join(forced.proof)}{_remedy(switch)}",
            ) from None
        except asyncio.CancelledError:
            await cancel_and_wait(proving)
            raise
        if proving.done():
            return await proving
        await cancel_and_wait(proving)


def _remedy(switch: Switch) -> str:
    if not switch.target.takes_words:
        return ""
    return f": failover attest {switch.plan.cluster} --member {switch.plan.primary} --by NAME"


async def _say_what_is_needed(node: str) -> None:
    """Tell the run that gives the node up, if there is one: it may have the machine ended."""
    run = workflow.get_external_workflow_handle(node_lock_id(node))
    try:
        await run.signal("proof_needed")
    except FailureError:
        return  # there is none, or it waits for nobody
