"""What benches of one target have in common: a worker for it, its runs, and how they ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError, CancelledError

from activities.run.declare import steps_of
from activities.run.inventory import Inventory
from activities.run.models.report import RunReport
from activities.run.models.wire import read
from deploy.lab.patience import stretched
from starters.history.reports import read_report
from tests.fakes.faults import Faults
from tests.postgres.bench import Handle, end_all
from tests.postgres.worker import worker_of
from workflows.run.models import Status


class Served:
    """A target that a worker of its own serves."""

    told = "explanation"
    """Which part of a good end ``ending`` returns."""
    estate: Path
    """Its file."""
    folder: Path
    """Where the estate lies, and below it its records."""

    def __init__(self, client: Client, queue: str, faults: Faults) -> None:
        self.client, self.queue, self.faults = client, queue, faults
        self.started: list[Handle] = []

    @cached_property
    def inventory(self) -> Inventory:
        """What the worker knows of targets."""
        return Inventory(self.estate)

    def serve(self, owners: Iterable[object], steps: Iterable[Any] = (), others: tuple[type, ...] = ()) -> None:
        """Let a worker do ``steps`` and those of ``owners``, and serve the workflows ``others`` too, until ``close``."""
        everything = [*steps, *(step for owner in owners for step in steps_of(owner))]
        self._worker = worker_of(self.client, self.queue, everything, self.inventory, self.faults, others=others)
        self._working = asyncio.create_task(self._worker.run())

    async def close(self) -> None:
        """Let go of what a test still holds, end what is open, and stop the worker."""
        self.faults.release()
        await end_all(self.started)
        async with asyncio.timeout(stretched(60)):
            await self._worker.shutdown()
            await self._working

    async def ending(self, handle: Handle) -> tuple[str, str]:
        """Wait for the end; return (``completed``, ``cancelled`` or the refusal's type, its sentence)."""
        try:
            result = await handle.result()
        except WorkflowFailureError as failure:
            cause = failure.cause
            if isinstance(cause, CancelledError):
                return "cancelled", ""
            assert isinstance(cause, ApplicationError), cause
            assert "\n" not in cause.message
            return str(cause.type), cause.message
        return "completed", str(result.get(self.told, ""))

    async def status(self, handle: Handle) -> Status:
        return read(Status, await handle.query("status"))

    async def until_phase(self, handle: Handle, phase: str) -> Status:
        async with asyncio.timeout(stretched(20)):
            while (status := await self.status(handle)).phase != phase:
                await asyncio.sleep(0.1)  # a question costs the server as much as a step
            return status

    def report(self) -> RunReport:
        """Return the newest kept report."""
        paths = sorted((self.folder / "records").rglob("report.json"), key=lambda path: path.stat().st_mtime)
        return read_report(json.loads(paths[-1].read_text(encoding="utf-8")))
