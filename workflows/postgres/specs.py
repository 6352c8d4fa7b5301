"""What others need to know of the PostgreSQL procedures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from activities.clients.bundle import Clients
from activities.nodes.machine_fencing import MachineWords, NodeMachines
from activities.postgres.adopt import AdoptActivities
from activities.postgres.claim import ClaimActivities
from activities.postgres.fencing import ProveActivities
from activities.postgres.kept import KeptActivities
from activities.postgres.measure import MeasureActivities
from activities.postgres.models.details import PostgresDetails
from activities.postgres.models.plan import PostgresPlan
from activities.postgres.pause import PauseActivities
from activities.postgres.post_promotion import AftermathActivities
from activities.postgres.preview import PreviewActivities
from activities.postgres.repair import RepairActivities
from activities.postgres.survey import SurveyActivities
from activities.postgres.transfer import SwitchActivities
from activities.postgres.undo import UndoActivities
from estate.postgres import PostgresTarget
from workflows.postgres.adopt import PostgresAdopt
from workflows.postgres.failover import PostgresFailover
from workflows.postgres.rejoin import PostgresRejoin
from workflows.postgres.rollback import PostgresRollback
from workflows.run.phases import Part, ReportPhase, Shown
from workflows.run.procedure import ProcedureSpec

_STEPS = {
    "estate.resolve": Shown(ReportPhase.DECIDE, resolves=True),
    "postgres.settle": Shown(ReportPhase.DECIDE, "settlement"),
    "postgres.survey": Shown(ReportPhase.DECIDE, "survey"),
    "kubernetes.preview": Shown(ReportPhase.DECIDE),
    "postgres.claim": Shown(ReportPhase.CLAIM),
    "postgres.adopt": Shown(ReportPhase.CLAIM, "adopted"),
    "postgres.first_record": Shown(ReportPhase.CLAIM),
    "postgres.checkpoint": Shown(ReportPhase.CLAIM),
    "kubernetes.await_quiet": Shown(ReportPhase.CLAIM),
    "postgres.fence": Shown(ReportPhase.FENCE, "fenced", Part.STOPS),
    "postgres.prove": Shown(ReportPhase.FENCE, "proof", Part.CONFIRMS),
    "postgres.promote": Shown(ReportPhase.PROMOTE, "promoted", Part.MOVES),
    "postgres.revert": Shown(ReportPhase.PROMOTE, "promoted", Part.MOVES),
    "postgres.route": Shown(ReportPhase.ROUTE, "routed"),
    "postgres.verify": Shown(ReportPhase.VERIFY, "verified", Part.PROVES),
    "postgres.await_disconnects": Shown(ReportPhase.RECONNECT, "evicted"),
    "kubernetes.reconnect": Shown(ReportPhase.RECONNECT, "reconnected"),
    "postgres.first_write": Shown(ReportPhase.RECONNECT),
    "postgres.await_redundancy": Shown(ReportPhase.REDUNDANCY, "redundancy"),
    "postgres.give_back": Shown(ReportPhase.UNDO, part=Part.UNDOES),
    "postgres.measure": Shown(measures=True),
}
_ROWS = (
    ReportPhase.DECIDE,
    ReportPhase.CLAIM,
    ReportPhase.FENCE,
    ReportPhase.PROMOTE,
    ReportPhase.ROUTE,
    ReportPhase.VERIFY,
    ReportPhase.RECONNECT,
    ReportPhase.REDUNDANCY,
)


def _owners(clients: Clients) -> tuple[object, ...]:
    systems, nodes, machines = clients.systems, clients.nodes, clients.machines
    return (
        SurveyActivities(systems),
        PreviewActivities(systems),
        ClaimActivities(systems),
        PauseActivities(systems),
        KeptActivities(systems),
        RepairActivities(systems),
        AdoptActivities(systems),
        SwitchActivities(systems),
        ProveActivities(systems, NodeMachines(clients.inventory, nodes, MachineWords(nodes, machines))),
        UndoActivities(systems),
        AftermathActivities(systems),
        MeasureActivities(systems),
    )


def _spec(runs: Any) -> ProcedureSpec:  # noqa: ANN401 - a class of any request
    return ProcedureSpec(
        runs=runs,
        request=runs.asks,
        target=PostgresTarget,
        plan=PostgresPlan,
        details=PostgresDetails,
        serves=_owners,
        steps=_STEPS,
        rows=_ROWS,
    )


SPECS = (
    _spec(PostgresFailover),
    replace(_spec(PostgresRejoin), rows=()),
    _spec(PostgresRollback),
    _spec(PostgresAdopt),
)
