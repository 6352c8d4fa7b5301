"""A cluster in memory with a drill of its own name, and a worker that serves both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import yaml
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.drills.models import DrillDetails
from activities.run.models.report import Outcome, RunReport
from deploy.lab.calendar import open_now, zone_far_from_midnight
from starters.history.reports import read_report
from tests.fakes.world import World
from tests.postgres.bench import Bench, Handle, serving

ALL_AS_BEFORE = 7
"""Criteria of a database drill."""


class DrillBench:
    """A cluster, and a drill of it in the calendar."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.world, self.name = bench, bench.world, f"half-year-{uuid4().hex[:8]}"
        self.leader = bench.world.record.leader

    def calendar(self, name: str = "", *, maintenance: list[dict[str, str]] | None = None, **entry: Any) -> None:
        """Write the calendar anew, with an open window."""
        content = yaml.safe_load(self.bench.estate.read_text(encoding="utf-8"))
        drill = {"kind": "database", "target": self.bench.cluster, "settled_within": "PT15S", **entry}
        content["drills"] = {**open_now(**{name or self.name: drill}), "maintenance": maintenance or []}
        self.bench.estate.write_text(yaml.safe_dump(content), encoding="utf-8")

    def node_pool(self, name: str) -> None:
        """Add a pool of nodes to the estate."""
        content = yaml.safe_load(self.bench.estate.read_text(encoding="utf-8"))
        content["node_pools"] = {name: {"region": "eastus"}}
        self.bench.estate.write_text(yaml.safe_dump(content), encoding="utf-8")

    @staticmethod
    def local_now() -> datetime:
        """Return now in the calendar's time zone."""
        return datetime.now(UTC).astimezone(ZoneInfo(zone_far_from_midnight()))

    @property
    def lock(self) -> str:
        """Workflow ID of the drill."""
        return f"drill/{self.name}"

    async def start(self, run: str = "real", **more: Any) -> Handle:
        request = {"drill": self.name, "run": run, "by": "omar", "reason": "a test", **more}
        own = f"plan/{self.lock}" if run == "plan" else self.lock
        return await self.bench.start(request, workflow="failover-drill", id=own)

    async def begun(self) -> Handle:
        """Wait for a drill that a schedule begins."""
        handle: Handle = self.bench.client.get_workflow_handle(self.lock)
        await self.bench.until(lambda: self._exists(handle))
        self.bench.started.append(handle)
        return handle

    @staticmethod
    async def _exists(handle: Handle) -> bool:
        try:
            await handle.describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return True

    async def is_listed(self, phase: str) -> bool:
        """Whether Temporal lists the drill in ``phase``."""
        found = self.bench.client.list_workflows(f"WorkflowId = '{self.lock}' AND FailoverPhase = '{phase}'")
        return [one.id async for one in found] == [self.lock]

    async def judged(self, handle: Handle, *, passed: bool = True) -> str:
        """Judge the drill once it is over; return how it ended."""
        await self.bench.until_phase(handle, "awaiting a judgement", 60)
        await handle.execute_update("judge", {"by": "dana", "passed": passed, "notes": "seen"})
        return (await self.bench.finished(handle)).explanation

    def outcome(self) -> Outcome:
        """Return how the newest drill has ended."""
        return self._report().outcome

    def details(self) -> DrillDetails:
        """Return what the newest drill has kept."""
        details = self._report().details
        assert isinstance(details, DrillDetails)
        return details

    def _report(self) -> RunReport:
        paths = sorted(
            self.bench.estate.parent.rglob(f"drill-{self.name}/*/report.json"), key=lambda one: one.stat().st_mtime
        )
        return read_report(yaml.safe_load(paths[-1].read_text(encoding="utf-8")))

    async def is_as_before(self) -> None:
        """Fail unless who led leads, and nothing is unfinished."""
        await self.bench.until_consistent()
        assert self.world.record.leader == self.leader


@asynccontextmanager
async def drilling(client: Client, folder: Path, **estate: Any) -> AsyncIterator[DrillBench]:
    """Serve a cluster with a drill until the block ends."""
    async with serving(client, folder, World(), **estate) as bench:
        one = DrillBench(bench)
        one.calendar()
        yield one
