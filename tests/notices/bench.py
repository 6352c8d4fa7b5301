"""A cluster in memory whose runs are told of to receivers on loopback, by the real library."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import yaml
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from activities.run.models.wire import read
from deploy.lab.patience import stretched
from tests.notices.receiver import Receiver
from tests.postgres.bench import Bench, Handle
from workflows.notices.models import NoticesStatus

UI = "http://temporal.example:8080"
QUICK = {"look_every": "PT0.1S", "ui": UI}


def list_targets(bench: Bench, targets: dict[str, Any], **settings: Any) -> None:
    """Let the estate list who is told: a receiver, or a receiver with the events that it hears, or an entry."""
    content = yaml.safe_load(bench.estate.read_text(encoding="utf-8"))
    entries = {}
    for name, one in targets.items():
        receiver, more = one if isinstance(one, tuple) else (one, {})
        file = bench.estate.parent / f"{name}.url"
        file.write_text(receiver.url if isinstance(receiver, Receiver) else receiver, encoding="utf-8")
        entries[name] = {"url": f"file:{file}", **more}
    content["notifications"] = {**QUICK, **settings, "targets": entries}
    beside = bench.estate.with_suffix(".new")
    beside.write_text(yaml.safe_dump(content), encoding="utf-8")
    beside.rename(bench.estate)


@asynccontextmanager
async def telling(bench: Bench) -> AsyncIterator[Handle]:
    """Run the workflow until the block ends; it has looked once when the block begins."""
    handle = await start(bench)
    try:
        await until_looking(handle)
        yield handle
    finally:
        await end(handle)


async def start(bench: Bench) -> Handle:
    """Start the workflow, instead of one that another test has left."""
    handle: Handle = await bench.client.start_workflow(
        "notices", {}, id="notices", task_queue=bench.queue, id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING
    )
    return handle


async def end(handle: Handle) -> None:
    with contextlib.suppress(RPCError):
        await handle.terminate("the test is over")


async def until_looking(handle: Handle) -> None:
    """Wait until the first look is over."""
    async with asyncio.timeout(stretched(20)):
        while not (await status(handle)).targets:
            await asyncio.sleep(0.02)


async def status(handle: Handle) -> NoticesStatus:
    return read(NoticesStatus, await handle.query("notices_status"))


async def until_anew(notices: Handle) -> None:
    """Wait until the history that ``notices`` was started with is followed by another one."""
    first = notices.first_execution_run_id
    async with asyncio.timeout(stretched(20)):
        while (await notices.describe()).run_id == first:
            await asyncio.sleep(0.05)
