r"""Mend a workload whose pods are broken, or break one on purpose to see how long Kubernetes takes (drill).

    survey -> approve -> survey -> [drill: end a main process !] -> wait for Kubernetes -> replace ! -> verify
    \________ nothing changed ________/                             \__ a cancel leaves it __/ \_ forward only _/

Kubernetes starts ended containers again by itself, so first it gets its time, counted from when the pod broke and not from
when the run began. What is broken then is deleted, and the Deployment makes a new pod. There is nothing to undo: a deleted
pod does not come back, another one takes its place. A workload that is not whole in the end leaves the run STRANDED, with
what each pod, the scheduler and the Service say.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.pods.models import Mended, PodSeen, Struck, WorkloadSurvey
from activities.run.errors import Refusal, refuse
from activities.run.models.measure import Measurement
from activities.run.models.plan import Plan
from activities.run.models.report import Outcome
from activities.run.models.todo import Todo, todo
from estate.workloads import WorkloadTarget
from workflows.pods import steps
from workflows.pods.planning import left_of, make_pod_plan, must_not_be_all, patience_ends, to_replace
from workflows.postgres.recovery import approved
from workflows.run import outcome
from workflows.run.inputs import parse
from workflows.run.measuring import measurement_of
from workflows.run.models import PodFailoverRequest, Run
from workflows.run.phases import Phase
from workflows.run.preconditions import admitted
from workflows.run.state import Journal
from workflows.run.uncancellable import uncancellable
from workflows.run.voting import Decidable


@workflow.defn(name="pod-failover")
class PodFailover(Decidable):
    """One look after one workload; its workflow ID is the workload's lock."""

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Set every attribute here: a handler may run before ``run`` does."""
        self._request, self._bad_input = parse(PodFailoverRequest, args)
        self._journal = Journal(self._request)
        self._survey: WorkloadSurvey | None = None
        self._asking: workflow.ActivityHandle[Measurement] | None = None

    @workflow.run
    async def run(self, *_: Any) -> outcome.Summary:  # noqa: ANN401
        """Mend, or let everything be and say why."""
        return await outcome.conclude(self._journal, self._story())

    async def _story(self) -> None:
        request, journal = admitted(self._journal, self._request, self._bad_input, drills=True), self._journal
        target = await steps.resolve(request.workload)
        journal.target = target
        if request.run is Run.PLAN:
            await self._plan(request, target)
            journal.close(Outcome.PLANNED_ONLY, "nothing was changed")
            return
        drill = request.run is Run.DRILL
        policies = target.workload.approvals
        policy = policies.drill if drill else policies.failover
        plan = await approved(journal, policy, target, lambda: self._plan(request, target))
        survey = self._surveyed()
        if not drill and survey.is_whole:
            journal.close(Outcome.COMPLETED, f"all {survey.wanted} pods of {target.name} are ready: nothing was to be done")
            return
        self._asking = steps.measure(target) if target.workload.service else None
        try:
            mended = await self._mend(target, survey, struck=survey_pod(survey, plan.primary) if drill else None)
        except (asyncio.CancelledError, FailureError):
            await uncancellable(self._stop_asking())
            raise
        await uncancellable(self._stop_asking())
        journal.left_to_do = ()
        journal.close(Outcome.COMPLETED, f"{len(mended.survey.ready)} of {survey.wanted} pods of {target.name} are ready")

    async def _plan(self, request: PodFailoverRequest, target: WorkloadTarget) -> Plan:
        journal = self._journal
        journal.enter(Phase.SURVEYING)
        survey = self._survey = await steps.survey(target)
        journal.facts["workload"] = survey
        plan = make_pod_plan(target, survey, drill=request.run is Run.DRILL, pod=request.pod)
        journal.plan = plan
        journal.show()
        return plan

    def _surveyed(self) -> WorkloadSurvey:
        if self._survey is None:
            raise refuse(Refusal.UNREACHABLE, "there is no survey")
        return self._survey

    async def _mend(self, target: WorkloadTarget, survey: WorkloadSurvey, *, struck: PodSeen | None) -> Mended:
        """Wait for Kubernetes, then replace what is broken still; return how it went."""
        journal = self._journal
        if struck is not None:
            journal.enter(Phase.STRIKING, struck.name)
            journal.facts["struck"] = await uncancellable(steps.strike(target, struck))
        began = self._broke_at(survey)
        journal.leaves = "Kubernetes goes on mending by itself; no pod was replaced"
        journal.enter(Phase.MENDING, "Kubernetes gets its time")
        until = began + target.workload.patience if struck else patience_ends(target, survey, workflow.now())
        mended = await steps.mended(target, until, changed_from=struck)
        if not mended.whole:
            mended = await uncancellable(self._replace(target, mended.survey))
        journal.facts["mended"] = mended
        journal.facts["recovery_seconds"] = (mended.at - began).total_seconds()
        if not mended.whole:
            journal.left_to_do = left_of(target, mended.survey)
            raise refuse(Refusal.STRANDED, f"{target.name} is not whole")
        return mended

    def _broke_at(self, survey: WorkloadSurvey) -> datetime:
        """Return when it began: the strike, or the first break that is still seen; a Service that answers badly: now."""
        struck: Struck | None = self._journal.facts.get("struck")
        if struck is not None:
            return struck.at
        return min((one.since for one in survey.broken if one.since), default=survey.at)

    async def _replace(self, target: WorkloadTarget, survey: WorkloadSurvey) -> Mended:
        journal = self._journal
        must_not_be_all(target, survey)
        broken = to_replace(survey)
        settled = workflow.now() + target.workload.settled_within
        if broken:
            journal.enter(Phase.REPLACING, ", ".join(one.name for one in broken))
            journal.forward_only, journal.leaves = True, ""
            journal.left_to_do = tuple(
                todo(Todo.REPLACE, f"replace {one.name} ({one.trouble.value})", one.name) for one in broken
            )
            journal.facts["replaced"] = await steps.replace(target, broken)
        journal.enter(Phase.VERIFYING)
        return await steps.mended(target, settled)

    async def _stop_asking(self) -> None:
        """End the measurement and keep what it saw; a run does not fail for it."""
        asking, self._asking = self._asking, None
        if asking is not None:
            self._journal.facts["measurement"] = await measurement_of(asking)


def survey_pod(survey: WorkloadSurvey, name: str) -> PodSeen:
    """Return the pod of that name, as it was surveyed."""
    return next(one for one in survey.pods if one.name == name)
