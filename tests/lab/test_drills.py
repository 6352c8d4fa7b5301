"""The drills of the runbook's table on the real cluster, each begun by its schedule; all is as before afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import WorkflowHandle

from activities.drills.models import DrillDetails
from activities.run.models.report import Outcome
from deploy.lab.estate import publish_estate, read_estate
from deploy.lab.patience import stretched
from deploy.lab.switching import APPROVER, CLUSTER, OPERATOR, REDIS, WORKLOAD, agree, ending, plan_of
from starters.client.schedules import handle_of
from starters.commands.drill import judge
from starters.commands.drill_schedule import apply_all, trigger
from starters.history.model import Facts
from tests.drills.today import open_now
from tests.lab.platform import Platform
from workflows.run.phases import Phase

pytestmark = pytest.mark.lab
_KINDS = {"pod": WORKLOAD, "redis": REDIS, "database": CLUSTER, "node": "workers"}


@pytest_asyncio.fixture(loop_scope="session")
async def calendar(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Platform]:
    """Publish an estate whose drills are due now, and make their schedules; take both away again."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{platform.lab.ports['temporal']}")
    estate: dict[str, Any] = read_estate(platform.lab, platform.binaries)
    pool = next(iter(estate["node_pools"]))
    entries: dict[str, dict[str, Any]] = {
        kind: {"kind": kind, "target": pool if kind == "node" else target, "owner": OPERATOR, "application": WORKLOAD,
               "settled_within": "PT5M", "word_within": "PT5M"}
        for kind, target in _KINDS.items()
    }  # fmt: skip
    publish_estate(platform.lab, platform.binaries, {**estate, "drills": open_now(**entries)})
    async with asyncio.timeout(stretched(60)):
        await apply_all()
    yield platform
    for kind in _KINDS:
        await handle_of(platform.client, kind).delete()
    publish_estate(platform.lab, platform.binaries, estate)


async def _begun(platform: Platform, name: str) -> WorkflowHandle[Any, Any]:
    """Let the schedule begin the drill; approve it where somebody must."""
    await trigger(name)
    handle = platform.client.get_workflow_handle(f"drill/{name}")
    async with asyncio.timeout(stretched(30)):
        while (await _phase(handle)) in {"", Phase.SURVEYING.value}:
            await asyncio.sleep(0.1)
    if await _phase(handle) == Phase.AWAITING_APPROVAL.value:
        await agree(handle, await plan_of(handle))
    return handle


async def _phase(handle: WorkflowHandle[Any, Any]) -> str:
    try:
        return str((await handle.query("status"))["phase"])
    except Exception:  # noqa: BLE001 - it has not begun yet
        return ""


async def _held(platform: Platform, name: str) -> Facts:
    """Hold a drill to its end, judge it, and return what its history says."""
    handle = await _begun(platform, name)
    async with asyncio.timeout(stretched(240)):
        while (await _phase(handle)) != Phase.JUDGING.value and (await handle.describe()).close_time is None:
            await asyncio.sleep(0.2)
    if (await handle.describe()).close_time is None:
        await judge(name, APPROVER, "nobody noticed", passed=True)
    return await ending(handle)


@pytest.mark.parametrize("kind", list(_KINDS))
async def test_a_drill_of_the_calendar_passes_and_puts_all_back(calendar: Platform, kind: str) -> None:
    facts = await _held(calendar, kind)
    details = facts.known.of(DrillDetails)
    print(*(f"{one.name}: {one.seen} ({one.wanted})" for one in details.criteria), sep="\n")
    print(*(f"{one.role}: {one.workflow} {one.outcome} {one.explanation}" for one in details.parts), sep="\n")
    print(f"application: {details.answers}")
    assert facts.outcome is Outcome.COMPLETED, facts.reason
    assert facts.reason.startswith("PASS; dana says PASS"), facts.reason
    assert details.record is not None
    assert (details.record.passed, details.record.compared, details.record.differences) == (True, True, ())
    assert facts.verdict.met, facts.verdict.sentences
