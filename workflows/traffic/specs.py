"""What others need to know of the procedure that moves traffic."""

from __future__ import annotations

from activities.clients.bundle import Clients
from activities.traffic.changing import TrafficChangeActivities
from activities.traffic.models import TrafficDetails, TrafficPlan
from activities.traffic.serving import TrafficProofActivities
from activities.traffic.survey import TrafficLookActivities
from estate.traffic import TrafficTarget
from workflows.run.phases import ReportPhase, Shown
from workflows.run.procedure import ProcedureSpec, Remedies
from workflows.traffic.failover import DnsFailover
from workflows.traffic.models import DnsFailoverRequest


def _owners(clients: Clients) -> tuple[object, ...]:
    return tuple(
        owner(clients.traffic) for owner in (TrafficLookActivities, TrafficChangeActivities, TrafficProofActivities)
    )


SPECS = (
    ProcedureSpec(
        runs=DnsFailover,
        request=DnsFailoverRequest,
        target=TrafficTarget,
        plan=TrafficPlan,
        details=TrafficDetails,
        serves=_owners,
        example="aiagent",
        steps={
            "estate.resolve_traffic": Shown(ReportPhase.DECIDE, resolves=True),
            "traffic.survey": Shown(ReportPhase.DECIDE, "survey"),
            "traffic.change": Shown(ReportPhase.TRAFFIC),
            "traffic.await_change": Shown(ReportPhase.TRAFFIC),
            "traffic.await_served": Shown(ReportPhase.SPREAD, "served"),
            "traffic.restore": Shown(ReportPhase.UNDO),
        },
        rows=(ReportPhase.DECIDE, ReportPhase.TRAFFIC, ReportPhase.SPREAD),
        remedies=Remedies(
            stranded="The region before is not healthy: levers that were moved stay moved, and are listed as left to do.",
            undo_incomplete="Some levers are not as before; each is named above with how it is now.",
            cut_off="It was ended from outside ({close}): levers that it has moved stay moved.",
            look="failover plan dns-failover {target} --to REGION",
            again="Starting it again is safe: it moves what is not moved yet, and waits for the proof.",
        ),
        recovery="from the first change to every answer from the new region",
    ),
)
