"""Begins a run with the code of an earlier commit, says so in one line, and serves it until this process is killed.

Started in the unpacked tree of that commit, with that tree first on the path: everything but this file is as it was then.
Its names are that tree's, so no type checker that looks at today's can follow it.
"""

# mypy: ignore-errors
from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from temporalio.client import Client
from workflows.payloads import DATA_CONVERTER

import workflows
from tests.fakes.world import World
from tests.watch.bench import watching
from tests.workflows.bench import Bench, serving

_VOTES = {"approvals": {"planned": {"roles": ["DBA"], "window": "PT5M"}}}


def _say(bench: Bench, **more: Any) -> None:
    sys.stdout.write(json.dumps({"cluster": bench.cluster, "queue": bench.queue, **more}) + "\n")
    sys.stdout.flush()


async def _failover(client: Client, folder: Path) -> None:
    async with serving(client, folder, World(), **_VOTES) as bench:
        handle = await bench.switch()
        status = await bench.until_phase(handle, "awaiting approval")
        _say(bench, plan=status.plan.digest)
        await asyncio.Event().wait()


async def _watch(client: Client, folder: Path) -> None:
    async with watching(client, folder, "automatic") as bench:
        await bench.watch()
        _say(bench.bench)
        await asyncio.Event().wait()


async def _main(address: str, folder: Path, what: str) -> None:
    if not Path(workflows.__file__).is_relative_to(Path.cwd()):
        message = f"this is not the old code: {workflows.__file__}"
        raise RuntimeError(message)
    client = await Client.connect(address, data_converter=DATA_CONVERTER)
    await {"failover": _failover, "watch": _watch}[what](client, folder)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
