"""Decides from a survey what is to be done about a workload's pods. Pure.

A pod is replaced when Kubernetes would not mend it in time, and only when a new one can be expected to fare better. Where
every pod of a workload is broken it is not the pods: what they need is gone, or their template is bad; deleting them all
would take away what still may come back, and the evidence with it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from activities.pods.models import PodPlan, PodSeen, Trouble, WorkloadSurvey
from activities.run.errors import Refusal, refuse
from activities.run.models.todo import LeftToDo, Todo, todo
from estate.workloads import WorkloadTarget
from gate.record import Mode

_HOPELESS = {Trouble.STUCK, Trouble.OVER}
"""Nothing that Kubernetes does by itself would mend them."""
_NOT_THE_POD = {Trouble.UNSCHEDULED}
"""A new one would fare no better."""


def make_pod_plan(target: WorkloadTarget, survey: WorkloadSurvey, *, drill: bool, pod: str | None) -> PodPlan:
    """Return the plan. Raises refusals as ApplicationError: one sentence with a name or a number."""
    if drill:
        return _drill(target, survey, pod)
    if pod is not None:
        raise refuse(Refusal.BAD_INPUT, "pod: only with run drill, which ends it; broken pods need not be named")
    if survey.wanted == 0:
        raise refuse(
            Refusal.NOT_WHOLE, f"{target.workload.deployment} is scaled to 0: nobody wants a pod of it; scale it first"
        )
    if patience_ends(target, survey, survey.at) <= survey.at:
        must_not_be_all(target, survey)
    workload = target.workload
    steps = (
        f"wait: Kubernetes repairs a pod of {workload.deployment} within {_seconds(workload.patience)} of its break",
        "replace: what is broken then is deleted, and the Deployment makes a new pod (no way back from here)",
        f"verify: {survey.wanted} of {survey.wanted} pods ready{_and_service(target)}",
    )
    return _plan(target, survey, tuple(f"{one.name} ({one.trouble.value})" for one in survey.broken), steps)


def _drill(target: WorkloadTarget, survey: WorkloadSurvey, pod: str | None) -> PodPlan:
    chosen = pod or next((one.name for one in survey.ready), "")
    if pod is not None and pod not in {one.name for one in survey.pods}:
        known = ", ".join(one.name for one in survey.pods) or "none"
        raise refuse(Refusal.BAD_INPUT, f"pod: {pod} is no pod of {target.workload.deployment}; there is {known}")
    if survey.broken or survey.answer:
        what = ", ".join(f"{one.name} ({one.trouble.value})" for one in survey.broken) or survey.answer
        raise refuse(Refusal.NOT_WHOLE, f"a drill begins with everything well, and is not: {what}")
    if len(survey.ready) < 2 and pod is None:  # noqa: PLR2004 - one to end and one to go on
        words = f"{chosen or 'nobody'} is the only ready pod: a drill would stop {target.name}; name it to do it anyway"
        raise refuse(Refusal.NOT_WHOLE, words)
    steps = (
        f"strike: the main process of {chosen} is ended (kill 1); no way back from here",
        f"wait: Kubernetes starts it again; what is broken after {_seconds(target.workload.patience)} is replaced",
        f"verify: {survey.wanted} of {survey.wanted} pods ready{_and_service(target)}",
    )
    return _plan(target, survey, (chosen,), steps)


def must_not_be_all(target: WorkloadTarget, survey: WorkloadSurvey) -> None:
    """Refuse when every pod is broken, and there is more than one."""
    living = [one for one in survey.pods if one.trouble not in _HOPELESS]
    if survey.wanted > 1 and len(living) > 1 and not survey.ready:
        first = living[0]
        raise refuse(
            Refusal.NOT_THE_PODS,
            f"every pod of {target.workload.deployment} is broken ({first.name}: {first.trouble.value}"
            f"{f', {first.words}' if first.words else ''}{f'; {survey.answer}' if survey.answer else ''}):"
            " it is what they need, or their template, and new pods would fare no better; failover doctor, or"
            f" kubectl rollout undo deployment/{target.workload.deployment}",
        )


def patience_ends(target: WorkloadTarget, survey: WorkloadSurvey, now: datetime) -> datetime:
    """Return when Kubernetes has had its time with the pod that broke first; at once when it cannot mend any of them."""
    waiting = [one for one in survey.broken if one.trouble not in _HOPELESS]
    return min((one.since or now for one in waiting), default=now - target.workload.patience) + target.workload.patience


def to_replace(survey: WorkloadSurvey) -> tuple[PodSeen, ...]:
    """Return the broken pods for which a new one can do better, without two of them that write the same data."""
    return tuple(one for one in survey.broken if one.trouble not in _NOT_THE_POD and not one.may_write)


def left_of(target: WorkloadTarget, survey: WorkloadSurvey) -> tuple[LeftToDo, ...]:
    """Return what is not well, one entry each, with what to look at."""
    name, service = target.workload.deployment, target.workload.service
    left = [
        (one.name, f"{one.trouble.value}{f', {one.words}' if one.words else ''}{_remedy(one, name)}")
        for one in survey.broken
    ]
    missing = survey.wanted - len(survey.pods)
    if missing > 0:
        left.append((name, f"{missing} of {survey.wanted} pods were not made: kubectl describe rs"))
    if survey.answer:
        left.append((f"Service {service}", survey.answer))
    return tuple(todo(Todo.REPAIR, f"{subject}: {what}", subject) for subject, what in left)


def _remedy(pod: PodSeen, deployment: str) -> str:
    if pod.may_write:
        volumes = ", ".join(pod.volumes)
        words = f"it may still write {volumes}, so no other takes its place before that machine is stopped"
        return f"; {words}: failover plan node-failover {pod.node} --mode forced"
    remedies = {
        Trouble.CRASHING: f"; see its last lines, or kubectl rollout undo deployment/{deployment}",
        Trouble.CANNOT_START: f"; correct its image or configuration, or kubectl rollout undo deployment/{deployment}",
        Trouble.UNSCHEDULED: "; give the cluster room, or look at its node selector and taints",
        Trouble.NODE_SILENT: f"; see node {pod.node}",
        Trouble.STUCK: f"; see node {pod.node}, and the pod's finalizers",
    }
    return remedies.get(pod.trouble, "")


def _plan(target: WorkloadTarget, survey: WorkloadSurvey, pods: tuple[str, ...], steps: tuple[str, ...]) -> PodPlan:
    return PodPlan(
        cluster=target.name, mode=Mode.PLANNED, pods=pods, wanted=survey.wanted, steps=steps,
        loss="none: these pods keep nothing of their own",
    ).sealed()  # fmt: skip


def _and_service(target: WorkloadTarget) -> str:
    workload = target.workload
    return f", and Service {workload.service} answers {workload.path}" if workload.service else ""


def _seconds(length: timedelta) -> str:
    return f"{length.total_seconds():g} s"
