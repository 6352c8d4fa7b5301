"""The wait of a claimed forced failover for proof that the old primary is stopped, and for a person's word on it."""

from __future__ import annotations

import asyncio

from temporalio import workflow

from activities.errors import Refusal, refuse
from activities.models.switch import Proof, Switch
from workflows import steps
from workflows.by_watch import found_by_watch
from workflows.cancelling import cancel_and_wait
from workflows.journal import Journal


async def proof_of(journal: Journal, switch: Switch) -> Proof:
    """Return the proof; a person's word that comes meanwhile is taken up at once.

    Raises:
        ApplicationError: ``NoProof`` when there is none in time. ``CancelledError`` when the run is cancelled.

    """
    forced, old = switch.target.cluster.forced, switch.plan.primary
    deadline = workflow.now() + forced.proof_within
    found = found_by_watch()
    while True:
        by = journal.attested_by
        proving = steps.prove(switch, by, found.unrenewed if found else None)
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
                f" accepted is {', '.join(forced.proof)}: failover attest {switch.plan.cluster} --member {old} --by NAME",
            ) from None
        except asyncio.CancelledError:
            await cancel_and_wait(proving)
            raise
        if proving.done():
            return await proving
        await cancel_and_wait(proving)
