"""The command on a run that a checklist holds: what it shows, how an item is said, and what the report keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from temporalio.client import Client

from tests.fakes.world import World
from tests.postgres.bench import serving
from tests.replay.checked_runs import LISTS
from tests.starters.conftest import Stage, command_for


@pytest_asyncio.fixture(loop_scope="session")
async def held(temporal: Client, tmp_path: Path) -> AsyncIterator[Stage]:
    async with serving(temporal, tmp_path, World(), checklists=LISTS) as bench:
        yield Stage(bench, command_for(temporal, bench.queue))


async def test_items_are_shown_said_and_reported(held: Stage) -> None:
    handle = await held.bench.switch()
    await held.bench.until_phase(handle, "awaiting the checklist")
    status = await held.failover("status", held.cluster)
    assert status.code == 4, status
    assert "Waits for its checklist; nothing has been changed yet" in status.out
    assert "waits for rollback: Rollback prepared: open" in status.out
    assert f"failover attest {held.cluster} --item rollback --by NAME" in status.out
    neither = await held.failover("attest", held.cluster, "--by", "dana")
    assert (neither.code, "give one of both" in neither.err) == (2, True)
    said = await held.failover("attest", held.cluster, "--item", "rollback", "--by", "dana", "--note", "page 7")
    assert said.code == 0, said
    assert "dana says that rollback is done; nothing of the checklist is open" in said.out
    await held.bench.until_phase(handle, "awaiting the checklist after")
    assert "a cancel ends the wait; what is done stays:" in (await held.failover("status", held.cluster)).out
    await handle.execute_update("tick", {"by": "dana", "item": "post-mortem"})
    await held.bench.finished(handle)
    for form in ("text", "markdown", "html"):
        report = await held.failover("report", held.cluster, "--format", form)
        assert report.code == 0, report
        assert "Checklists" in report.out
        assert "before: backup: Newest backup" in report.out
        assert "before: rollback: Rollback prepared: done by dana (unverified): page 7" in " ".join(report.out.split())
