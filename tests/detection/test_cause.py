"""A workload's pods are broken because its database is down: its watch names the cause and begins nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from activities.detection.models import Kind, Standing
from activities.detection.standing import cause_in
from activities.run.models.wire import read
from tests.detection.bench import GONE, QUICK, WatchBench, watching
from tests.postgres.bench import Handle
from workflows.detection.models import WatchStatus, watch_id

_DOWN = "the cause: orders is down (watch/postgres/orders); the pods come back with it"


def _list_workload(one: WatchBench, deployment: str) -> str:
    """List a workload whose Deployment is ``deployment`` beside a cluster that api-deployment uses; return its name."""
    name = f"api-{uuid4().hex[:8]}"
    content: dict[str, Any] = yaml.safe_load(one.bench.estate.read_text(encoding="utf-8"))
    content["postgres"][one.bench.cluster]["applications"] = [{"deployment": "api-deployment"}]
    watch = {**QUICK, "policy": "automatic"}
    content["workloads"] = {name: {"region": "eastus", "deployment": deployment, "watch": watch}}
    one.bench.estate.write_text(yaml.safe_dump(content), encoding="utf-8")
    return name


async def _status(watch: Handle) -> WatchStatus:
    return read(WatchStatus, await watch.query("watch_status"))


async def _has_begun(watch: Handle) -> bool:
    kind = EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED
    return any(event.event_type == kind for event in (await watch.fetch_history()).events)


async def _knows_the_cause(watch: Handle) -> bool:
    return bool((await _status(watch)).cause)


async def test_while_the_database_is_down_its_pods_are_left_alone(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "notify") as one:
        database = await one.watch()
        name = _list_workload(one, "api-deployment")
        one.let(GONE)
        await one.until_gone()
        pods = await one.bench.start({"target": name}, workflow="pod-watch", id=watch_id(Kind.PODS, name))
        await one.bench.until(lambda: _knows_the_cause(pods))
        status = await _status(pods)
        assert f"{one.bench.cluster} is down ({one.watch_id}); the pods come back with it" in status.headline
        assert "nothing is begun" in status.last_words
        assert (status.open, status.cooling, status.alarm) == ((), None, True)
        assert not await _has_begun(pods)
        await database.terminate("the database's finding is over")
        await one.bench.until(lambda: _has_begun(pods))


async def test_another_workload_s_pods_are_replaced_as_ever(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "notify") as one:
        await one.watch()
        name = _list_workload(one, "other-deployment")
        one.let(GONE)
        await one.until_gone()
        pods = await one.bench.start({"target": name}, workflow="pod-watch", id=watch_id(Kind.PODS, name))
        await one.bench.until(lambda: _has_begun(pods))
        assert (await _status(pods)).cause == ""


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (Standing(), ""),
        (Standing(silent=("east is silent",)), ""),
        (Standing(gone=("a is down",)), _DOWN),
        (Standing(open=("postgres/orders",)), _DOWN),
    ],
)
def test_a_finding_or_an_open_run_of_the_database_is_a_cause(said: Standing, cause: str) -> None:
    assert cause_in({"watch/postgres/orders": said}) == cause
