"""The wait of a forced ``node-failover`` for proof that the node is stopped: a person's word, or its machine's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.nodes.machine_models import NodeProof, StoppedRequest
from activities.nodes.machine_steps import MachineActivities
from activities.nodes.run_models import NodeDetails
from estate.nodes import NodeTarget
from workflows.run import outcome
from workflows.run.attestation import attested
from workflows.run.cancelling import cancel_and_wait
from workflows.run.state import RunState
from workflows.run.steps import begin
from workflows.run.uncancellable import uncancellable

_AGAIN = timedelta(seconds=10)
Asking = workflow.ActivityHandle[NodeProof]


class EarlyAsking:
    """The control plane of the machine, asked while leaders move: one of them may wait for its word."""

    def __init__(self, state: RunState[NodeDetails], target: NodeTarget, provider_id: str) -> None:
        """Nobody is asked yet."""
        self._state, self._target, self._provider_id = state, target, provider_id
        self.asking: Asking | None = None

    async def ask(self, needed: Callable[[], bool]) -> None:
        """Ask once it is ``needed``, and again after a refusal, until there is proof. One who knows already asks nobody."""
        await workflow.wait_condition(needed)
        while self._target.settings.machines is not None and not self._state.attested_by:
            self.asking = _ask(self._target, self._provider_id)
            await workflow.wait([self.asking])
            if _refusal_of(self.asking) is None:
                return
            _show_refusal(self._state, self.asking)
            await workflow.sleep(_AGAIN)


def _ask(target: NodeTarget, provider_id: str) -> Asking:
    """Begin to ask the control plane of the node's machine whether it runs, and end it where the estate lets a run."""
    may_end = bool(target.settings.machines and target.settings.machines.may_end)
    return begin(MachineActivities.stop_and_confirm, StoppedRequest(target=target, provider_id=provider_id, end=may_end))


def _refusal_of(asking: Asking) -> BaseException | None:
    return asking.exception() if asking.done() and not asking.cancelled() else None


def _show_refusal(state: RunState[NodeDetails], asking: Asking) -> None:
    error = _refusal_of(asking)
    words = f"its machine proves nothing: {outcome.cause_of(error)[1]}" if error is not None else ""
    state.remark = words
    state.show()


async def proof_of(state: RunState[NodeDetails], target: NodeTarget, provider_id: str, asking: Asking | None) -> NodeProof:
    """Return whichever proof comes first. A control plane that says no leaves it to the word, and is shown.

    ``asking``: the control plane is being asked already. One that has answered before is asked anew: somebody may have
    started the machine meanwhile, and the taint must follow the proof at once.

    Raises:
        TimeoutError: there is none within ``word_within``. ``CancelledError`` when the run is cancelled.

    """
    deadline = workflow.now() + target.settings.word_within
    if asking is not None and asking.done():
        asking = None
    if asking is not None or (target.settings.machines is not None and not state.attested_by):
        found = await _by_machine(state, asking or _ask(target, provider_id), deadline)
        if found is not None:
            return found
    if not state.attested_by and not await attested(state, deadline - workflow.now()):
        raise TimeoutError
    words = f"{state.attested_by} says that {target.name} is stopped"
    return NodeProof(kind="attested", words=words, at=workflow.now())


async def _by_machine(state: RunState[NodeDetails], asking: Asking, deadline: datetime) -> NodeProof | None:
    """Return the machine's own proof; ``None`` when a word was quicker, or its control plane has refused."""
    try:
        in_time = await attested(state, deadline - workflow.now(), or_when=asking.done, summary="wait for proof")
    except asyncio.CancelledError:
        await uncancellable(cancel_and_wait(asking))
        raise
    if not in_time:
        await uncancellable(cancel_and_wait(asking))
        raise TimeoutError
    if not asking.done():
        await cancel_and_wait(asking)
        if workflow.cancellation_reason() is not None:
            raise asyncio.CancelledError
        return None
    try:
        return await asking
    except ActivityError as error:
        if outcome.was_cancelled(error):
            raise
        _show_refusal(state, asking)
        return None
