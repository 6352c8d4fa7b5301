"""Who says that a run was begun by a watch: only the one watch of its target counts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.run.parents import what_is_wrong
from tests.detection.bench import GONE, watching
from tests.fakes.world import B
from tests.postgres.gone import Gone, take_away
from workflows.run.automatic import FOUND


@workflow.defn(name="claims-to-be-a-watch")
class _Claims:
    @workflow.run
    async def run(self, asked: dict[str, Any], lock: str, queue: str) -> None:
        found = {FOUND: {"member": B}}
        run = await workflow.start_child_workflow("postgres-failover", asked, id=lock, task_queue=queue, memo=found)
        await run.signal("withdraw", "somebody likes it so")
        await run


@pytest.mark.parametrize("suffix", ["", "-of-another"])
async def test_a_run_whose_parent_only_has_the_name_of_a_watch_asks_people_and_is_not_withdrawn(
    temporal: Client, tmp_path: Path, suffix: str
) -> None:
    """With the workflow ID of this target's watch; then with that of another's."""
    async with watching(temporal, tmp_path, "automatic") as one:
        bench = one.bench
        take_away(bench.world, Gone.DEAD)
        asked = {"cluster": bench.cluster, "mode": "forced", "run": "real", "by": "postgres-watch", "reason": "a claim"}
        async with Worker(
            temporal, task_queue=f"{bench.queue}-claims", workflows=[_Claims], workflow_runner=UnsandboxedWorkflowRunner()
        ):
            claim = await temporal.start_workflow(
                "claims-to-be-a-watch",
                args=[asked, bench.lock, bench.queue],
                id=f"{one.watch_id}{suffix}",
                task_queue=f"{bench.queue}-claims",
            )
            bench.started.append(claim)
            run = await one.run_of(claim)
            status = await bench.until_phase(run, "awaiting approval")
            assert (status.outcome, bench.world.changed) == (None, [])


def _parent(**changes: Any) -> WorkflowExecutionDescription:
    usual = {
        "id": "watch/postgres/orders",
        "workflow_type": "postgres-watch",
        "task_queue": "failover",
        "status": WorkflowExecutionStatus.RUNNING,
    }
    return cast("WorkflowExecutionDescription", SimpleNamespace(**{**usual, **changes}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, ""),
        ({"workflow_type": "redis-watch"}, "watch/postgres/orders is a redis-watch, no postgres-watch"),
        ({"task_queue": "mine"}, "watch/postgres/orders is served on the task queue mine, not failover"),
        ({"status": WorkflowExecutionStatus.TERMINATED}, "watch/postgres/orders does not run any more"),
    ],
)
def test_a_parent_must_be_the_running_watch_on_our_own_task_queue(changes: dict[str, Any], message: str) -> None:
    assert what_is_wrong(_parent(**changes), ("postgres-watch",), "failover") == message


def test_a_run_that_outlives_its_parent_takes_one_that_has_ended_and_no_other() -> None:
    ended = _parent(status=WorkflowExecutionStatus.COMPLETED)
    assert what_is_wrong(ended, ("postgres-watch",), "failover", may_have_ended=True) == ""
    assert "is a " in what_is_wrong(ended, ("region-failover",), "failover", may_have_ended=True)


async def test_the_watch_itself_is_believed(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "automatic") as one:
        await one.watch()
        take_away(one.bench.world, Gone.DEAD)
        one.let(GONE)
        assert (await one.bench.finished(await one.run())).leader == B
