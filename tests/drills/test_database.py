"""The database drill on a cluster in memory: what it does, and what becomes of all when it is broken on purpose."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
import yaml
from temporalio.client import Client

from activities.drills.models import DrillDetails
from starters.history.reports import read_report
from tests.drills.today import open_now
from tests.fakes.world import World
from tests.postgres.bench import Bench, Handle, serving


class DrillBench:
    """A cluster with a drill called ``half-year``."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.world = bench, bench.world

    def calendar(self, **entry: Any) -> None:
        """Write the calendar anew."""
        content = yaml.safe_load(self.bench.estate.read_text(encoding="utf-8"))
        drill = {"kind": "database", "target": self.bench.cluster, "settled_within": "PT10S", **entry}
        content["drills"] = open_now(**{"half-year": drill})
        self.bench.estate.write_text(yaml.safe_dump(content), encoding="utf-8")

    async def start(self, run: str = "real", **more: Any) -> Handle:
        request = {"drill": "half-year", "run": run, "by": "omar", "reason": "a test", **more}
        id_ = "plan/drill/half-year" if run == "plan" else "drill/half-year"
        return await self.bench.start(request, workflow="failover-drill", id=id_)

    async def details(self) -> DrillDetails:
        """Return what the newest drill has kept."""
        paths = sorted(self.bench.estate.parent.rglob("drill-half-year/*/report.json"), key=lambda one: one.stat().st_mtime)
        report = read_report(yaml.safe_load(paths[-1].read_text(encoding="utf-8")))
        assert isinstance(report.details, DrillDetails)
        return report.details


@pytest_asyncio.fixture(loop_scope="session")
async def drilled(temporal: Client, tmp_path: Path) -> AsyncIterator[DrillBench]:
    """Ask nobody to approve."""
    async with serving(temporal, tmp_path, World()) as bench:
        one = DrillBench(bench)
        one.calendar()
        yield one


async def test_it_goes_there_and_back_and_a_person_judges(drilled: DrillBench) -> None:
    leader = drilled.world.record.leader
    handle = await drilled.start()
    await drilled.bench.until_phase(handle, "awaiting a judgement")
    assert drilled.world.record.leader == leader
    await handle.execute_update("judge", {"by": "dana", "passed": True, "notes": "nobody noticed"})
    ended = await drilled.bench.finished(handle)
    assert ended.explanation == "PASS; dana says PASS; all is as before"
    details = await drilled.details()
    assert details.record is not None
    assert [(one.role, one.workflow, one.outcome) for one in details.parts] == [
        ("there", "postgres-failover", "completed"), ("back", "postgres-failover", "completed"),
    ]  # fmt: skip
    assert all(one.met for one in details.criteria), details.criteria
    assert len(details.criteria) == 7
