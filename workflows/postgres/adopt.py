r"""Take over a pair that has run without the gate: its gates stand before the old directories and wait for a person.

    survey -> approve -> survey -> prepare  !  record -> verify -> redundancy
                                   \_ left _/  \______ forward only ______/

``!`` is the first leader record. Before it nobody leads, and a run that fails, is refused or cancelled leaves the directory
as it was but for the product's own roles: the old manifests still start it. After it the gates do the rest by themselves,
and the run watches. A run that finds the record of an earlier one under the same lock finishes that.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.postgres.adopt import AdoptActivities
from activities.postgres.models.post_promotion import Redundancy
from activities.postgres.models.transfer import Switch
from activities.postgres.models.upkeep import AdoptStep
from activities.run.errors import Refusal, refuse
from activities.run.models.plan import Plan
from activities.run.models.report import Outcome
from activities.run.models.todo import Todo, todo
from estate.postgres import PostgresTarget
from gate.record import Record
from workflows.postgres import steps
from workflows.postgres.planning.adoption import finishing_plan, make_adoption_plan
from workflows.postgres.recovery import people_agreed
from workflows.run import outcome
from workflows.run.cancelling import cancel_and_wait
from workflows.run.inputs import parse
from workflows.run.models import AdoptRequest, Run
from workflows.run.phases import Phase
from workflows.run.postures import MUTATE, UNHURRIED
from workflows.run.preconditions import admitted
from workflows.run.state import Journal
from workflows.run.uncancellable import uncancellable
from workflows.run.voting import Decidable

_WATCHED_AFTER_CANCEL = timedelta(seconds=10)


@workflow.defn(name="postgres-adopt")
class PostgresAdopt(Decidable):
    """One adoption of one cluster; its workflow ID is the cluster's lock."""

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Set every attribute here: a handler may run before ``run`` does."""
        self._request, self._bad_input = parse(AdoptRequest, args)
        self._journal = Journal(self._request)

    @workflow.run
    async def run(self, *_: Any) -> outcome.Summary:  # noqa: ANN401
        """Adopt, or say why not."""
        return await outcome.conclude(self._journal, self._story())

    async def _story(self) -> None:
        request, journal = admitted(self._journal, self._request, self._bad_input), self._journal
        target = journal.target = await steps.resolve(request.cluster)
        plan, goes_on = await self._plan(request, target)
        if request.run is Run.PLAN:
            words = "would finish the adoption of" if goes_on else "would adopt"
            journal.close(
                Outcome.PLANNED_ONLY, f"{words} {target.name} with {plan.candidate} as leader; nothing was changed"
            )
            return
        step = AdoptStep(
            target=target,
            leader=plan.candidate,
            epoch=plan.epoch + 1,
            system_identifier=plan.system_identifier,
            run=steps.me(),
        )
        if not goes_on:
            plan = await self._approved(request, target, plan)
            step = step.model_copy(update={"epoch": plan.epoch + 1})
            await self._prepare(step)
            await uncancellable(self._record(step))
        self._journal.forward_only = True
        await uncancellable(self._see_it_serve(step, plan))
        journal.close(Outcome.COMPLETED, f"{plan.candidate} leads {target.name}, which is adopted")

    async def _plan(self, request: AdoptRequest, target: PostgresTarget) -> tuple[Plan, bool]:
        """Return the plan, and whether an earlier adoption has written the record already."""
        journal = self._journal
        journal.enter(Phase.SURVEYING)
        journal.survey = survey = await steps.survey(target)
        left = finishing_plan(request, target, survey.record) if survey.record else None
        journal.plan = plan = left or make_adoption_plan(request, target, survey)
        return plan, left is not None

    async def _approved(self, request: AdoptRequest, target: PostgresTarget, plan: Plan) -> Plan:
        """Wait for people as the policy says, then look again: hours may have passed."""
        if not await people_agreed(self._journal, target.cluster.approvals.adopt, target, plan):
            return plan
        again, adopted = await self._plan(request, target)
        if adopted or again.digest != plan.digest:
            raise refuse(
                Refusal.PLAN_CHANGED,
                f"plan {plan.digest} ({plan.candidate} leads) was approved, but the cluster has changed since: now it would"
                f" be {again.digest or 'adopted already'} ({again.candidate} leads); nothing was changed",
            )
        return again

    async def _prepare(self, step: AdoptStep) -> None:
        journal = self._journal
        journal.leaves = f"nobody leads, and the directory of {step.leader} has at most the product's own roles more"
        journal.enter(Phase.CLAIMING, f"prepares {step.leader}")
        journal.facts["adopted"] = await workflow.execute_activity_method(
            AdoptActivities.adopt, step, summary=f"prepare {step.leader}", **UNHURRIED
        )
        journal.enter(Phase.CLAIMING, "writes the first record")

    async def _record(self, step: AdoptStep) -> None:
        """Write the first record; without a clear no it may have been written."""
        journal = self._journal
        try:
            await workflow.execute_activity_method(
                AdoptActivities.first_record, step, summary=f"first record: {step.leader}, epoch {step.epoch}", **MUTATE
            )
        except FailureError as error:
            if not outcome.is_answer(error):
                journal.forward_only = True
                message = f"record: is there one? adopt {step.target.name} again, it finds out"
                journal.left_to_do = (todo(Todo.RECORD, message),)
            raise
        journal.forward_only = True

    async def _see_it_serve(self, step: AdoptStep, plan: Plan) -> None:
        """Watch the gates: the leader takes a write, the others follow synchronously.

        After a cancel the others are watched only a little longer, since the gates go on by themselves.
        """
        journal, target = self._journal, step.target
        followers = [name for name in target.cluster.members if name != step.leader]
        journal.left_to_do = (
            todo(Todo.VERIFY, f"verify: a write reaches {step.leader}", step.leader),
            *(todo(Todo.REDUNDANCY, f"redundancy: {name} follows {step.leader}", name) for name in followers),
        )
        journal.enter(Phase.VERIFYING)
        switch = Switch(target=target, plan=plan, epoch=step.epoch, run=step.run)
        journal.facts["verified"] = await steps.verify(switch)
        journal.done(Todo.VERIFY)
        journal.enter(Phase.REJOINING, "service is restored")
        record = Record(leader=step.leader, epoch=step.epoch)
        for name in followers:
            watch = asyncio.create_task(steps.follows(target, record, name))
            if not await _done_unless_cancelled(watch):
                raise refuse(Refusal.STRANDED, f"cancelled: service is restored, and {name} does not follow yet")
            journal.facts["redundancy"] = await watch
            journal.done(Todo.REDUNDANCY, name)


async def _done_unless_cancelled(watch: asyncio.Task[Redundancy]) -> bool:
    """Wait for ``watch``; give it up some time after a cancel of this run. Return whether it is done."""
    await workflow.wait_condition(lambda: watch.done() or workflow.cancellation_reason() is not None)
    try:
        await workflow.wait_condition(watch.done, timeout=_WATCHED_AFTER_CANCEL, timeout_summary="cancelled: a last look")
    except TimeoutError:
        await cancel_and_wait(watch)
        return False
    return True
