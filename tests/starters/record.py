"""Records the histories in ``data/`` anew: ``python -m tests.starters.record``. Runs the real workflows on a real server."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from temporalio.client import Client

from tests.fakes.faults import Fault
from tests.fakes.world import B, World
from tests.postgres.bench import Bench, Handle, serving
from tests.temporal_server import start_server

_ROOT = str(Path(__file__).parents[2])
_DATA = Path(__file__).parent / "data"
_OUTAGE_SECONDS = 0.8
_POLICY = {"planned": {"roles": ["DBA"], "window": "PT5M"}}


async def record() -> None:
    """Record one run of each kind."""
    environment = await start_server(identity="recorder")
    async with environment:
        for kind in (_switched, _rolled_back, _refused, _terminated):
            with tempfile.TemporaryDirectory(prefix="failover-recording-") as folder:
                async with serving(environment.client, Path(folder), World(), approvals=_POLICY) as bench:
                    await kind(environment.client, bench)


async def _switched(_: Client, bench: Bench) -> None:
    """Record an approved switch whose verification is tried again; the file is the one that the run itself keeps."""
    bench.world.faults.order("postgres.verify", Fault.SILENT)
    promote = bench.world.faults.order("postgres.promote", Fault.HANGS)
    handle = await _approved(bench)
    await promote.reached.wait()
    await asyncio.sleep(_OUTAGE_SECONDS)
    promote.released.set()
    summary = await bench.finished(handle)
    kept = next(path for path in summary.records if path.endswith("history.json"))
    _save("switched", await asyncio.to_thread(Path(kept).read_text, encoding="utf-8"), bench)


async def _rolled_back(_: Client, bench: Bench) -> None:
    """Record a switch whose fence is refused."""
    bench.world.faults.order("postgres.fence", Fault.REFUSED)
    await _keep("rolled-back", await _approved(bench), bench)


async def _refused(_: Client, bench: Bench) -> None:
    """Record a switch without a living standby."""
    bench.world.members[B].alive = False
    await _keep("refused", await bench.switch(), bench)


async def _terminated(_: Client, bench: Bench) -> None:
    """Record a switch that somebody terminates while it waits for its fence."""
    fence = bench.world.faults.order("postgres.fence", Fault.HANGS)
    handle = await _approved(bench)
    await fence.reached.wait()
    await handle.terminate("by mistake")
    await _keep("terminated", handle, bench)


async def _approved(bench: Bench) -> Handle:
    handle = await bench.switch()
    status = await bench.until_phase(handle, "awaiting approval")
    assert status.plan is not None
    await asyncio.sleep(2)
    vote = {"by": "dana", "plan": status.plan.digest, "approve": True, "note": "go <ahead> | now"}
    await handle.execute_update("decide", vote)
    return handle


async def _keep(name: str, handle: Handle, bench: Bench) -> None:
    await bench.ending(handle)
    _save(name, (await handle.fetch_history()).to_json(), bench)


def _save(name: str, history: str, bench: Bench) -> None:
    """Write the history as it is, but for this checkout's own path in stack traces."""
    _DATA.mkdir(exist_ok=True)
    (_DATA / f"{name}.json").write_text(history.replace(_ROOT, "/app") + "\n", encoding="utf-8")
    sys.stdout.write(f"{name}: {bench.cluster}\n")


if __name__ == "__main__":
    asyncio.run(record())
    sys.stdout.flush()
    os._exit(0)
