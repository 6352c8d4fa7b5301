"""What the exporter makes of what Temporal tells: targets left unfinished, observers that fall silent, workers that go."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.client import Client, WorkflowFailureError
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities.run.pollers import pollers
from deploy.lab.patience import stretched
from starters.exporter import declared
from starters.exporter.declared import Metric, Sample
from starters.exporter.detections import Detections
from starters.exporter.ended import EndedRuns
from starters.exporter.runs import Runs
from tests.detection.bench import GONE, watching
from tests.fakes.world import World
from tests.observability.stubs import StrandedRun
from tests.postgres.bench import serving
from workflows.catalog import RUNNER


class Stub:
    """Runs of one target that end as they are told."""

    def __init__(self, client: Client) -> None:
        self.client, self.target, self.runs = client, f"redis/m-{uuid4().hex[:8]}", EndedRuns()
        self.number = 0

    async def ends(self, outcome: str, phase: str = "routing") -> str:
        """Let a run end, or terminate it in ``phase``. Return as what the target is left, where that is unfinished."""
        self.number += 1
        handle = await self.client.start_workflow(
            "redis-failover", args=[outcome, phase], id=self.target, task_queue=self.target
        )
        if outcome == "terminated":
            await handle.query("waits")
            await handle.terminate("by hand")
        with suppress(WorkflowFailureError):
            await handle.result()
        async with asyncio.timeout(stretched(30)):
            while await self._counted() < self.number:
                await asyncio.sleep(0.05)
        left = [one.labels for one in self._of(declared.UNFINISHED)]
        return left[0][-1] if left else ""

    async def _counted(self) -> float:
        await self.runs.look(self.client, datetime.now(UTC))
        return sum(one.value for one in self._of(declared.ENDED))

    def _of(self, metric: Metric) -> list[Sample]:
        return [one for one in self.runs.samples() if one.metric is metric and self.target in one.labels]


async def test_a_target_is_left_unfinished_until_a_run_that_acts_has_finished(temporal: Client) -> None:
    stub = Stub(temporal)
    async with Worker(temporal, task_queue=stub.target, workflows=[StrandedRun], workflow_runner=RUNNER):
        assert await stub.ends("completed") == ""
        assert await stub.ends("stranded") == "stranded"
        assert await stub.ends("refused") == "stranded"
        assert await stub.ends("cancelled") == "stranded"
        assert await stub.ends("rolled back") == ""
        assert await stub.ends("rollback incomplete") == "rollback incomplete"
        assert await stub.ends("completed") == ""
        assert await stub.ends("terminated", phase="awaiting approval") == ""
        assert await stub.ends("terminated", phase="fencing") == "terminated"


async def test_observers_that_fall_silent_are_seen_without_any_worker(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "notify") as one:
        await one.watch()
        detections = Detections(temporal)

        async def told() -> dict[str, float]:
            samples = [each for each in await detections.samples() if each.labels[0] == one.bench.lock]
            return {" ".join((each.metric.name, *each.labels[1:])): each.value for each in samples}

        async def tells(**wanted: float) -> bool:
            found = await told()
            return all(found[f"failover_detection_{name.replace('__', ' ')}"] == value for name, value in wanted.items())

        assert await tells(gone=0, blind=0, observers__seeing=3, observers__silent=0, info__notify=1)
        one.let(GONE)
        await one.bench.until(lambda: tells(gone=1, blind=0))
        for witness in ("east", "north"):
            await one.dismiss(witness)
        await one.bench.until(lambda: tells(blind=1, observers__seeing=1, observers__silent=2))
        await one.dismiss("west")
        await one.bench.until(lambda: tells(observers__seeing=0, observers__silent=3))
        looked = (await told())["failover_detection_last_look_timestamp_seconds"]
        assert abs(datetime.now(UTC).timestamp() - looked) < 60
        await asyncio.sleep(0)
        assert (await told())["failover_detection_last_look_timestamp_seconds"] == looked


async def test_an_open_run_is_told_while_no_worker_serves_it(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, World(), approvals={"planned": {"roles": ["DBA"], "window": "PT1M"}}) as bench:
        run = await bench.switch()
        await bench.until_phase(run, "awaiting approval")
        await bench.stop_worker()
        assert await pollers(temporal, "nobody-polls-this", TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW) == 0
        runs = Runs(temporal)
        samples, unread = await runs.samples(datetime.now(UTC))
        own = {one.metric for one in samples if bench.lock in one.labels}
        assert unread == 0
        assert own == {declared.STARTED, declared.ENTERED, declared.WAITS, declared.WORKING, declared.OBJECTIVE}
        later, _ = await runs.samples(datetime.now(UTC) + timedelta(minutes=10))
        working = [one.value for one in later if one.metric is declared.WORKING and bench.lock in one.labels]
        assert working[0] < 300, "time in which people are waited for is no work"
        bench.start_worker()


async def test_a_history_that_cannot_be_read_is_counted_and_the_rest_is_told(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuses(*_: object) -> None:
        raise RPCError("no page", None, b"")  # type: ignore[arg-type]

    async with serving(temporal, tmp_path, World(), approvals={"planned": {"roles": ["DBA"], "window": "PT1M"}}) as bench:
        run = await bench.switch()
        await bench.until_phase(run, "awaiting approval")
        monkeypatch.setattr("starters.exporter.runs.read_run", refuses)
        samples, unread = await Runs(temporal).samples(datetime.now(UTC))
    assert unread >= 1
    assert {one.metric for one in samples if bench.lock in one.labels} == {declared.STARTED}
