"""What others need to know of it."""

from __future__ import annotations

from estate.workloads import WorkloadTarget
from tests.ninth.flush import CacheFlush
from tests.ninth.models import FlushDetails, FlushPlan, FlushRequest
from tests.ninth.steps import CacheSteps
from workflows.run.phases import ReportPhase, Shown
from workflows.run.procedure import ProcedureSpec

CACHE = CacheSteps()
SPEC = ProcedureSpec(
    runs=CacheFlush,
    request=FlushRequest,
    target=WorkloadTarget,
    plan=FlushPlan,
    details=FlushDetails,
    serves=lambda _: (CACHE,),
    drills=True,
    example="api",
    steps={
        "estate.resolve_workload": Shown(ReportPhase.DECIDE, resolves=True),
        "cache.survey": Shown(ReportPhase.DECIDE, "survey"),
        "cache.pause": Shown(ReportPhase.FENCE),
        "cache.flush": Shown(ReportPhase.PROMOTE, "flushed"),
        "cache.resume": Shown(ReportPhase.VERIFY),
    },
)
