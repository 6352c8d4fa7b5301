r"""Throw a cache's entries away while nobody reads it.

survey -> approve -> survey -> pause -> flush  !  resume
\___ undone ___/   \_ forward only _/
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from activities.run.inventory import EstateActivities
from activities.run.models.inventory import ResolveRequest
from activities.run.models.todo import Todo, todo
from estate.base import ApprovalPolicy
from estate.workloads import WorkloadTarget
from gate.record import Mode
from tests.ninth.models import CacheRequest, FlushDetails, FlushPlan, FlushRequest
from tests.ninth.steps import CacheSteps
from workflows.run.models import Run
from workflows.run.outcome import Summary
from workflows.run.phases import Phase
from workflows.run.procedure import Procedure
from workflows.run.saga import Saga
from workflows.run.steps import step


@workflow.defn(name="cache-flush")
class CacheFlush(Procedure[FlushRequest, WorkloadTarget, FlushPlan, FlushDetails]):
    """One flush of one cache."""

    asks, details, drills = FlushRequest, FlushDetails, True

    @workflow.init
    def __init__(self, *args: Any) -> None:
        """Set every attribute here: a handler may run before ``run`` does."""
        self.prepare(args)

    @workflow.run
    async def run(self, *_: Any) -> Summary:
        """Flush, or let readers on again and say why."""
        return await self.conclude()

    async def resolve(self) -> WorkloadTarget:
        """Look the workload up in the estate."""
        return await step(EstateActivities.resolve_workload, ResolveRequest(cluster=self.request.workload))

    async def make_plan(self) -> FlushPlan:
        """Count the entries."""
        state = self.state
        state.enter(Phase.SURVEYING)
        found = state.details.survey = await step(CacheSteps.survey, self._cache)
        steps = ("pause: readers wait", f"flush: {found.entries} entries are gone", "resume: readers go on")
        plan = FlushPlan(cluster=self.target.name, mode=Mode.PLANNED, entries=found.entries, steps=steps).sealed()
        state.plan = plan
        return plan

    @staticmethod
    def policy(target: WorkloadTarget, mode: str, run: str) -> ApprovalPolicy:  # noqa: ARG004
        """Return who must approve."""
        policies = target.workload.approvals
        return policies.drill if run == Run.DRILL.value else policies.failover

    async def execute(self, plan: FlushPlan) -> str:
        """Pause, flush, resume."""
        state = self.state
        async with Saga(state) as saga:
            saga.on_failure(self._resume, "let readers on again", todo(Todo.OTHER, "resume the cache"))
            state.enter(Phase.FENCING)
            await step(CacheSteps.pause, self._cache)
            state.enter(Phase.PROMOTING)
            state.details.flushed = await step(CacheSteps.flush, self._cache)
            state.forward_only = True
        state.enter(Phase.VERIFYING)
        await self._resume()
        return f"{plan.entries} entries are gone"

    @property
    def _cache(self) -> CacheRequest:
        return CacheRequest(target=self.target)

    async def _resume(self) -> str:
        await step(CacheSteps.resume, self._cache)
        return "readers go on"
