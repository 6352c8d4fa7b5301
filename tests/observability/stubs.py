"""Workflows that say what the real ones say, for states that take long to reach."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError

from activities.drills.record import Criterion, DrillRecord
from activities.run.models.wire import RunId
from workflows.run.state import MODE, OUTCOME, PHASE, RUN, TARGET


@workflow.defn(name="redis-failover")
class StrandedRun:
    """A run that ends as it is told, on the target that its ID names."""

    @workflow.run
    async def run(self, outcome: str, phase: str = "routing") -> None:
        labels = {TARGET: workflow.info().workflow_id, MODE: "forced", RUN: "real", PHASE: phase}
        if outcome != "terminated":
            labels[OUTCOME] = outcome
        workflow.upsert_search_attributes([key.value_set(value) for key, value in labels.items()])
        if outcome == "terminated":
            await workflow.wait_condition(lambda: False)
        if outcome == "stranded":
            raise ApplicationError("stranded: no Sentinel answers", non_retryable=True)

    @workflow.query
    def waits(self) -> bool:
        return True


@activity.defn(name="records.keep")
async def keep(_: dict[str, Any]) -> None:
    """Keep nothing: it is in the history."""


@workflow.defn(name="failover-drill")
class DrillRun:
    """A drill that has ended: its record is in what its last step is to keep."""

    @workflow.run
    async def run(self, passed: bool) -> None:  # noqa: FBT001 - a stub's only input
        info, began = workflow.info(), workflow.now()
        workflow.upsert_search_attributes([TARGET.value_set(info.workflow_id)])
        criterion = Criterion(name="new row within 300 s", wanted="300 s", seen="12.5 s", met=passed)
        record = DrillRecord(
            drill="orders-half-yearly", kind="database", target="orders",
            run=RunId(workflow_id=info.workflow_id, run_id=info.run_id), by="dana",
            began_at=began, ended_at=began + timedelta(seconds=20), passed=passed, criteria=(criterion,),
            rto_seconds=12.5, objective_seconds=300,
        )  # fmt: skip
        report = {"outcome": "completed", "details": {"record": record.model_dump(mode="json")}}
        wanted = {"wanted": False, "report": report}
        await workflow.execute_activity("records.keep", wanted, start_to_close_timeout=timedelta(seconds=20))


_SINCE = "2026-11-30T01:00:00+00:00"
CHECKS: list[dict[str, Any]] = [
    {
        "procedure": "region-failover",
        "target": "region/eastus",
        "variant": "forced",
        "readiness": "blocked",
        "since": _SINCE,
    },
    {"procedure": "postgres-failover", "target": "postgres/orders", "readiness": "ready", "since": _SINCE, "reasons": []},
]


@workflow.defn(name="failover-readiness")
class ReadinessRun:
    """What readiness answers; its memo tells only of what is not ready."""

    @workflow.run
    async def run(self, *_: Any) -> None:
        workflow.upsert_memo({"readiness": {"checks": CHECKS[:1]}})
        await workflow.wait_condition(lambda: False)

    @workflow.query
    def readiness(self) -> dict[str, Any]:
        return {"checks": CHECKS, "passes": 1}
