"""What others need to know of the pod procedure."""

from __future__ import annotations

from activities.pods.models import PodDetails, PodPlan
from activities.pods.steps import PodActivities
from estate.base import ApprovalPolicy
from estate.workloads import WorkloadTarget
from workflows.pods.failover import PodFailover
from workflows.pods.models import PodFailoverRequest
from workflows.run.phases import ReportPhase, Shown
from workflows.run.procedure import ProcedureSpec


def _policy(target: WorkloadTarget, _: str, run: str) -> ApprovalPolicy:
    approvals = target.workload.approvals
    return approvals.drill if run == "drill" else approvals.failover


SPECS = (
    ProcedureSpec(
        runs=PodFailover,
        request=PodFailoverRequest,
        target=WorkloadTarget,
        plan=PodPlan,
        details=PodDetails,
        policy=_policy,
        serves=lambda clients: (PodActivities(clients.workloads),),
        drills=True,
        example="api",
        steps={
            "estate.resolve_workload": Shown(ReportPhase.DECIDE, resolves=True),
            "pods.survey": Shown(ReportPhase.DECIDE, "survey"),
            "pods.end_process": Shown(ReportPhase.STRIKE, "struck"),
            "pods.replace": Shown(ReportPhase.REPLACE, "replaced"),
            "pods.await_healthy": Shown(ReportPhase.MEND, "mended"),
            "pods.measure": Shown(measures=True),
        },
        rows=(ReportPhase.DECIDE, ReportPhase.MEND),
        recovery="from the break to ready and answering",
    ),
)
