"""The drills of the runbook's table on the real cluster, each begun by its schedule; all is as before afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from activities.drills.models import DrillDetails
from activities.run.models.report import Outcome
from deploy.lab.calendar import open_now
from deploy.lab.estate import changed_estate
from deploy.lab.names import Lab
from deploy.lab.patience import stretched
from deploy.lab.sealing import SECRET, public_half
from deploy.lab.switching import APPROVER, CLUSTER, OPERATOR, REDIS, WORKLOAD, agree, ending, plan_of
from deploy.lab.workload import secret_of
from starters.client.answers import Exit
from starters.client.schedules import handle_of
from starters.commands.drill import judge
from starters.commands.drill_schedule import apply_all, trigger
from starters.commands.evidence import verify
from starters.history.model import Facts
from tests.lab.platform import Platform
from workflows.run.phases import Phase

pytestmark = pytest.mark.lab
_KINDS = {"pod": WORKLOAD, "redis": REDIS, "database": CLUSTER, "node": "workers"}


def _due_now(estate: dict[str, Any]) -> None:
    """Write a calendar whose drills are due now."""
    targets = {**_KINDS, "node": next(iter(estate["node_pools"]))}
    usual = {"owner": OPERATOR, "application": WORKLOAD, "settled_within": "PT5M", "word_within": "PT5M"}
    estate["drills"] = open_now(**{kind: {"kind": kind, "target": target, **usual} for kind, target in targets.items()})


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


async def test_the_drills_of_the_calendar_pass_and_put_all_back(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{platform.lab.ports['temporal']}")
    with changed_estate(platform.lab, platform.binaries, _due_now):
        async with asyncio.timeout(stretched(60)):
            await apply_all()
        try:
            for kind in _KINDS:
                _has_passed(kind, await _held(platform, kind))
            await _are_sealed(platform.lab, tmp_path)
        finally:
            for kind in _KINDS:
                await handle_of(platform.client, kind).delete()


async def _are_sealed(lab: Lab, folder: Path) -> None:
    """See that each has left a record that is signed and chained, by the files alone."""
    keys = folder / "evidence.pub"
    keys.write_text(public_half(secret_of(lab, SECRET, "key")) + "\n", encoding="utf-8")
    answer = await verify(lab.disks / "records" / "evidence", keys, None, None)
    print(answer.data)
    assert (answer.code, answer.data["findings"]) == (Exit.DONE, [])
    assert answer.data["records"] >= len(_KINDS)


def _has_passed(kind: str, facts: Facts) -> None:
    details = facts.known.of(DrillDetails)
    print(f"== {kind}: {facts.reason}")
    print(*(f"{one.name}: {one.seen} ({one.wanted})" for one in details.criteria), sep="\n")
    print(*(f"{one.role}: {one.workflow} {one.outcome} {one.explanation}" for one in details.parts), sep="\n")
    print(f"application: {details.answers}")
    assert facts.outcome is Outcome.COMPLETED, facts.reason
    assert facts.reason.startswith("PASS; dana says PASS"), facts.reason
    assert details.record is not None
    assert (details.record.passed, details.record.compared, details.record.differences) == (True, True, ())
    assert facts.verdict.met, facts.verdict.sentences
