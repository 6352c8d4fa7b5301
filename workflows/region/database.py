r"""Move a database to the other region: Azure promotes the replica and swaps the pair behind its virtual endpoint.

    survey -> approve -> survey  !  promote -> wait for Azure -> verify through the endpoint -> old primary follows
    \____ nothing changed _____/    \________________________ forward only _________________________

The promotion is Azure's own operation: one request begins it, nobody can cancel it, and its end is recognised whoever has
asked for it. The run is past its point of no return before that request leaves. It comes back from there only when Azure has
said no, or has ended the operation, and both servers are seen in their old roles.

A run that dies here leaves nothing of its own: Azure goes on. The next run sees a server that is not ready and waits for a
better moment, or finds the roles changed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.region.models import (
    Await,
    Begun,
    Ended,
    FlexibleDetails,
    FlexibleLook,
    FlexibleMeasureRequest,
    FlexiblePlan,
    Follow,
    PromoteOrder,
    Promotion,
    Role,
    Route,
    Routed,
)
from activities.region.promotion import PromotionActivities
from activities.region.route import FlexibleRouteActivities
from activities.region.survey import FlexibleLookActivities
from activities.run.errors import Refusal, refuse
from activities.run.inventory import EstateActivities
from activities.run.models.diagnosis import LIVING
from activities.run.models.inventory import ResolveRequest
from activities.run.models.todo import LeftToDo, Todo, todo
from activities.run.postures import FORWARD, lasting
from estate.base import ApprovalPolicy
from estate.flexible import FlexibleTarget
from gate.record import Mode
from workflows.region.models import RegionDatabaseRequest
from workflows.region.planning import make_flexible_plan, must_be_given_up
from workflows.run.controlling import held_back
from workflows.run.measuring import Measuring
from workflows.run.models import Run
from workflows.run.outcome import Summary, cause_of, is_answer
from workflows.run.phases import Phase
from workflows.run.procedure import Procedure
from workflows.run.steps import me, step
from workflows.run.uncancellable import uncancellable

_BASELINE = timedelta(seconds=1)
"""The measuring writer needs acknowledgements before the outage to measure it."""
_BUSY = timedelta(seconds=5)
"""Between two requests for a promotion while Azure is busy with something else. A cancel is honoured then."""
_ATTEMPT = timedelta(minutes=2)
_MOST = 3
"""Requests of which Azure has shown nothing; then a person is needed."""
_ONE_LOOK = timedelta(seconds=10)
"""At an old primary in a lost region."""


@workflow.defn(name="postgres-region-failover")
class PostgresRegionFailover(Procedure[RegionDatabaseRequest, FlexibleTarget, FlexiblePlan, FlexibleDetails]):
    """One failover of one database; its workflow ID is the database's lock."""

    asks, details = RegionDatabaseRequest, FlexibleDetails
    waits_out_absence = True

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Set every attribute here: a handler may run before ``run`` does."""
        self.prepare(args)

    @workflow.run
    async def run(self, *_: Any) -> Summary:  # noqa: ANN401
        """Promote the replica, or let everything be and say why."""
        return await self.conclude()

    async def resolve(self) -> FlexibleTarget:
        """Look the database up in the estate."""
        return await step(EstateActivities.resolve_flexible, ResolveRequest(cluster=self.request.database, by=self.asker))

    async def make_plan(self) -> FlexiblePlan:
        """Ask Azure, both servers and the endpoint's name, and decide."""
        state = self.state
        state.enter(Phase.SURVEYING)
        state.plan = plan = await self._planned()
        state.show()
        return plan

    async def _planned(self) -> FlexiblePlan:
        survey = self.state.details.survey = await step(FlexibleLookActivities.survey, FlexibleLook(target=self.target))
        plan = make_flexible_plan(self.request, self.target, survey)
        if self.request.run is not Run.PLAN:
            must_be_given_up(plan, attested=bool(self.state.vouched_by))
        return plan

    @staticmethod
    def policy(target: FlexibleTarget, mode: str, run: str) -> ApprovalPolicy:  # noqa: ARG004
        """Return who must approve."""
        return target.database.approvals.of(mode)

    def would(self, plan: FlexiblePlan) -> str:
        """Return what a dry run has found."""
        return f"{plan.candidate} would lead {self.target.name}; nothing was changed"

    async def execute(self, plan: FlexiblePlan) -> str:
        """Have Azure promote the replica, and see that writes reach it."""
        order = PromoteOrder(
            target=self.target, server=plan.candidate, old=plan.primary, mode=plan.mode, run=me(),
            silent_at=self._silent_at(plan),
        )  # fmt: skip
        async with Measuring(self.state) as measuring:
            if plan.mode is Mode.PLANNED and self._takes_rows(plan.primary):
                measuring.begin(FlexibleRouteActivities.measure, FlexibleMeasureRequest(target=self.target, run=me()))
                self.state.enter(Phase.CLAIMING, "a baseline of the measurement")
                await workflow.sleep(_BASELINE, summary="let the measuring writer see a baseline")
            await self._promoted(order, plan)
            await uncancellable(self._verified(order))
            await measuring.end()
            await uncancellable(self._followed(order))
        return f"{self.target.place(plan.candidate)} leads {self.target.name}"

    def _silent_at(self, plan: FlexiblePlan) -> datetime | None:
        """Return when the old primary was seen to be silent, if that is why it is given up. A person's word stands alone."""
        silent = plan.mode is Mode.FORCED and plan.diagnosis is not None and plan.diagnosis.condition not in LIVING
        return workflow.now() if silent and not self.state.attested_by else None

    def _takes_rows(self, server: str) -> bool:
        survey = self.state.details.survey
        return survey is not None and survey.sql_of(server).takes_rows

    async def _promoted(self, order: PromoteOrder, plan: FlexiblePlan) -> None:
        """Ask for the promotion until Azure has done it, or has said no. Between two requests nothing is under way."""
        until = workflow.now() + self.target.database.thresholds.promoted_within
        while not await uncancellable(self._attempted(order, until)):
            self._back()
            begun = self.state.details.begun
            await workflow.sleep((begun.after if begun else None) or _BUSY, summary="Azure was busy with something else")
            await held_back(self.state)
            await self._must_be_as_planned(plan, until)
            order = order.model_copy(update={"again": True, "silent_at": self._silent_at(plan)})

    async def _attempted(self, order: PromoteOrder, until: datetime) -> bool:
        """Ask once and wait for the end; return whether it leads. ``False``: it does not, and nothing was changed."""
        state = self.state
        state.enter(Phase.PROMOTING, f"Azure promotes {order.server}")
        state.forward_only, state.left_to_do = True, (_left_to_promote(order), _left_to_verify(order))
        begun = state.details.begun = await self._begun(order)
        if begun.already:
            return True
        if begun.busy:
            return self._not_yet(order, until, begun.busy)
        wait = Await(order=order, operation=begun.operation, until=until)
        promotion = state.details.promotion = await step(PromotionActivities.await_promotion, wait)
        if promotion.ended is Ended.SUCCEEDED:
            return True
        words, details = f"Azure has not promoted {order.server}: {promotion.message}", state.details
        if promotion.ended is Ended.LATE or not _is_unchanged(promotion, order.mode):
            raise refuse(Refusal.STRANDED, f"{words}; Azure says that it is {promotion.role.value}, {promotion.state}")
        if promotion.ended is Ended.FAILED or (promotion.ended is Ended.UNSEEN and details.promotions_asked >= _MOST):
            await self._fail(order, words)
        return self._not_yet(order, until, promotion.message)

    def _not_yet(self, order: PromoteOrder, until: datetime, why: str) -> bool:
        """Return ``False``, to be asked again. ApplicationError: time is up; nothing was changed."""
        if workflow.now() < until:
            return False
        self._back()
        raise refuse(Refusal.BUSY, f"Azure has been busy all the time: {why}; {order.old} leads still, nothing was changed")

    async def _fail(self, order: PromoteOrder, words: str) -> None:
        """Raise what Azure has said; and whether the old primary takes writes, which Azure may have stopped."""
        survey = await step(FlexibleLookActivities.survey, FlexibleLook(target=self.target))
        self._back()
        if survey.sql_of(order.old).in_recovery is False:
            raise refuse(Refusal.CANDIDATE_FAILED, f"{words}; {order.old} leads and answers still, nothing was changed")
        told = f"by Azure's word {order.old} leads still, and it does not answer: {survey.sql_of(order.old).error}"
        raise refuse(Refusal.CANDIDATE_FAILED, f"{words}; {told}")

    async def _must_be_as_planned(self, plan: FlexiblePlan, until: datetime) -> None:
        """Wait until both are Ready again, and refuse to go on if another plan would be made now."""
        while True:
            try:
                again = await self._planned()
            except ApplicationError as error:
                if error.type != Refusal.BUSY.value or workflow.now() >= until:
                    raise
                await workflow.sleep(_BUSY, summary=error.message[:200])
                continue
            if again.decisions() != plan.decisions():
                words = f"another plan would be made now ({again.heading()}): start it again, nothing was changed"
                raise refuse(Refusal.PLAN_CHANGED, words)
            return

    async def _begun(self, order: PromoteOrder) -> Begun:
        details = self.state.details
        within = self.target.database.thresholds.promoted_within
        try:
            begun = await step(PromotionActivities.promote, order, posture=lasting(FORWARD, attempt=_ATTEMPT, within=within))
        except ActivityError as error:
            alive = cause_of(error)[0] == Refusal.PRIMARY_ALIVE
            if is_answer(error) and (alive or not details.promotions_asked):  # it is certain that nothing was begun
                self._back()
            raise
        details.promotions_asked += not (begun.already or begun.going_on or begun.busy)
        return begun

    def _back(self) -> None:
        self.state.forward_only, self.state.left_to_do = False, ()

    async def _verified(self, order: PromoteOrder) -> Routed:
        """Wait until a write through the endpoint reaches the new primary."""
        state = self.state
        state.left_to_do = (_left_to_verify(order),)
        state.enter(Phase.ROUTING, f"{self.target.database.writer} is to lead to {order.server}")
        route = Route(order=order, within=self.target.database.thresholds.route_within)
        routed = state.details.routed = await step(FlexibleRouteActivities.verify, route)
        state.complete_until = routed.complete_until
        if routed.refused:
            raise refuse(Refusal.NOT_VERIFIED, f"{order.server} leads and refuses writes: {routed.refused}")
        return routed

    async def _followed(self, order: PromoteOrder) -> None:
        """See what has become of the old primary; one in a lost region is not waited for."""
        state, planned = self.state, order.mode is Mode.PLANNED
        await held_back(state)
        state.left_to_do = (todo(Todo.REDUNDANCY, f"{order.old} is to follow {order.server}", order.old),) if planned else ()
        state.enter(Phase.REJOINING, "service is restored")
        within = self.target.database.thresholds.replica_within if planned else _ONE_LOOK
        followed = await step(PromotionActivities.await_replica, Follow(order=order, within=within))
        state.details.followed = followed
        if planned and not followed.follows:
            raise refuse(Refusal.STRANDED, f"service is restored, but {order.old} does not follow: {followed.words}")
        state.left_to_do = ()
        state.details.notes = self._notes(order)

    def _notes(self, order: PromoteOrder) -> tuple[str, ...]:
        survey, followed = self.state.details.survey, self.state.details.followed
        notes = []
        if followed is not None and not followed.follows:
            notes.append(
                f"NOT REDUNDANT: {order.old} does not follow ({followed.words}); Azure sees to that when it returns"
            )
        if survey is not None and survey.azure_of(order.old).high_availability:
            notes.append(f"{order.server} has no high availability: enable it, az postgres flexible-server update")
        return tuple(notes)


def _is_unchanged(promotion: Promotion, mode: Mode) -> bool:
    """Whether both servers were seen in their old roles; for a lost one nobody may answer."""
    old = {Role.PRIMARY} if mode is Mode.PLANNED else {Role.PRIMARY, Role.UNKNOWN}
    return promotion.role is Role.REPLICA and promotion.old_role in old


def _left_to_promote(order: PromoteOrder) -> LeftToDo:
    return todo(Todo.PROMOTE, f"promote: see in Azure whether {order.server} leads", order.server)


def _left_to_verify(order: PromoteOrder) -> LeftToDo:
    return todo(Todo.VERIFY, f"verify: a write through the endpoint reaches {order.server}", order.server)
