"""The steps of ``pod-failover`` as a workflow calls them: one line of summary, one posture each."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow

from activities.pods.models import (
    AnswerRequest,
    Mended,
    MendRequest,
    PodSeen,
    Replaced,
    ReplaceRequest,
    StrikeRequest,
    Struck,
    WorkloadLook,
    WorkloadSurvey,
)
from activities.pods.steps import PodActivities
from activities.postgres.models.survey import ResolveRequest
from activities.run.inventory import EstateActivities
from activities.run.models.measure import Measurement
from estate.workloads import WorkloadTarget
from workflows.postgres.steps import me
from workflows.run.postures import ALONGSIDE, FORWARD, MUTATE, OBSERVE


async def resolve(workload: str) -> WorkloadTarget:
    """Look the workload up in the estate."""
    return await workflow.execute_activity_method(
        EstateActivities.resolve_workload, ResolveRequest(cluster=workload), summary=f"look up {workload}", **OBSERVE
    )


async def survey(target: WorkloadTarget) -> WorkloadSurvey:
    """Look at every pod, and ask the Service."""
    return await workflow.execute_activity_method(
        PodActivities.survey, WorkloadLook(target=target), summary=f"survey {target.workload.deployment}", **OBSERVE
    )


async def strike(target: WorkloadTarget, pod: PodSeen) -> Struck:
    """Drill: end the main process of a pod."""
    return await workflow.execute_activity_method(
        PodActivities.strike,
        StrikeRequest(target=target, pod=pod, run=me()),
        summary=f"end the main process of {pod.name}",
        **MUTATE,
    )


async def mended(target: WorkloadTarget, until: datetime, changed_from: PodSeen | None = None) -> Mended:
    """Wait until the workload is whole, at most ``until`` then."""
    return await workflow.execute_activity_method(
        PodActivities.mended,
        MendRequest(target=target, changed_from=changed_from, until=until),
        summary=f"wait until {target.workload.deployment} is whole",
        **FORWARD,
    )


async def replace(target: WorkloadTarget, pods: tuple[PodSeen, ...]) -> Replaced:
    """Delete broken pods."""
    return await workflow.execute_activity_method(
        PodActivities.replace,
        ReplaceRequest(target=target, pods=pods, run=me()),
        summary=f"replace {', '.join(pod.name for pod in pods)}",
        **FORWARD,
    )


def measure(target: WorkloadTarget) -> workflow.ActivityHandle[Measurement]:
    """Start asking the Service; cancel it to get its answer."""
    return workflow.start_activity_method(
        PodActivities.measure,
        AnswerRequest(target=target, run=me()),
        summary="measure the Service's answers",
        **ALONGSIDE,
    )
