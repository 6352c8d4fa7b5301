"""Looks up the failover that a recovery repairs: in Temporal, and in the records where Temporal has forgotten it.

The run must be one of ``region-failover`` of this region that has ended, and that has promoted something: a recovery of what
was put back would stop the server that leads. Changes nothing.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.region.failover_models import RegionDetails, RegionPlan
from activities.region.recovery_models import FindFailover, Repaired, RepairedDatabase
from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.inventory import Inventory
from activities.run.models.report import RunReport
from activities.run.models.wire import read
from activities.run.postures import READ_LONG

_KIND, _KEEP = "region-failover", "records.keep"
_NONE = {RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT}


class RecoveryLookActivities:
    """The read-only half of ``region-recovery``."""

    def __init__(self, inventory: Inventory) -> None:
        """Read the records where ``inventory`` says."""
        self._inventory = inventory

    @step("region.find_failover", READ_LONG, lambda find: f"look up the failover {find.run_id}")
    async def find(self, find: FindFailover) -> Repaired:
        """Return the failover.

        Raises:
            ApplicationError: ``BadInput``; there is none of that run ID, or none that can be repaired. Names the field.

        """
        report = await self._in_temporal(find) or await asyncio.to_thread(self._in_records, find)
        if report is None:
            words = f"neither Temporal nor the records know a run {find.run_id} of region/{find.target.name}"
            raise refuse(Refusal.BAD_INPUT, f"repairs: {words}; list them: failover history {find.target.name}")
        return repaired_of(find, report)

    async def _in_temporal(self, find: FindFailover) -> dict[str, Any] | None:
        """Return the report of the run. ApplicationError: ``BadInput``, it runs still, is another kind, or has none."""
        handle = activity.client().get_workflow_handle(f"region/{find.target.name}", run_id=find.run_id)
        try:
            found = await handle.describe()
        except RPCError as error:
            if error.status in _NONE:
                return None
            raise
        if found.status is WorkflowExecutionStatus.RUNNING:
            words = f"the run {find.run_id} goes on still; wait for its end"
            raise refuse(Refusal.BAD_INPUT, f"repairs: {words}: failover status {find.target.name}")
        if found.workflow_type != _KIND:
            raise refuse(Refusal.BAD_INPUT, f"repairs: the run {find.run_id} is a {found.workflow_type}, no {_KIND}")
        report: dict[str, Any] | None = None
        async for event in handle.fetch_history_events():
            asked = event.activity_task_scheduled_event_attributes
            if asked.activity_type.name == _KEEP and asked.input.payloads:
                [kept] = await activity.client().data_converter.decode(asked.input.payloads)
                report = kept["report"]
        if report is None:
            words = f"the run {find.run_id} was ended from outside, and nobody knows what it has promoted"
            raise refuse(Refusal.BAD_INPUT, f"repairs: {words}; start {_KIND} again, it goes on where it stands")
        return report

    def _in_records(self, find: FindFailover) -> dict[str, Any] | None:
        estate = self._inventory.latest
        records = Path(estate.records.removeprefix("file:")) if estate and estate.records else None
        if records is None:
            return None
        for path in records.glob(f"region-{find.target.name}/*-{find.run_id[:8]}/report.json"):
            report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if report.get("run_id") == find.run_id:
                return report
        return None


def repaired_of(find: FindFailover, written: dict[str, Any]) -> Repaired:
    """Return what a report tells. ApplicationError: ``BadInput``, it is none of this region, or has promoted nothing."""
    own = {key: value for key, value in written.items() if key not in {"plan", "details"}}
    try:
        report = read(RunReport, own)
        plan, details = read(RegionPlan, written.get("plan") or {}), read(RegionDetails, written.get("details") or {})
    except ValidationError:
        if written.get("workflow") != _KIND:
            raise refuse(
                Refusal.BAD_INPUT, f"repairs: the run {find.run_id} is a {written.get('workflow')}, no {_KIND}"
            ) from None
        raise refuse(Refusal.BAD_INPUT, f"repairs: the run {find.run_id} had no plan: it has promoted nothing") from None
    if report.workflow != _KIND or report.cluster != find.target.name:
        words = f"the run {find.run_id} is a {report.workflow} of {report.cluster}, no {_KIND} of {find.target.name}"
        raise refuse(Refusal.BAD_INPUT, f"repairs: {words}")
    if not details.moved:
        words = f"the run {find.run_id} has ended as {report.outcome.value} and has promoted nothing"
        raise refuse(Refusal.BAD_INPUT, f"repairs: {words}; there is nothing to repair")
    available = {one.name: one.high_availability for one in plan.losses}
    return Repaired(
        run_id=report.run_id,
        outcome=report.outcome.value,
        ended_at=report.finished_at,
        databases=tuple(
            RepairedDatabase(name=one.name, server=one.server, high_availability=available.get(one.name) or "")
            for one in plan.databases
        ),
    )
