"""Recovering a cluster from a run that was interrupted: what it left in the leader record is finished or undone first."""

from __future__ import annotations

from temporalio.exceptions import FailureError

from activities.postgres.claim import ClaimActivities
from activities.postgres.models.details import PostgresDetails
from activities.postgres.models.post_promotion import FinishRequest
from activities.postgres.models.transfer import Settled, SettleRequest
from activities.postgres.undo import UndoActivities
from activities.run.errors import Refusal, refuse
from activities.run.models.report import Outcome
from estate.postgres import PostgresTarget
from gate.record import Mode
from workflows.postgres.transfer.staged import Switchover
from workflows.run import outcome
from workflows.run.state import RunState
from workflows.run.steps import me, step
from workflows.run.uncancellable import uncancellable


async def recovered(state: RunState[PostgresDetails], target: PostgresTarget) -> bool:
    """Deal with what an earlier run left; return whether that was all there is to do.

    A forced failover goes on when an earlier switch was carried out and its new leader takes no write: it has died since.
    """
    state.explanation = "recovers what an interrupted run left, if anything"
    state.show()
    try:
        settlement = await step(UndoActivities.settle, SettleRequest(target=target, run=me()))
    except FailureError as error:
        if outcome.was_cancelled(error):
            state.leaves = "what an earlier run left may be half undone, and writes stopped: start it again"
        if outcome.touched_nothing(error):
            raise
        words = f"what an interrupted run left is not recovered: {outcome.cause_of(error)[1]}; start it again"
        raise refuse(Refusal.ROLLBACK_INCOMPLETE, words) from error
    if settlement.settled is Settled.NOTHING:
        return False
    state.details.settlement = settlement
    if settlement.switch is None:
        return False
    try:
        await uncancellable(Switchover(state, settlement.switch.of(target)).aftermath())
    except FailureError:
        if state.mode != Mode.FORCED.value or state.details.verified is not None:
            raise
        await uncancellable(step(ClaimActivities.finish, FinishRequest(switch=settlement.switch)))
        state.forward_only, state.left_to_do = False, ()
        return False
    state.close(Outcome.RECOVERED, f"{settlement.message}; it is finished now, nothing else was done")
    return True
