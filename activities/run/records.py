"""Keeps each run's report and history outside Temporal, where retention does not reach."""

from __future__ import annotations

import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from pydantic import JsonValue
from temporalio import activity
from temporalio.client import WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode

from activities.run.declare import step
from activities.run.inventory import Inventory
from activities.run.models.report import Ran, RecordsKept, RecordsRequest
from activities.run.models.wire import read
from activities.run.postures import READ

_WRITE_WITHIN_SECONDS = 15.0


class RecordsActivities:
    """The last step of every run."""

    def __init__(self, inventory: Inventory) -> None:
        """Write where ``inventory`` says.

        In threads of their own: a directory on a hung mount must not take those of the other steps.
        """
        self._inventory = inventory
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="records")

    @step("records.keep", READ, lambda _: "keep the report")
    async def keep(self, request: RecordsRequest) -> RecordsKept:
        """Write ``report.json`` and ``history.json`` of the run that asks; the same files again when repeated.

        A directory that cannot be written is reported, not raised: a switch does not fail for its paperwork. The
        report is in this step's input and so in the run's history either way.
        """
        estate = self._inventory.latest if request.wanted else None
        records = estate.records if estate else None
        if not records:
            return RecordsKept(note="the estate names no records directory; the report is in the run's history only")
        report, started = request.report, read(Ran, request.report).started_at
        folder = _folder(Path(records.removeprefix("file:")), activity.info(), started)
        try:
            history = await _history(activity.info())
            write = asyncio.get_running_loop().run_in_executor(self._threads, _write, folder, report, history)
            paths = await asyncio.wait_for(write, _WRITE_WITHIN_SECONDS)
        except RPCError as error:
            if error.status is RPCStatusCode.INVALID_ARGUMENT:  # the server refuses its own page: read again
                raise
            return RecordsKept(note=f"records: the history cannot be read: {error.message}")
        except OSError as error:
            return RecordsKept(note=f"records: {folder} cannot be written: {error.strerror or 'it does not answer'}")
        return RecordsKept(paths=paths)


def _folder(records: Path, run: activity.Info, started: datetime) -> Path:
    """Return the folder of ``run``; whoever has started it chose its ID, and gets no further than ``records`` by that."""
    workflow_id, run_id = (run.workflow_id or "").replace("/", "-").lstrip("."), run.workflow_run_id or ""
    return records / (workflow_id or "nameless") / f"{started:%Y-%m-%dT%H%M%SZ}-{run_id[:8]}"


async def _history(run: activity.Info) -> WorkflowHistory:
    handle = activity.client().get_workflow_handle(run.workflow_id or "", run_id=run.workflow_run_id)
    return await handle.fetch_history()


def _write(folder: Path, report: dict[str, JsonValue], history: WorkflowHistory) -> tuple[str, ...]:
    """Write both in a thread: a long history takes a second to become JSON, and other steps go on meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"report.json": json.dumps(report, indent=2, ensure_ascii=False), "history.json": history.to_json()}
    for name, text in texts.items():
        scratch = folder / f".{name}.{os.getpid()}"
        with scratch.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(folder / name)
    return tuple(str(folder / name) for name in texts)
