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
from activities.postgres.models.plan import PostgresPlan
from activities.postgres.models.post_promotion import Redundancy
from activities.postgres.models.transfer import Switch
from activities.postgres.models.upkeep import AdoptStep
from activities.postgres.post_promotion import AftermathActivities
from activities.run.errors import Refusal, refuse
from activities.run.models.todo import Todo, todo
from estate.base import ApprovalPolicy
from estate.postgres import PostgresTarget
from gate.record import Record
from workflows.postgres import steps
from workflows.postgres.models import AdoptRequest
from workflows.postgres.planning.adoption import finishing_plan, make_adoption_plan
from workflows.postgres.procedure import PostgresProcedure
from workflows.postgres.transfer.post_promotion import refused_write
from workflows.run import outcome
from workflows.run.cancelling import cancel_and_wait
from workflows.run.phases import Phase
from workflows.run.steps import me, step
from workflows.run.uncancellable import uncancellable

_WATCHED_AFTER_CANCEL = timedelta(seconds=10)


@workflow.defn(name="postgres-adopt")
class PostgresAdopt(PostgresProcedure[AdoptRequest]):
    """One adoption of one cluster."""

    asks = AdoptRequest

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Set every attribute here: a handler may run before ``run`` does."""
        self.prepare(args)
        self._goes_on = False

    @workflow.run
    async def run(self, *_: Any) -> outcome.Summary:  # noqa: ANN401
        """Adopt, or say why not."""
        return await self.conclude()

    async def recover(self) -> bool:
        """Do nothing: there is no leader record yet, and one that an interrupted adoption left is found by the survey."""
        return False

    async def preview(self, plan: PostgresPlan) -> str:  # noqa: ARG002
        """Return nothing: the route stays where it is."""
        return ""

    async def make_plan(self) -> PostgresPlan:
        """Survey the pair; take note whether an earlier adoption has written the record already."""
        state, target = self.state, self.target
        state.enter(Phase.SURVEYING)
        state.details.survey = survey = await steps.survey(target)
        left = finishing_plan(self.request, target, survey.record) if survey.record else None
        self._goes_on = left is not None
        state.plan = plan = left or make_adoption_plan(self.request, target, survey)
        return plan

    @staticmethod
    def policy(target: PostgresTarget, mode: str, run: str) -> ApprovalPolicy:  # noqa: ARG004
        """Return who must approve."""
        return target.cluster.approvals.adopt

    async def agreed(self) -> PostgresPlan:
        """Return the plan; one that finishes what people have agreed to needs nobody again."""
        plan = await self.make_plan()
        return plan if self._goes_on else await self.agreed_to(plan)

    def would(self, plan: PostgresPlan) -> str:
        """Return what a dry run has found."""
        words = "would finish the adoption of" if self._goes_on else "would adopt"
        return f"{words} {self.target.name} with {plan.candidate} as leader; nothing was changed"

    async def execute(self, plan: PostgresPlan) -> str:
        """Prepare the leader's directory, write the first record, and watch the gates."""
        request = AdoptStep(
            target=self.target,
            leader=plan.candidate,
            epoch=plan.epoch + 1,
            system_identifier=plan.system_identifier,
            run=me(),
        )
        if not self._goes_on:
            await self._prepare(request)
            request = request.model_copy(update={"epoch": await uncancellable(self._record(request))})
        self.state.forward_only = True
        await uncancellable(self._see_it_serve(request, plan))
        return f"{plan.candidate} leads {self.target.name}, which is adopted"

    async def _prepare(self, request: AdoptStep) -> None:
        state = self.state
        state.leaves = f"nobody leads, and the directory of {request.leader} has at most the product's own roles more"
        state.enter(Phase.CLAIMING, f"prepares {request.leader}")
        state.details.adopted = await step(AdoptActivities.adopt, request)
        state.enter(Phase.CLAIMING, "writes the first record")

    async def _record(self, request: AdoptStep) -> int:
        """Write the first record and return its epoch; without a clear no it may have been written."""
        state = self.state
        try:
            first = await step(AdoptActivities.first_record, request)
        except FailureError as error:
            if not outcome.is_answer(error):
                state.forward_only = True
                message = f"record: is there one? adopt {self.target.name} again, it finds out"
                state.left_to_do = (todo(Todo.RECORD, message),)
            raise
        state.forward_only = True
        return first.epoch

    async def _see_it_serve(self, request: AdoptStep, plan: PostgresPlan) -> None:
        """Watch the gates: the leader takes a write, the others follow synchronously.

        After a cancel the others are watched only a little longer, since the gates go on by themselves.
        """
        state, target, leader = self.state, self.target, request.leader
        followers = [name for name in target.cluster.members if name != leader]
        state.left_to_do = (
            todo(Todo.VERIFY, f"verify: a write reaches {leader}", leader),
            *(todo(Todo.REDUNDANCY, f"redundancy: {name} follows {leader}", name) for name in followers),
        )
        state.enter(Phase.VERIFYING)
        switch = Switch(target=target, plan=plan, epoch=request.epoch, run=request.run)
        state.details.verified = verified = await step(AftermathActivities.verify, switch)
        state.done(Todo.VERIFY)
        state.left_to_do += refused_write(verified)
        state.can_be_ended = True
        state.enter(Phase.REJOINING, "service is restored")
        record = Record(leader=leader, epoch=request.epoch)
        for name in followers:
            watch = asyncio.create_task(steps.follows(target, record, name))
            if not await _done_unless_cancelled(watch):
                raise refuse(Refusal.STRANDED, f"cancelled: service is restored, and {name} does not follow yet")
            state.details.redundancy = await watch
            state.done(Todo.REDUNDANCY, name)


async def _done_unless_cancelled(watch: asyncio.Task[Redundancy]) -> bool:
    """Wait for ``watch``; give it up some time after a cancel of this run. Return whether it is done."""
    await workflow.wait_condition(lambda: watch.done() or workflow.cancellation_reason() is not None)
    try:
        await workflow.wait_condition(watch.done, timeout=_WATCHED_AFTER_CANCEL, timeout_summary="cancelled: a last look")
    except TimeoutError:
        await cancel_and_wait(watch)
        return False
    return True
