"""Keeps each run's report and history outside Temporal, where retention does not reach."""

from __future__ import annotations

import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import JsonValue
from temporalio import activity
from temporalio.service import RPCError

from activities.run.declare import step
from activities.run.models.report import Ran, RecordsKept, RecordsRequest
from activities.run.models.wire import read
from activities.run.postures import READ

_WRITE_WITHIN_SECONDS = 15.0


class RecordsActivities:
    """The last step of every run."""

    def __init__(self) -> None:
        """Write in threads of its own: a directory on a hung mount must not take those of the other steps."""
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="records")

    @step("records.keep", READ, lambda _: "keep the report")
    async def keep(self, request: RecordsRequest) -> RecordsKept:
        """Write ``report.json`` and ``history.json`` under ``records``; the same files again when repeated.

        A directory that cannot be written is reported, not raised: a switch does not fail for its paperwork. The
        report is in this step's input and so in the run's history either way.
        """
        if not request.records:
            return RecordsKept(note="the estate names no records directory; the report is in the run's history only")
        report, ran = request.report, read(Ran, request.report)
        folder = Path(request.records.removeprefix("file:")) / ran.workflow_id.replace("/", "-")
        folder /= f"{ran.started_at:%Y-%m-%dT%H%M%SZ}-{ran.run_id[:8]}"
        try:
            history = await _history(ran)
            write = asyncio.get_running_loop().run_in_executor(self._threads, _write, folder, report, history)
            paths = await asyncio.wait_for(write, _WRITE_WITHIN_SECONDS)
        except RPCError as error:
            return RecordsKept(note=f"records: the history cannot be read: {error.message}")
        except OSError as error:
            return RecordsKept(note=f"records: {folder} cannot be written: {error.strerror or 'it does not answer'}")
        return RecordsKept(paths=paths)


async def _history(ran: Ran) -> str:
    handle = activity.client().get_workflow_handle(ran.workflow_id, run_id=ran.run_id)
    return (await handle.fetch_history()).to_json()


def _write(folder: Path, report: dict[str, JsonValue], history: str) -> tuple[str, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"report.json": json.dumps(report, indent=2, ensure_ascii=False), "history.json": history}
    for name, text in texts.items():
        scratch = folder / f".{name}.{os.getpid()}"
        with scratch.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(folder / name)
    return tuple(str(folder / name) for name in texts)
