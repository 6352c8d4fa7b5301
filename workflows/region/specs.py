"""What others need to know of the region's procedures."""

from __future__ import annotations

from activities.clients.bundle import Clients
from activities.region.models import FlexibleDetails, FlexiblePlan
from activities.region.promotion import PromotionActivities
from activities.region.route import FlexibleRouteActivities
from activities.region.survey import FlexibleLookActivities
from estate.flexible import FlexibleTarget
from workflows.region.database import PostgresRegionFailover
from workflows.region.models import RegionDatabaseRequest
from workflows.run.phases import Part, ReportPhase, Shown
from workflows.run.procedure import ProcedureSpec, Remedies


def _owners(clients: Clients) -> tuple[object, ...]:
    servers, sql = clients.flexible
    return (FlexibleLookActivities(servers, sql), PromotionActivities(servers), FlexibleRouteActivities(sql))


SPECS = (
    ProcedureSpec(
        runs=PostgresRegionFailover,
        request=RegionDatabaseRequest,
        target=FlexibleTarget,
        plan=FlexiblePlan,
        details=FlexibleDetails,
        serves=_owners,
        example="aiagent-db",
        steps={
            "estate.resolve_flexible": Shown(ReportPhase.DECIDE, resolves=True),
            "region.survey_database": Shown(ReportPhase.DECIDE, "survey"),
            "region.promote": Shown(ReportPhase.PROMOTE, "begun", Part.MOVES),
            "region.await_promotion": Shown(ReportPhase.PROMOTE, "promotion", Part.MOVES),
            "region.verify_route": Shown(ReportPhase.ROUTE, "routed", Part.PROVES),
            "region.await_replica": Shown(ReportPhase.REDUNDANCY, "followed"),
            "region.measure": Shown(measures=True),
        },
        rows=(ReportPhase.DECIDE, ReportPhase.PROMOTE, ReportPhase.ROUTE),
        remedies=Remedies(
            stranded="Azure was asked for the promotion; what is listed as left to do is not done.",
            cut_off="It was ended from outside ({close}): a promotion that Azure has begun goes on.",
            look="failover plan postgres-region-failover {target}",
            again="Start it again with --to SERVER: one that leads already is refused, and nothing moves back.",
        ),
    ),
)
