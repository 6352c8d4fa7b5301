"""What tests of the machine's own proof do with a node that is silent and has a pod that keeps data."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from temporalio.service import RPCError

from tests.nodes.bench import NodeBench
from tests.postgres.bench import Handle

LOOKS = {"kind": "http", "address": "http://power.example"}
ENDS = {**LOOKS, "may_end": True}
ALL = ["api-a-1", "api-b-1", "redis-0"]
ending = pytest.mark.parametrize("dark", [ENDS], ids=["ends"], indirect=True)


async def waits(bench: NodeBench, **more: Any) -> Handle:
    handle = await bench.start(mode="forced", **more)
    await bench.until_phase(handle, "awaiting proof")
    return handle


async def attest(bench: NodeBench, handle: Handle) -> None:
    await handle.execute_update("attest", {"by": "dana", "member": bench.node})


async def explained(bench: NodeBench, handle: Handle, words: str) -> None:
    async with asyncio.timeout(20):
        while words not in (await bench.status(handle)).explanation:
            await asyncio.sleep(0.05)


async def until_asked(bench: NodeBench, handle: Handle, times: int) -> None:
    """Wait until the control plane has been asked ``times`` more, and see that the run waits on."""
    before = bench.machines.asked
    async with asyncio.timeout(20):
        while bench.machines.asked < before + times:
            await asyncio.sleep(0.05)
    assert (await bench.status(handle)).phase == "awaiting proof"


async def exists(handle: Handle) -> None:
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(RPCError):
                await handle.describe()
                return
            await asyncio.sleep(0.05)
