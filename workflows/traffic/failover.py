r"""Move the traffic of a public name to another region: Traffic Manager first, then Front Door.

    survey -> approve -> survey -> change each lever -> wait for Azure -> wait for the edge and DNS -> report
    \____ nothing changed _____/ \________________ everything is put back on failure or cancel _____/

There is no point of no return: no data is moved. Until clients are proven to be served from the new region, a failure or a
cancel puts every lever back exactly as it was, newest first. A failure does not, if the region before cannot serve and the
new one can: the run then ends as ``STRANDED`` and names the levers. A lever that somebody else has changed since is left
alone, and the run ends as ``ROLLBACK_INCOMPLETE``. Azure's *Succeeded* proves nothing about the edge, which learns later.

A run that is ended from outside leaves levers moved. The next one moves the rest, or waits for the proof alone.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

from activities.run.errors import Refusal, refuse
from activities.run.inventory import EstateActivities
from activities.run.models.control import Control
from activities.run.models.inventory import ResolveRequest
from activities.run.models.todo import Todo, todo
from activities.run.postures import CHANGE, lasting
from activities.traffic.changing import ATTEMPT, TrafficChangeActivities
from activities.traffic.models import (
    Applied,
    AwaitChange,
    AwaitServed,
    Begun,
    Change,
    ChangeOrder,
    Ended,
    HealthFact,
    RestoreOrder,
    Served,
    Side,
    TrafficDetails,
    TrafficLook,
    TrafficPlan,
)
from activities.traffic.serving import TrafficProofActivities
from activities.traffic.survey import TrafficLookActivities, hosts_of
from estate.base import ApprovalPolicy
from estate.traffic import TrafficTarget
from workflows.run.control import Leeway
from workflows.run.controlling import held_back, leave_out, optional_step
from workflows.run.outcome import Summary, cause_of, was_cancelled
from workflows.run.phases import Phase
from workflows.run.procedure import Procedure
from workflows.run.recovering import count_recovery
from workflows.run.saga import compensated
from workflows.run.steps import step
from workflows.run.uncancellable import uncancellable
from workflows.traffic.models import DnsFailoverRequest
from workflows.traffic.planning import make_traffic_plan
from workflows.traffic.undoing import left_moved, not_ours, sick_before, unproven

_BUSY = timedelta(seconds=5)
"""Between two requests for a change while Azure is busy with something else."""


@workflow.defn(name="dns-failover")
class DnsFailover(Procedure[DnsFailoverRequest, TrafficTarget, TrafficPlan, TrafficDetails]):
    """One move of one public name; its workflow ID is the name's lock."""

    asks, details = DnsFailoverRequest, TrafficDetails
    waits_out_absence = True
    leeways = (Leeway("proof", skip="the levers stay where they are; nobody knows whether clients are served from there"),)

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Set every attribute here: a handler may run before ``run`` does."""
        self.prepare(args)
        self._touched: list[Change] = []
        """Changes that this run may have made, oldest first."""
        self._operations: dict[str, str] = {}
        """Change, for people → Azure's newest operation for it."""

    @workflow.run
    async def run(self, *_: Any) -> Summary:  # noqa: ANN401
        """Move the traffic, or let everything be and say why."""
        return await self.conclude()

    async def resolve(self) -> TrafficTarget:
        """Look the public name up in the estate."""
        return await step(EstateActivities.resolve_traffic, ResolveRequest(cluster=self.request.traffic, by=self.asker))

    async def make_plan(self) -> TrafficPlan:
        """Ask Azure, the edge, DNS and the regions, and decide."""
        state = self.state
        state.enter(Phase.SURVEYING)
        survey = state.details.survey = await step(TrafficLookActivities.survey, TrafficLook(target=self.target))
        state.plan = plan = make_traffic_plan(self.request, self.target, survey)
        state.show()
        return plan

    @staticmethod
    def policy(target: TrafficTarget, mode: str, run: str) -> ApprovalPolicy:  # noqa: ARG004
        """Return who must approve."""
        return target.entry.approvals.planned

    def would(self, plan: TrafficPlan) -> str:
        """Return what a dry run has found."""
        number = len(plan.changes)
        return f"{number} change{'s'[: number != 1]} would lead {self.target.name} to {plan.to}; nothing was changed"

    async def execute(self, plan: TrafficPlan) -> str:
        """Move the levers and wait for the proof; put everything back if it does not come."""
        details = self.state.details
        details.begun_at = workflow.now()
        self.state.control.offer("proof")
        try:
            for change in plan.changes:
                await held_back(self.state)
                await self._changed(change)
            details.azure_done_at = workflow.now()
            served = await self._served(plan)
        except (asyncio.CancelledError, FailureError) as error:
            if self._touched:
                await uncancellable(self._undo(error))
            raise
        self.state.would_undo = ()
        if served is None:
            return f"the levers of {self.target.name} lead to {self.target.place(plan.to)}; nobody has proven it"
        count_recovery(self.state, details.begun_at, served.at)
        return f"clients of {self.target.name} are served from {self.target.place(plan.to)}"

    async def _changed(self, change: Change) -> None:
        """Have one lever moved. Azure may be busy; then it is asked again, for as long as the estate says."""
        state, until = self.state, workflow.now() + self.target.entry.thresholds.azure_within
        order = ChangeOrder(target=self.target, change=change)
        while True:
            state.enter(Phase.MOVING_TRAFFIC, str(change))
            begun = await self._begun(order)
            if begun.refused:
                raise refuse(Refusal.NOT_AVAILABLE, begun.refused)
            if begun.already:
                state.details.notes += (f"{change.lever.side} {change.lever} {change.name} was {change.after} already",)
                return
            ended = await self._ended(order, begun, until)
            if ended.ended is Ended.DONE:
                self._note_done(change, ended)
                return
            words = f"Azure has not made the change {change}: {ended.message or ended.ended.value}"
            if ended.ended is Ended.OVERTAKEN:
                raise refuse(Refusal.CHANGED_BY_ANOTHER, words)
            if ended.ended is Ended.FAILED:
                raise refuse(Refusal.NOT_AVAILABLE, words)
            if ended.ended is Ended.LATE or workflow.now() >= until:
                raise refuse(Refusal.BUSY, words)
            after = timedelta(seconds=begun.after_seconds) if begun.after_seconds else _BUSY
            await workflow.sleep(after, summary="Azure was busy with something else")
            order = order.model_copy(update={"again": begun.asked, "unsure": begun.asked and bool(begun.busy)})

    async def _begun(self, order: ChangeOrder) -> Begun:
        """Ask for a change, which is to be put back from then on, unless it is certain that nothing was asked for."""
        change = order.change
        self._touch(change)
        self._operations.pop(str(change), None)
        try:
            limits = lasting(CHANGE, attempt=ATTEMPT, within=self.target.entry.thresholds.azure_within)
            begun = await step(TrafficChangeActivities.change, order, posture=limits)
        except ActivityError as error:
            if cause_of(error)[0] == Refusal.CHANGED_BY_ANOTHER:  # it is somebody else's now
                self._leave(change)
            raise
        if not begun.asked:
            self._leave(change)
        self.state.details.asked += not (begun.already or begun.busy or begun.refused)
        self._operations[str(change)] = begun.operation
        return begun

    def _touch(self, change: Change) -> None:
        if change not in self._touched:
            self._touched.append(change)
        self.state.would_undo = tuple(str(one.backwards) for one in reversed(self._touched))

    def _leave(self, change: Change) -> None:
        self._touched.remove(change)
        self.state.would_undo = tuple(str(one.backwards) for one in reversed(self._touched))

    async def _ended(self, order: ChangeOrder, begun: Begun, until: datetime) -> Applied:
        if begun.busy:
            return Applied(ended=Ended.BUSY, at=begun.at, message=begun.busy)
        return await step(
            TrafficChangeActivities.await_change, AwaitChange(order=order, operation=begun.operation, until=until)
        )

    def _note_done(self, change: Change, ended: Applied) -> None:
        details = self.state.details
        details.changed = (*details.changed, change)
        if ended.rest_changed:
            details.notes += (f"Other settings of {change.lever} {change.name} have changed meanwhile: look at it in Azure",)

    async def _served(self, plan: TrafficPlan) -> Served | None:
        """Wait for the proof; ``None``: it was skipped. ApplicationError: ``NotVerified``, it has not come in time."""
        state, thresholds, survey = self.state, self.target.entry.thresholds, self.state.details.survey
        await held_back(state)
        state.enter(Phase.SPREADING, f"the edge is to answer from {plan.to}")
        manager = survey.side(Side.TRAFFIC_MANAGER) if survey else None
        now = workflow.now()
        wait = AwaitServed(
            target=self.target, to=plan.to, name=manager.name if manager else "", hosts=hosts_of(manager) if manager else {},
            edge_until=now + thresholds.edge_within, name_until=now + thresholds.dns_within,
        )  # fmt: skip
        served = state.details.served = await optional_step(state, "proof", TrafficProofActivities.await_served, wait)
        if served is None:
            left = todo(
                Todo.VERIFY, f"see that the edge and DNS of {self.target.name} answer from {plan.to}", self.target.name
            )
            leave_out(state, Control.SKIP, "proof", left)
        elif not served.proven:
            raise refuse(
                Refusal.NOT_VERIFIED, unproven(self.target, served, plan) + not_ours(survey, self._touched, plan.to)
            )
        return served

    async def _undo(self, error: BaseException) -> None:
        state = self.state
        state.phase = Phase.UNDOING
        if not was_cancelled(error) and (sick := await self._sick_before()):
            state.left_to_do, state.would_undo = left_moved(self._touched, sick, self.target), ()
            words = f"{cause_of(error)[1]}; nothing was put back, since {self.target.place(sick.region)} is not healthy"
            raise refuse(Refusal.STRANDED, f"{words}: {sick.message}") from error
        left = todo(Todo.ROUTE, f"see which levers are not as before: failover plan dns-failover {self.target.name}")
        if done := await compensated(state, error, self._put_back(), left):
            state.undone = (*state.undone, *done)

    async def _sick_before(self) -> HealthFact | None:
        """Return the region that the traffic would be led back to, if it cannot serve and the new one can."""
        before = self.state.details.survey
        try:
            now = await step(TrafficLookActivities.survey, TrafficLook(target=self.target))
        except FailureError:
            return None
        return sick_before(self._touched, before, now, self.request.to) if before else None

    async def _put_back(self) -> tuple[str, ...]:
        """Put every lever back, newest first; return those that were not as before.

        Raises:
            ApplicationError: ``RollbackIncomplete``, names each lever that is not as before, and why.

        """
        failures, done, details = [], [], self.state.details
        for change in reversed(self._touched):
            try:
                order = ChangeOrder(target=self.target, change=change)
                request = RestoreOrder(order=order, operation=self._operations.get(str(change), ""))
                restored = await step(TrafficChangeActivities.restore, request)
            except FailureError as error:
                failures.append(f"{change.backwards}: {cause_of(error)[1]}")
            else:
                details.put_back += (change,)
                done += [restored.message] if restored.moved else []
        if failures:
            raise refuse(Refusal.ROLLBACK_INCOMPLETE, "; ".join([*failures, *(f"put back: {one}" for one in done)]))
        return tuple(done)
