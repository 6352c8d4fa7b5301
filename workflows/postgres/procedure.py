"""What the procedures of a PostgreSQL cluster share: where the cluster is looked up, recovered and previewed."""

from __future__ import annotations

from typing import Generic, TypeVar

from activities.postgres.models.details import PostgresDetails
from activities.postgres.models.plan import PostgresPlan
from activities.postgres.models.survey import Survey
from activities.postgres.preview import PreviewActivities
from activities.run.models.plan import near
from estate.postgres import PostgresTarget
from workflows.postgres.recovery import recovered
from workflows.postgres.steps import resolve, switch_of
from workflows.run.models import Request
from workflows.run.procedure import Procedure
from workflows.run.steps import step

R = TypeVar("R", bound=Request)


class PostgresProcedure(Procedure[R, PostgresTarget, PostgresPlan, PostgresDetails], Generic[R]):
    """One run on one cluster; its workflow ID is the cluster's lock."""

    details = PostgresDetails

    async def resolve(self) -> PostgresTarget:
        """Look the cluster up in the estate."""
        return await resolve(self.request.target, self.asker)

    async def recover(self) -> bool:
        """Finish or undo what an interrupted run left in the leader record."""
        return await recovered(self.state, self.target)

    @staticmethod
    def with_applications(plan: PostgresPlan, survey: Survey) -> PostgresPlan:
        """Return ``plan`` with what was seen of the applications; it changes nothing that people agree to."""
        hindered = [f"{one.deployment} {one.hindrance}" for one in survey.applications if one.hindrance]
        idle = tuple(one.deployment for one in survey.applications if one.idle)
        return plan.model_copy(update={"idle": idle, "remarks": (*plan.remarks, *hindered)})

    def nearly(self, plan: PostgresPlan) -> tuple[str, ...]:
        """Return whose lag would soon be refused."""
        return near(plan.candidates, int(self.target.cluster.thresholds.planned_lag))

    async def preview(self, plan: PostgresPlan) -> str:
        """Ask the API server what would change."""
        return await step(PreviewActivities.preview, switch_of(self.target, plan))
