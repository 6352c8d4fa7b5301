"""Records histories anew: ``python -m tests.replay.record`` (all) or ``python -m tests.replay.record NAME …``.

The real workflows run on a real server, in front of the fakes. What replay does not look at is left out: what the steps
were told, and stack traces.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from tests.fakes.world import World
from tests.replay.runs import RUNS
from tests.workflows.bench import serving
from workflows.journal import SEARCH_ATTRIBUTES

HISTORIES = Path(__file__).parent / "histories"


async def record(names: list[str]) -> None:
    """Record the runs called ``names``."""
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(Path(sys.executable).parent / "temporal"),
        search_attributes=SEARCH_ATTRIBUTES,
        data_converter=pydantic_data_converter,
        identity="recorder",
    )
    async with environment:
        for name in names:
            await _record_one(environment.client, name)


async def _record_one(client: Client, name: str) -> None:
    golden = RUNS[name]
    with tempfile.TemporaryDirectory(prefix="failover-recording-") as folder:
        async with serving(client, Path(folder), World(), records=None, **golden.estate) as bench:
            handle = await golden.run(bench)
            ending = await bench.ending(handle)
            history = json.loads((await handle.fetch_history()).to_json())
    text = json.dumps({"events": [_without_ballast(event) for event in history["events"]]}, separators=(",", ":"))
    (HISTORIES / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(f"{name}: {ending}, {len(history['events'])} events, {len(text) // 1024} KiB\n")


def _without_ballast(part: Any) -> Any:
    """Return ``part`` of a history without what replay does not look at."""
    if isinstance(part, list):
        return [_without_ballast(one) for one in part]
    if not isinstance(part, dict):
        return part
    kept = {key: _without_ballast(value) for key, value in part.items() if key != "stackTrace"}
    if "activityTaskScheduledEventAttributes" in kept:
        kept["activityTaskScheduledEventAttributes"].pop("input", None)
    return kept


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:] or list(RUNS)))
    sys.stdout.flush()
    os._exit(0)
