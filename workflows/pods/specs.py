"""What others need to know of the pod procedure."""

from __future__ import annotations

from activities.pods.models import PodDetails, PodPlan
from activities.pods.steps import PodActivities
from estate.workloads import WorkloadTarget
from workflows.pods.failover import PodFailover
from workflows.pods.models import PodFailoverRequest
from workflows.run.phases import ReportPhase, Shown
from workflows.run.procedure import ProcedureSpec, Remedies

SPECS = (
    ProcedureSpec(
        runs=PodFailover,
        request=PodFailoverRequest,
        target=WorkloadTarget,
        plan=PodPlan,
        details=PodDetails,
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
        remedies=Remedies(
            stranded="The workload is not healthy; what each pod and the Service say is listed as left to do.",
            cut_off="It was ended from outside ({close}): Kubernetes goes on repairing.",
            again="Starting it again is safe: it looks again, and replaces only what is broken then.",
        ),
        recovery="from the break to ready and answering",
    ),
)
