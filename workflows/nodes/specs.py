"""What others need to know of the node procedure."""

from __future__ import annotations

from activities.clients.bundle import Clients
from activities.nodes.machine_steps import MachineActivities
from activities.nodes.run_models import NodeDetails, NodePlan
from activities.nodes.steps import NodeActivities
from activities.nodes.survey import NodeLookActivities
from estate.nodes import NodeTarget
from workflows.nodes.failover import NodeFailover
from workflows.nodes.models import NodeFailoverRequest
from workflows.run.phases import ReportPhase, Shown
from workflows.run.procedure import ProcedureSpec, Remedies


def _owners(clients: Clients) -> tuple[object, ...]:
    nodes = clients.nodes
    return (
        NodeLookActivities(clients.inventory, nodes, clients.systems.leader_records, clients.redis),
        NodeActivities(nodes),
        MachineActivities(nodes, clients.machines),
    )


SPECS = (
    ProcedureSpec(
        runs=NodeFailover,
        request=NodeFailoverRequest,
        target=NodeTarget,
        plan=NodePlan,
        details=NodeDetails,
        serves=_owners,
        example="node-2",
        steps={
            "node.resolve": Shown(ReportPhase.DECIDE, resolves=True),
            "node.survey": Shown(ReportPhase.DECIDE, "survey"),
            "node.cordon": Shown(ReportPhase.CORDON),
            "node.drain": Shown(ReportPhase.EVICT, "drained"),
            "node.await_replacements": Shown(ReportPhase.SETTLE, "settled"),
            "node.uncordon": Shown(ReportPhase.CORDON),
            "node.replace": Shown(ReportPhase.REPLACE),
            "node.give_up": Shown(ReportPhase.FENCE),
            "node.await_return": Shown(ReportPhase.REDUNDANCY),
            "machine.stop_and_confirm": Shown(ReportPhase.FENCE, "proof"),
            "child postgres-failover": Shown(ReportPhase.MOVE),
            "child redis-failover": Shown(ReportPhase.MOVE),
        },
        rows=(ReportPhase.DECIDE, ReportPhase.CORDON, ReportPhase.EVICT, ReportPhase.SETTLE),
        remedies=Remedies(
            stranded="What is listed as left to do is not done, or not ready elsewhere, yet; {target} may be cordoned.",
            undo_incomplete="{target} may still be cordoned: kubectl uncordon {target}",
            cut_off="It was ended from outside ({close}): {target} may be cordoned, and runs that it has started go on.",
            look="failover plan node-failover {target}, failover status",
            again="Starting it again is safe: it goes on where it was.",
        ),
        recovery="from the cordon to everything ready elsewhere",
    ),
)
