r"""Move a PostgreSQL cluster's writes to its synchronous standby, without losing one.

    settle -> survey -> approve -> survey -> claim -> fence  !  promote -> route -> verify -> reconnect -> redundancy
                                             \__ undone ___/    \_________________ forward only _________________/

``!`` is the point of no return. Before it every failure, rejection, expiry or cancel gives the writes back to the old
primary. After it the run goes forward only, with one exception that needs proof: a candidate that does not confirm its
promotion is *sealed* at a higher epoch; if its gate answers that it was never promoted, the writes go back; if it was,
the run goes on; while it is silent the run is STRANDED and keeps asking.

A run that was terminated or reset leaves its intent in the record. The next run settles that first: undone if its
candidate was not promoted, finished if it was.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from activities.errors import Refusal, refuse
    from activities.models import Outcome, Plan, Settled, Switch
    from estate.model import PostgresTarget
    from gate.record import Mode
    from workflows import endings, steps
    from workflows.approval import ApprovalGate
    from workflows.inputs import parse
    from workflows.journal import Journal
    from workflows.models import FailoverRequest, Run
    from workflows.names import must_hold_lock
    from workflows.phases import Phase
    from workflows.planning import make_plan
    from workflows.switchover import Switchover
    from workflows.uncancellable import uncancellable
    from workflows.voting import Decidable, wait_for_votes


@workflow.defn(name="postgres-failover")
class PostgresFailover(Decidable):
    """One switch of one cluster; its workflow ID is the cluster's lock."""

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Set every attribute here: a handler may run before ``run`` does."""
        self._request, self._bad_input = parse(FailoverRequest, args)
        self._journal = Journal(self._request)

    @workflow.run
    async def run(self, *_: Any) -> endings.Summary:  # noqa: ANN401
        """Switch over, or put everything back and say why."""
        return await endings.conclude(self._journal, self._story())

    async def _story(self) -> None:
        request = self._checked_request()
        target = self._journal.target = await steps.resolve(request.cluster)
        if request.run is Run.PLAN:
            await self._preview(request, target)
            return
        if await self._settled(target):
            return
        plan = await self._plan(request, target)
        plan = await self._approved(request, target, plan)
        await Switchover(self._journal, _switch(target, plan)).carry_out()
        self._journal.close(Outcome.COMPLETED, f"{plan.candidate} leads {target.name}")

    def _checked_request(self) -> FailoverRequest:
        self._journal.label()
        if self._bad_input is not None or self._request is None:
            raise self._bad_input or refuse(Refusal.BAD_INPUT, "input: missing")
        if self._request.mode is not Mode.PLANNED:
            raise refuse(Refusal.NOT_AVAILABLE, f"mode: {self._request.mode} is not available; planned is")
        if self._request.run is Run.DRILL:
            raise refuse(Refusal.NOT_AVAILABLE, f"run: {self._request.run} is not available; plan and real are")
        must_hold_lock(self._request.cluster, self._request.run)
        return self._request

    async def _settled(self, target: PostgresTarget) -> bool:
        """Deal with what an earlier run left; return whether that was all there is to do."""
        try:
            settlement = await steps.settle(target)
        except FailureError as error:
            if endings.touched_nothing(error):
                raise
            words = f"what an earlier run left is not settled: {endings.cause_of(error)[1]}; start it again"
            raise refuse(Refusal.ROLLBACK_INCOMPLETE, words) from error
        if settlement.settled is Settled.NOTHING:
            return False
        self._journal.facts["settlement"] = settlement
        if settlement.switch is None:
            return False
        await uncancellable(Switchover(self._journal, settlement.switch).aftermath())
        self._journal.close(Outcome.SETTLED, f"{settlement.message}; it is finished now, nothing else was done")
        return True

    async def _plan(self, request: FailoverRequest, target: PostgresTarget) -> Plan:
        journal = self._journal
        journal.enter(Phase.SURVEYING)
        journal.survey = await steps.survey(target)
        journal.plan = plan = make_plan(request, target, journal.survey)
        return plan

    async def _preview(self, request: FailoverRequest, target: PostgresTarget) -> None:
        plan = await self._plan(request, target)
        self._journal.facts["preview"] = await steps.preview(_switch(target, plan))
        self._journal.close(Outcome.PLANNED_ONLY, f"{plan.candidate} would lead {target.name}; nothing was changed")

    async def _approved(self, request: FailoverRequest, target: PostgresTarget, plan: Plan) -> Plan:
        """Wait for people as the policy says, then look again: hours may have passed."""
        policy = target.cluster.approvals.planned
        if policy.needed and policy.requester_required and not request.by:
            raise refuse(Refusal.BAD_INPUT, "by: missing; the approval policy must know who asks")
        gate = self._journal.gate = ApprovalGate(policy, target.people, request.by)
        if gate.needed == 0:
            return plan
        window = gate.open(plan, workflow.now())
        self._journal.enter(Phase.AWAITING_APPROVAL)
        await wait_for_votes(gate, window)
        again = await self._plan(request, target)
        if again.digest != plan.digest:
            raise refuse(
                Refusal.PLAN_CHANGED,
                f"plan {plan.digest} ({plan.primary} to {plan.candidate}) was approved, but the cluster has changed since:"
                f" now it would be {again.digest} ({again.primary} to {again.candidate}); nothing was changed",
            )
        return again


def _switch(target: PostgresTarget, plan: Plan) -> Switch:
    return Switch(target=target, plan=plan, epoch=plan.epoch + 1, run=steps.me())
