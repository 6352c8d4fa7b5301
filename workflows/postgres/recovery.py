"""What every run that moves writes does first: settle what an earlier one left, and wait for people."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.postgres.models.transfer import Settled, Switch
from activities.run.errors import Refusal, refuse
from activities.run.models.plan import Plan
from activities.run.models.report import Outcome
from estate.base import ApprovalPolicy, Target
from estate.postgres import PostgresTarget
from gate.record import Mode
from workflows.postgres import steps
from workflows.postgres.transfer.staged import Switchover
from workflows.run import outcome
from workflows.run.approval import ApprovalGate
from workflows.run.automatic import goes_by_itself
from workflows.run.phases import Phase
from workflows.run.state import Journal
from workflows.run.uncancellable import uncancellable
from workflows.run.voting import wait_for_votes


async def settled(journal: Journal, target: PostgresTarget) -> bool:
    """Deal with what an earlier run left; return whether that was all there is to do.

    A forced failover goes on when an earlier switch was carried out and its new leader takes no write: it has died since.
    """
    journal.explanation = "settles what an earlier run left, if anything"
    journal.show()
    try:
        settlement = await steps.settle(target)
    except FailureError as error:
        if outcome.was_cancelled(error):
            journal.leaves = "what an earlier run left may be half undone, and writes stopped: start it again"
        if outcome.touched_nothing(error):
            raise
        words = f"what an earlier run left is not settled: {outcome.cause_of(error)[1]}; start it again"
        raise refuse(Refusal.ROLLBACK_INCOMPLETE, words) from error
    if settlement.settled is Settled.NOTHING:
        return False
    journal.facts["settlement"] = settlement
    if settlement.switch is None:
        return False
    try:
        await uncancellable(Switchover(journal, settlement.switch).aftermath())
    except FailureError:
        if journal.mode != Mode.FORCED.value or "verified" in journal.facts:
            raise
        await uncancellable(steps.finish(settlement.switch))
        journal.forward_only, journal.left_to_do = False, ()
        return False
    journal.close(Outcome.SETTLED, f"{settlement.message}; it is finished now, nothing else was done")
    return True


async def approved(journal: Journal, policy: ApprovalPolicy, target: Target, make: Callable[[], Awaitable[Plan]]) -> Plan:
    """Make a plan, wait for people as ``policy`` says, then make it again: hours may have passed."""
    plan = await make()
    if not await people_agreed(journal, policy, target, plan):
        return plan
    again = await make()
    if again.digest != plan.digest:
        raise refuse(
            Refusal.PLAN_CHANGED,
            f"plan {plan.digest} ({plan.primary} to {plan.candidate}) was approved, but the cluster has changed since:"
            f" now it would be {again.digest} ({again.primary} to {again.candidate}); nothing was changed",
        )
    return again


async def people_agreed(journal: Journal, policy: ApprovalPolicy, target: Target, plan: Plan) -> bool:
    """Return once enough people have approved ``plan``; whether anybody had to.

    Raises:
        ApplicationError: ``BadInput`` when nobody is named who asks and the policy must know; as ``wait_for_votes``.

    """
    if goes_by_itself(target):
        return False
    by = journal.request.by.strip() if journal.request else ""
    if policy.needed and policy.requester_required and not by:
        raise refuse(Refusal.BAD_INPUT, "by: missing; the approval policy must know who asks")
    gate = journal.gate = ApprovalGate(policy, target.people, by)
    if gate.needed == 0:
        return False
    window = gate.open(plan, workflow.now())
    journal.enter(Phase.AWAITING_APPROVAL)
    await wait_for_votes(journal, gate, window)
    return True


def switch_of(target: PostgresTarget, plan: Plan) -> Switch:
    """Return the switch that carries ``plan`` out."""
    return Switch(target=target, plan=plan, epoch=plan.epoch + 1, run=steps.me())
