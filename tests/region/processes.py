"""Temporal's server and the product's workers as processes of their own, to be killed: ``kill -9`` and start again."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from deploy.lab.temporal import TUNING
from tests.ports import free_port
from tests.region.bench import RegionBench
from workflows.run.payloads import DATA_CONVERTER
from workflows.run.state import SEARCH_ATTRIBUTES

_HOST = "127.0.0.1"
_BIN = Path(sys.executable).parent


class Processes:
    """One server with its database in a file, and one worker at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.http = folder, free_port(_HOST), free_port(_HOST)
        self._server: subprocess.Popen[bytes] | None = None
        self._worker: subprocess.Popen[bytes] | None = None
        self.worker_environment: dict[str, str] = {}

    @property
    def address(self) -> str:
        return f"{_HOST}:{self.port}"

    async def start_server(self) -> None:
        """Start it, on what it knew before; return when it answers."""
        tuned = [part for setting in TUNING for part in ("--dynamic-config-value", setting)]
        named = [part for one in SEARCH_ATTRIBUTES for part in ("--search-attribute", f"{one.name}=Keyword")]
        self._server = self._start(
            "temporal", [
                "server", "start-dev", "--headless", "--ip", _HOST, "--port", str(self.port), "--http-port", str(self.http),
                "--db-filename", str(self.folder / "temporal.db"), "--log-level", "error", *tuned, *named,
            ], {"HOME": str(self.folder)},
        )  # fmt: skip
        await self.client()

    def kill_server(self) -> None:
        """End it as a lost machine ends it."""
        _kill(self._server)

    def start_worker(self) -> None:
        self._worker = self._start("failover", ["worker"], self.worker_environment)

    def kill_worker(self) -> None:
        """End it as a lost machine ends it."""
        _kill(self._worker)

    async def client(self) -> Client:
        """Return a connected client; wait for the server."""
        async with asyncio.timeout(60):
            while True:
                try:
                    client = await Client.connect(self.address, data_converter=DATA_CONVERTER)
                    await client.get_workflow_handle("nobody").describe()
                except RPCError as error:
                    if error.status is RPCStatusCode.NOT_FOUND:  # all parts of the server have answered
                        return client
                except RuntimeError:
                    pass
                await asyncio.sleep(0.1)

    def serve(self, bench: RegionBench) -> None:
        """Let workers know the bench's estate and its Azure, and start one."""
        self.worker_environment = {
            "TEMPORAL_ADDRESS": self.address,
            "FAILOVER_ESTATE": str(bench.estate),
            "FAILOVER_TASK_QUEUE": bench.queue,
            "FAILOVER_AZURE_ENDPOINT": bench.azure.emulator.url,
            "FAILOVER_AZURE_TOKEN": f"file:{bench.folder / 'bearer'}",
            "FAILOVER_AZURE_POLL": "0.1",
        }
        self.start_worker()

    def _start(self, program: str, words: list[str], more: dict[str, str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{program}.log").open("ab") as log:
            return subprocess.Popen([str(_BIN / program), *words], env={**os.environ, **more}, stdout=log, stderr=log)


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None:
        process.kill()
        process.wait()


@asynccontextmanager
async def processes(folder: Path) -> AsyncIterator[Processes]:
    """Run a server until the block ends; whatever runs then is ended."""
    own = Processes(folder)
    try:
        await own.start_server()
        yield own
    finally:
        own.kill_worker()
        own.kill_server()
