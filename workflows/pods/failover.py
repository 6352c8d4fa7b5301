r"""Mend a workload whose pods are broken, or break one on purpose to see how long Kubernetes takes (drill).

    survey -> approve -> survey -> [drill: end a main process !] -> wait for Kubernetes -> replace ! -> verify
    \________ nothing changed ________/                             \__ a cancel leaves it __/ \_ forward only _/

Kubernetes starts ended containers again by itself, so first it gets its time, counted from when the pod broke and not from
when the run began. What is broken then is deleted, and the Deployment makes a new pod. There is nothing to undo: a deleted
pod does not come back, another one takes its place. A workload that is not healthy in the end leaves the run STRANDED, with
what each pod, the scheduler and the Service say.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from temporalio import workflow

from activities.pods.models import (
    AnswerRequest,
    Mended,
    MendRequest,
    PodDetails,
    PodPlan,
    PodSeen,
    ReplaceRequest,
    StrikeRequest,
    WorkloadLook,
    WorkloadSurvey,
)
from activities.pods.steps import PodActivities
from activities.run.errors import Refusal, refuse
from activities.run.inventory import EstateActivities
from activities.run.models.inventory import ResolveRequest
from activities.run.models.todo import Todo, todo
from estate.base import ApprovalPolicy
from estate.workloads import WorkloadTarget
from workflows.pods.models import PodFailoverRequest
from workflows.pods.planning import left_of, make_pod_plan, must_not_be_all, patience_ends, to_replace
from workflows.run.measuring import Measuring
from workflows.run.models import Run
from workflows.run.outcome import Summary
from workflows.run.phases import Phase
from workflows.run.procedure import Procedure
from workflows.run.steps import me, step
from workflows.run.uncancellable import uncancellable


@workflow.defn(name="pod-failover")
class PodFailover(Procedure[PodFailoverRequest, WorkloadTarget, PodPlan, PodDetails]):
    """One look after one workload; its workflow ID is the workload's lock."""

    asks, details, drills = PodFailoverRequest, PodDetails, True

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Set every attribute here: a handler may run before ``run`` does."""
        self.prepare(args)

    @workflow.run
    async def run(self, *_: Any) -> Summary:  # noqa: ANN401
        """Mend, or let everything be and say why."""
        return await self.conclude()

    async def resolve(self) -> WorkloadTarget:
        """Look the workload up in the estate."""
        return await step(EstateActivities.resolve_workload, ResolveRequest(cluster=self.request.workload, by=self.asker))

    async def make_plan(self) -> PodPlan:
        """Look at every pod, ask the Service, and decide what is to be done."""
        state, request = self.state, self.request
        state.enter(Phase.SURVEYING)
        survey = state.details.survey = await step(PodActivities.survey, WorkloadLook(target=self.target))
        plan = make_pod_plan(self.target, survey, drill=request.run is Run.DRILL, pod=request.pod)
        state.plan = plan
        state.show()
        return plan

    @staticmethod
    def policy(target: WorkloadTarget, mode: str, run: str) -> ApprovalPolicy:  # noqa: ARG004
        """Return who must approve."""
        policies = target.workload.approvals
        return policies.drill if run == Run.DRILL.value else policies.failover

    async def execute(self, plan: PodPlan) -> str:
        """Drill: end a process. Then wait for Kubernetes and replace what is broken still."""
        survey, target, drill = self._surveyed(), self.target, self.request.run is Run.DRILL
        if not drill and survey.is_whole:
            return f"all {survey.wanted} pods of {target.name} are ready: nothing was to be done"
        async with Measuring(self.state) as measuring:
            if target.workload.service:
                measuring.begin(PodActivities.measure, AnswerRequest(target=target, run=me()))
            mended = await self._mend(survey, struck=_pod(survey, plan.pods[0]) if drill else None)
        self.state.left_to_do = ()
        return f"{len(mended.survey.ready)} of {survey.wanted} pods of {target.name} are ready"

    def _surveyed(self) -> WorkloadSurvey:
        if self.state.details.survey is None:
            raise refuse(Refusal.UNREACHABLE, "there is no survey")
        return self.state.details.survey

    async def _mend(self, survey: WorkloadSurvey, *, struck: PodSeen | None) -> Mended:
        """Wait for Kubernetes, then replace what is broken still; return how it went."""
        state, target = self.state, self.target
        if struck is not None:
            state.enter(Phase.STRIKING, struck.name)
            request = StrikeRequest(target=target, pod=struck, run=me())
            state.details.struck = await uncancellable(step(PodActivities.end_process, request))
        began = self._broke_at(survey)
        state.leaves = "Kubernetes goes on repairing; no pod was replaced"
        state.enter(Phase.MENDING, "Kubernetes gets its time")
        until = began + target.workload.patience if struck else patience_ends(target, survey, workflow.now())
        mended = await step(PodActivities.await_healthy, MendRequest(target=target, changed_from=struck, until=until))
        if not mended.whole:
            mended = await uncancellable(self._replace(mended.survey))
        state.details.mended = mended
        state.details.recovery_seconds = (mended.at - began).total_seconds()
        if not mended.whole:
            state.left_to_do = left_of(target, mended.survey)
            raise refuse(Refusal.STRANDED, f"{target.name} is not healthy")
        return mended

    def _broke_at(self, survey: WorkloadSurvey) -> datetime:
        """Return when it began: the strike, or the first break that is still seen; a Service that answers badly: now."""
        if (struck := self.state.details.struck) is not None:
            return struck.at
        return min((one.since for one in survey.broken if one.since), default=survey.at)

    async def _replace(self, survey: WorkloadSurvey) -> Mended:
        state, target = self.state, self.target
        must_not_be_all(target, survey)
        broken = to_replace(survey)
        settled = workflow.now() + target.workload.settled_within
        if broken:
            state.enter(Phase.REPLACING, ", ".join(one.name for one in broken))
            state.forward_only, state.leaves = True, ""
            state.left_to_do = tuple(
                todo(Todo.REPLACE, f"replace {one.name} ({one.trouble.value})", one.name) for one in broken
            )
            state.details.replaced = await step(PodActivities.replace, ReplaceRequest(target=target, pods=broken, run=me()))
        state.enter(Phase.VERIFYING)
        return await step(PodActivities.await_healthy, MendRequest(target=target, changed_from=None, until=settled))


def _pod(survey: WorkloadSurvey, name: str) -> PodSeen:
    """Return the pod of that name, as it was surveyed."""
    return next(one for one in survey.pods if one.name == name)
