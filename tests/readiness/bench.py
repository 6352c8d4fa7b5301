"""Readiness in front of the fakes: a run of it, what it says, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from activities.run.models.wire import read
from deploy.lab.patience import stretched
from tests.postgres.bench import Handle
from workflows.readiness.models import READINESS_ID, READINESS_MEMO, UNHURRIED, Check, ReadinessStatus


class Passes:
    """One run of ``failover-readiness``."""

    def __init__(self, client: Client) -> None:
        self.client = client

    @property
    def handle(self) -> Handle:
        """Whichever history is the newest."""
        return self.client.get_workflow_handle(READINESS_ID)

    async def start(self, queue: str) -> WorkflowHandle[object, object]:
        """Start it, or ask the one that runs for a pass."""
        return await self.client.start_workflow(
            "failover-readiness", {}, id=READINESS_ID, task_queue=queue, start_signal="look_now", task_timeout=UNHURRIED
        )

    async def said(self) -> ReadinessStatus:
        return read(ReadinessStatus, await self.handle.query("readiness"))

    async def memo(self) -> ReadinessStatus:
        """Return what is said where no worker is."""
        said: Any = await (await self.handle.describe()).memo_value(READINESS_MEMO, None)
        return read(ReadinessStatus, said) if said else ReadinessStatus()

    async def first(self, within: float) -> ReadinessStatus:
        """Wait for the end of the first pass without disturbing it: a query is work for its worker."""
        async with asyncio.timeout(stretched(within)):
            while (await self.memo()).passes == 0:
                await asyncio.sleep(0.2)
        return await self.said()

    async def until(self, holds: Callable[[ReadinessStatus], bool], within: float = 20) -> ReadinessStatus:
        """Wait until what it says fits."""
        said = ReadinessStatus()
        try:
            async with asyncio.timeout(stretched(within)):
                while not holds(said := await self.said()):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            message = f"it says {said.model_dump_json(indent=1)[:3000]}"
            raise AssertionError(message) from None
        return said

    async def another(self) -> ReadinessStatus:
        """Have one more pass made."""
        before = (await self.said()).passes
        await self.handle.signal("look_now")
        return await self.until(lambda said: said.passes > before)


@asynccontextmanager
async def checking(client: Client, queue: str) -> AsyncIterator[Passes]:
    """Have readiness checked until the block ends."""
    passes = Passes(client)
    await passes.start(queue)
    try:
        yield passes
    finally:
        with suppress(RPCError):  # it has ended by itself
            await passes.handle.terminate("the test is over")


def of(status: ReadinessStatus, procedure: str, variant: str = "") -> Check:
    """Return the one check of a procedure."""
    (found,) = [one for one in status.checks if (one.procedure, one.variant) == (procedure, variant)]
    return found
