"""A real Temporal server of one's own, for tests and recordings."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, Process
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from deploy.lab.patience import stretched
from workflows.run.payloads import DATA_CONVERTER
from workflows.run.state import SEARCH_ATTRIBUTES

_ATTEMPTS = 6
_TEMPORAL = str(Path(sys.executable).parent / "temporal")


async def start_server(**options: Any) -> WorkflowEnvironment:
    """Start it. The SDK gives it 5 seconds, and a busy machine takes longer now and then: so it is tried some times."""
    for left in reversed(range(_ATTEMPTS)):
        try:
            return await WorkflowEnvironment.start_local(
                dev_server_existing_path=_TEMPORAL,
                search_attributes=SEARCH_ATTRIBUTES,
                data_converter=DATA_CONVERTER,
                **options,
            )
        except RuntimeError as error:
            if not left or "did not start within" not in str(error):
                raise
    raise AssertionError


async def server_on(port: int, database: Path) -> Process:
    """Start one that keeps its runs in ``database``, so that it may be killed and started again; return once it answers."""
    labels = [part for key in SEARCH_ATTRIBUTES for part in ("--search-attribute", f"{key.name}=Keyword")]
    process = await asyncio.create_subprocess_exec(
        _TEMPORAL, "server", "start-dev", "--headless", "--port", str(port), "--db-filename", str(database), *labels,
        stdout=DEVNULL, stderr=DEVNULL,
    )  # fmt: skip
    async with asyncio.timeout(stretched(30)):
        while not await _answers(port):
            await asyncio.sleep(0.1)
    return process


async def _answers(port: int) -> bool:
    try:
        client = await Client.connect(f"127.0.0.1:{port}")
        return await client.service_client.check_health()
    except RuntimeError:
        return False
