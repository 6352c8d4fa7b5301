"""What others need to know of ``gateway-failover``."""

from __future__ import annotations

from activities.clients.bundle import Clients
from activities.traffic.gateway_change import GatewayChangeActivities
from activities.traffic.gateway_models import GatewayDetails, GatewayPlan
from activities.traffic.gateway_survey import GatewayLookActivities
from estate.gateways import GatewayTarget
from workflows.run.phases import ReportPhase, Shown
from workflows.run.procedure import ProcedureSpec, Remedies
from workflows.traffic.gateway import GatewayFailover
from workflows.traffic.gateway_models import GatewayFailoverRequest


def _owners(clients: Clients) -> tuple[object, ...]:
    gateways, backends = clients.gateways
    return (GatewayLookActivities(gateways, backends), GatewayChangeActivities(gateways))


SPECS = (
    ProcedureSpec(
        runs=GatewayFailover,
        request=GatewayFailoverRequest,
        target=GatewayTarget,
        plan=GatewayPlan,
        details=GatewayDetails,
        serves=_owners,
        example="aiagent-appgw",
        steps={
            "estate.resolve_gateway": Shown(ReportPhase.DECIDE, resolves=True),
            "gateway.survey": Shown(ReportPhase.DECIDE, "survey"),
            "gateway.change": Shown(ReportPhase.ROUTE, "begun"),
            "gateway.await_change": Shown(ReportPhase.ROUTE, "changed"),
            "gateway.await_health": Shown(ReportPhase.MEND, "routed"),
            "gateway.undo": Shown(ReportPhase.UNDO, "undo"),
        },
        rows=(ReportPhase.DECIDE, ReportPhase.ROUTE, ReportPhase.MEND),
        remedies=Remedies(
            undo_incomplete="The gateway is not as it was; what is listed as left to do was changed by others, or is open.",
            cut_off="It was ended from outside ({close}): a change that Azure has begun goes on, and nothing was put back.",
            again="Starting it again is safe: it looks again, and changes only what is not as it is to be then.",
        ),
        recovery="from the decision to a gateway that calls all its backends healthy",
    ),
)
