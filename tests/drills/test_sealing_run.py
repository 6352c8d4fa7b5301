"""The step in a real run: its history and that of a run that it has begun are in the record, as Temporal has them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from temporalio import workflow
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.drills.evidence import EvidenceActivities, Sealed, SealRequest
from activities.run.declare import steps_of
from activities.run.evidence_files import read_all
from activities.run.inventory import Inventory
from activities.run.models.wire import RunId
from tests.drills.records import drilled, private, write_estate, wrong


@workflow.defn(name="there")
class There:
    """What the drill has begun."""

    @workflow.run
    async def run(self) -> str:
        return "moved"


@workflow.defn(name="drilling")
class Drilling:
    """Begins a run, and seals."""

    @workflow.run
    async def run(self, record: dict[str, Any]) -> Sealed:
        info = workflow.info()
        part = await workflow.start_child_workflow("there", id=f"{info.workflow_id}/there")
        await part
        own = RunId(workflow_id=info.workflow_id, run_id=info.run_id)
        there = RunId(workflow_id=part.id, run_id=part.first_execution_run_id or "")
        record["run"], record["parts"][0]["run"] = own.model_dump(), there.model_dump()
        request = SealRequest.model_validate({"record": record, "report": {"outcome": "completed"}})
        return await workflow.execute_activity_method(
            EvidenceActivities.seal, request, start_to_close_timeout=timedelta(seconds=60)
        )


async def test_a_run_seals_its_own_history_and_that_of_its_child(temporal: Client, tmp_path: Path) -> None:
    queue, estate = f"drilling-{uuid4()}", write_estate(tmp_path)
    steps = [*steps_of(EvidenceActivities(Inventory(estate), private))]
    runner = UnsandboxedWorkflowRunner()
    record = drilled(parts=drilled().parts[:1]).model_dump(mode="json")
    async with Worker(temporal, task_queue=queue, workflows=[Drilling, There], activities=steps, workflow_runner=runner):
        done = await temporal.execute_workflow(Drilling.run, record, id=queue, task_queue=queue)

    root = tmp_path / "records/evidence"
    (kept,) = read_all(root)
    assert (done.note, done.gaps, wrong(root)) == ("", (), ())
    types = {
        name: WorkflowHistory.from_json("", kept.files[name].decode())
        .events[0]
        .workflow_execution_started_event_attributes.workflow_type.name
        for name in ("history.json", "there-history.json")
    }
    assert types == {"history.json": "drilling", "there-history.json": "there"}
