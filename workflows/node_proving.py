"""The wait of a forced ``node-failover`` for proof that the node is stopped: a person's word, or its machine's own."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.models.machines import NodeProof
from estate.nodes import NodeTarget
from workflows import endings, node_steps
from workflows.cancelling import cancel_and_wait
from workflows.journal import Journal
from workflows.uncancellable import uncancellable

Asking = workflow.ActivityHandle[NodeProof]


async def proof_of(journal: Journal, target: NodeTarget, provider_id: str, asking: Asking | None) -> NodeProof:
    """Return whichever proof comes first. A control plane that says no leaves it to the word, and is shown.

    ``asking``: the control plane is being asked already.

    Raises:
        TimeoutError: there is none within ``word_within``. ``CancelledError`` when the run is cancelled.

    """
    deadline = workflow.now() + target.settings.word_within
    if asking is not None or (target.settings.machines is not None and not journal.attested_by):
        asking = asking or node_steps.machine_stopped(target, provider_id)
        found = await _by_machine(journal, asking, deadline)
        if found is not None:
            return found
    if not journal.attested_by:
        await workflow.wait_condition(
            lambda: bool(journal.attested_by), timeout=_left(deadline), timeout_summary="wait for a person's word"
        )
    words = f"{journal.attested_by} says that {target.name} is stopped"
    return NodeProof(kind="attested", words=words, at=workflow.now())


async def _by_machine(journal: Journal, asking: Asking, deadline: datetime) -> NodeProof | None:
    """Return the machine's own proof; ``None`` when a word was quicker, or its control plane has refused."""
    try:
        await workflow.wait_condition(
            lambda: asking.done() or bool(journal.attested_by), timeout=_left(deadline), timeout_summary="wait for proof"
        )
    except (asyncio.CancelledError, TimeoutError):
        await uncancellable(cancel_and_wait(asking))
        raise
    if journal.attested_by:
        await cancel_and_wait(asking)
        if workflow.cancellation_reason() is not None:
            raise asyncio.CancelledError
        return None
    try:
        return await asking
    except ActivityError as error:
        if endings.was_cancelled(error):
            raise
        journal.explanation = f"{journal.explanation}; its machine proves nothing: {endings.cause_of(error)[1]}"
        journal.show()
        return None


def _left(deadline: datetime) -> timedelta:
    return max(deadline - workflow.now(), timedelta(0))
