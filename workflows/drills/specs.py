"""What others need to know of drills."""

from __future__ import annotations

from activities.drills.calendar import CalendarActivities
from activities.drills.lever import LeverActivities
from activities.drills.models import DrillDetails, DrillPlan
from activities.drills.steps import DrillActivities
from activities.pods.steps import PodActivities
from estate.drilled import DrillTarget
from workflows.drills.drill import FailoverDrill
from workflows.drills.models import DrillRequest
from workflows.run.phases import ReportPhase, Shown
from workflows.run.procedure import ProcedureSpec, Remedies

SPECS = (
    ProcedureSpec(
        runs=FailoverDrill,
        request=DrillRequest,
        target=DrillTarget,
        plan=DrillPlan,
        details=DrillDetails,
        serves=lambda clients: (
            DrillActivities(clients),
            LeverActivities(),
            CalendarActivities(clients.inventory),
            PodActivities(clients.workloads),
        ),
        example="database",
        steps={
            "estate.resolve_drill": Shown(ReportPhase.DECIDE, resolves=True),
            "drills.lever": Shown(ReportPhase.DECIDE),
            "drills.choose_node": Shown(ReportPhase.DECIDE),
            "drills.standing": Shown(ReportPhase.DECIDE, "before"),
            "drills.row": Shown(ReportPhase.DRILL),
            "drills.seal": Shown(ReportPhase.JUDGE),
            "drills.settle": Shown(ReportPhase.BACK, "after"),
        },
        rows=(ReportPhase.DECIDE, ReportPhase.DRILL, ReportPhase.BACK),
        remedies=Remedies(
            stranded="The way back did not put all back as it was; what is not is listed.",
            cut_off="It was ended from outside ({close}): the run that it has begun goes on, and nothing leads back.",
            again="Put all back by hand first: a drill begins with everything well.",
        ),
        recovery="of the way there",
    ),
)
