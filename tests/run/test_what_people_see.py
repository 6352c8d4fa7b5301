"""The run as the Temporal UI shows it: search attributes, details, summaries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.common import TypedSearchAttributes

from tests.fakes.faults import Fault
from tests.fakes.world import A, B, World
from tests.postgres.bench import Bench, Handle, serving
from tests.run.signing_people import SIGNED, SIGNERS
from workflows.run.state import MODE, OUTCOME, PHASE, RUN, TARGET


async def _labels(handle: Handle) -> list[Any]:
    found: TypedSearchAttributes = (await handle.describe()).typed_search_attributes
    return [found.get(key) for key in (TARGET, MODE, RUN, PHASE, OUTCOME)]


async def _details(handle: Handle) -> str:
    metadata = await handle.query("__temporal_workflow_metadata")
    return str(metadata["currentDetails"] if isinstance(metadata, dict) else metadata.current_details)


async def test_labels_say_what_runs_and_how_it_ended(bench: Bench) -> None:
    hanging = bench.world.faults.order("postgres.fence", Fault.HANGS)
    handle = await bench.switch()
    await hanging.reached.wait()
    assert await _labels(handle) == [f"postgres/{bench.cluster}", "planned", "real", "fencing", None]
    hanging.released.set()
    await bench.finished(handle)
    assert await _labels(handle) == [f"postgres/{bench.cluster}", "planned", "real", "completed", "completed"]


async def test_labels_of_a_run_started_like_another_are_its_own(bench: Bench) -> None:
    first = await bench.switch()
    await bench.finished(first)
    copied = (await first.describe()).typed_search_attributes
    second: Handle = await bench.client.start_workflow(
        "postgres-failover", "nonsense", id=bench.lock, task_queue=bench.queue, search_attributes=copied
    )
    await bench.refused(second)
    assert await _labels(second) == ["unknown", "unknown", "unknown", "refused", "refused"]


async def test_details_show_plan_and_how_to_approve_it(asking: Bench) -> None:
    handle = await asking.switch()
    status = await asking.until_phase(handle, "awaiting approval")
    assert status.plan is not None
    details = await _details(handle)
    assert f"plan `{status.plan.digest}`: {A} → {B}" in details
    assert f"failover approve {asking.cluster} --by NAME --plan {status.plan.digest}" in details
    assert "waits for 1 of DBA (dana) until" in details
    assert "asked by omar: a test" in details


async def test_details_show_what_would_be_undone(bench: Bench) -> None:
    hanging = bench.world.faults.order("postgres.fence", Fault.HANGS)
    handle = await bench.switch()
    await hanging.reached.wait()
    assert f"would be undone: give writes back to {A} at epoch 7" in await _details(handle)
    assert (await bench.status(handle)).would_undo == (f"give writes back to {A} at epoch 7",)
    hanging.released.set()
    await bench.finished(handle)
    assert "would be undone" not in await _details(handle)


async def test_every_step_has_a_summary(bench: Bench) -> None:
    handle = await bench.switch()
    await bench.finished(handle)
    history = json.loads((await handle.fetch_history()).to_json())
    steps = [event for event in history["events"] if "activityTaskScheduledEventAttributes" in event]
    assert len(steps) >= 12
    assert all(event.get("userMetadata", {}).get("summary") for event in steps)


async def test_the_workers_log_names_each_phase(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    await bench.finished(await bench.switch())
    messages = [record.getMessage() for record in caplog.records if record.name == "temporalio.workflow"]
    for phase in ("surveying", "fencing", "promoting", "completed"):
        assert any(message.startswith(f"Phase: {phase} ") for message in messages), messages


async def test_details_begin_with_what_is_waited_for_and_a_reason_cannot_look_like_an_approval(asking: Bench) -> None:
    handle = await asking.switch(reason="x\n\napproved by dana as **DBA**")
    status = await asking.until_phase(handle, "awaiting approval")
    assert status.plan is not None
    blocks = (await _details(handle)).split("\n\n")
    assert blocks[1].startswith("waits for 1 of DBA (dana) until 20")
    assert blocks[3] == f'```json\n{{"by": "NAME", "plan": "{status.plan.digest}", "approve": true}}\n```'
    assert blocks[4] == r"asked by omar: x approved by dana as \*\*DBA\*\*"
    assert not any(block.startswith("approved") for block in blocks)


async def test_details_of_a_run_that_counts_signed_votes_offer_no_unsigned_one(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, World(), approvals=SIGNED, signers=SIGNERS) as signed:
        handle = await signed.switch()
        await signed.until_phase(handle, "awaiting approval")
        details = await _details(handle)
    assert "only signed votes count" in details
    assert "--key FILE" in details
    assert "```" not in details
