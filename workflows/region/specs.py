"""What others need to know of the region's procedures."""

from __future__ import annotations

from activities.clients.bundle import Clients
from activities.region.changing import ServerActivities
from activities.region.evidence import EvidenceReader
from activities.region.failover_models import RegionDetails, RegionPlan
from activities.region.failover_steps import RegionActivities
from activities.region.failover_survey import RegionLookActivities
from activities.region.following import FollowingActivities
from activities.region.lease import LeaseActivities
from activities.region.models import FlexibleDetails, FlexiblePlan
from activities.region.promotion import PromotionActivities
from activities.region.recovery_models import RegionRecoveryDetails, RegionRecoveryPlan
from activities.region.recovery_steps import RecoveryLookActivities
from activities.region.returning import ReturningActivities
from activities.region.returning_models import RegionFenceDetails, RegionFencePlan
from activities.region.route import FlexibleRouteActivities
from activities.region.survey import FlexibleLookActivities
from estate.flexible import FlexibleTarget
from estate.regions import RegionTarget
from workflows.region.database import PostgresRegionFailover
from workflows.region.failback import RegionFailback
from workflows.region.failover import RegionFailover
from workflows.region.fence import RegionFence
from workflows.region.fence_models import RegionFenceRequest, RegionRecoveryRequest
from workflows.region.models import RegionDatabaseRequest, RegionFailbackRequest, RegionFailoverRequest
from workflows.region.recovery import RegionRecovery
from workflows.run.phases import Part, ReportPhase, Shown
from workflows.run.procedure import ProcedureSpec, Remedies


def _owners(clients: Clients) -> tuple[object, ...]:
    servers, sql = clients.flexible
    return (FlexibleLookActivities(servers, sql), PromotionActivities(servers, sql), FlexibleRouteActivities(sql))


def _region_owners(clients: Clients) -> tuple[object, ...]:
    servers, sql = clients.flexible
    clusters, overlays, application = clients.regions
    return (
        FlexibleLookActivities(servers, sql),
        RegionLookActivities(clusters, overlays, EvidenceReader(servers, clients.readings, clients.inventory)),
        LeaseActivities(clusters),
        RegionActivities(clusters, overlays, application),
    )


_STEPS = {
    "estate.resolve_region": Shown(ReportPhase.DECIDE, resolves=True),
    "region.survey": Shown(ReportPhase.DECIDE, "survey"),
    "plan dns-failover": Shown(ReportPhase.DECIDE),
    "child dns-failover": Shown(ReportPhase.ROUTE),
    "child postgres-region-failover": Shown(ReportPhase.PROMOTE),
    "region.claim": Shown(ReportPhase.CLAIM),
    "region.hold": Shown(),
    "region.give_back": Shown(),
    "region.fence": Shown(ReportPhase.FENCE, "fenced"),
    "region.unfence": Shown(ReportPhase.UNDO),
    "region.start_applications": Shown(ReportPhase.START, "started"),
    "region.stop_applications": Shown(ReportPhase.UNDO),
    "region.apply_overlay": Shown(ReportPhase.OVERLAY, "applied"),
    "region.await_ready": Shown(ReportPhase.SETTLE, "ready"),
    "region.check_application": Shown(ReportPhase.VERIFY, "checked"),
}
"""Of a region's failover and its failback."""


def _return_owners(clients: Clients) -> tuple[object, ...]:
    return (ReturningActivities(clients.flexible, clients.regions), ServerActivities(*clients.flexible))


def _recovery_owners(clients: Clients) -> tuple[object, ...]:
    followers = FollowingActivities(*clients.flexible)
    return (*_return_owners(clients), followers, RecoveryLookActivities(clients.inventory))


_RETURN_STEPS = {
    "estate.resolve_region": Shown(ReportPhase.DECIDE, resolves=True),
    "region.look_at_lost": Shown(ReportPhase.DECIDE, "returned"),
    "region.await_return": Shown(ReportPhase.MEND, "returned"),
    "region.fence_returned": Shown(ReportPhase.FENCE, "fenced"),
    "region.change_server": Shown(),
    "region.await_server": Shown(),
}
"""Of what follows a failover: the fence and the recovery."""

SPECS = (
    ProcedureSpec(
        runs=RegionFailover,
        request=RegionFailoverRequest,
        target=RegionTarget,
        plan=RegionPlan,
        details=RegionDetails,
        serves=_region_owners,
        example="eastus",
        steps=_STEPS,
        rows=(ReportPhase.DECIDE, ReportPhase.CLAIM, ReportPhase.FENCE, ReportPhase.PROMOTE, ReportPhase.OVERLAY),
        remedies=Remedies(
            stranded="A database may lead in the surviving region; what is listed as left to do is not done.",
            undo_incomplete="Applications of {target} may be scaled to zero: see their annotation failover/scaled-from.",
            cut_off="It was ended from outside ({close}): its children go on, and {target} may be scaled to zero.",
            look="failover plan region-failover {target}",
            again="Start it again with the same options: it goes on where it stands.",
        ),
        recovery="from the loss of the region to its application answering elsewhere",
    ),
    ProcedureSpec(
        runs=RegionFailback,
        request=RegionFailbackRequest,
        target=RegionTarget,
        plan=RegionPlan,
        details=RegionDetails,
        serves=_region_owners,
        example="eastus",
        steps=_STEPS,
        rows=(ReportPhase.DECIDE, ReportPhase.CLAIM, ReportPhase.START, ReportPhase.PROMOTE, ReportPhase.ROUTE),
        remedies=Remedies(
            stranded="A database may lead in {target} again; what is listed as left to do is not done.",
            undo_incomplete="Applications of {target} may have pods, without traffic.",
            cut_off="It was ended from outside ({close}): its children go on, and {target} may have pods without traffic.",
            look="failover plan region-failback {target}",
            again="Start it again with the same options: it goes on where it stands.",
        ),
        recovery="from its start to the application answering from the first region",
    ),
    ProcedureSpec(
        runs=RegionFence,
        request=RegionFenceRequest,
        target=RegionTarget,
        plan=RegionFencePlan,
        details=RegionFenceDetails,
        serves=_return_owners,
        example="eastus",
        steps=_RETURN_STEPS,
        rows=(ReportPhase.DECIDE, ReportPhase.MEND, ReportPhase.FENCE),
        remedies=Remedies(
            cut_off="It was ended from outside ({close}): {target} is not fenced when it returns.",
            look="failover plan region-fence {target}",
            again="Start it again: what is fenced stays as it is.",
        ),
    ),
    ProcedureSpec(
        runs=RegionRecovery,
        request=RegionRecoveryRequest,
        target=RegionTarget,
        plan=RegionRecoveryPlan,
        details=RegionRecoveryDetails,
        serves=_recovery_owners,
        example="eastus",
        steps={
            **_RETURN_STEPS,
            "region.find_failover": Shown(ReportPhase.DECIDE, "repaired"),
            "region.await_follower": Shown(ReportPhase.REDUNDANCY),
        },
        rows=(ReportPhase.DECIDE, ReportPhase.MEND, ReportPhase.REDUNDANCY),
        remedies=Remedies(
            stranded="What is listed as left to do is not done; what is done stays.",
            cut_off="It was ended from outside ({close}): what Azure has begun goes on.",
            look="failover plan region-recovery {target} --repairs RUN",
            again="Start it again with the same options: it goes on where it stands.",
        ),
    ),
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
