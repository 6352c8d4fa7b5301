"""What the demonstration of the region starts beside the servers: Temporal, two workers, and their estate."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Self

import yaml
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from deploy.lab.azure.pair import (
    APPLICATION,
    ENDPOINT,
    OPERATOR_PASSWORD,
    PRIMARY,
    PRIMARY_GROUP,
    REPLICA,
    REPLICA_GROUP,
    SUBSCRIPTION,
    TOKEN,
    AzurePair,
)
from deploy.lab.ports import free_port
from deploy.lab.temporal import temporal_program
from workers.embedded import TUNING
from workflows.run.payloads import DATA_CONVERTER
from workflows.run.state import SEARCH_ATTRIBUTES

DATABASE = "aiagent-db"
_HOST = "127.0.0.1"
WORKERS = 2
_ANSWERS_WITHIN_SECONDS = 60


class Temporal:
    """``async with Temporal(folder) as server``: a server with its page; ``client`` is connected to it."""

    def __init__(self, folder: Path) -> None:
        """Keep log and database in ``folder``."""
        self._folder = folder
        port, http, page = (free_port(_HOST) for _ in range(3))
        self.address, self.page = f"{_HOST}:{port}", f"{_HOST}:{page}"
        tuned = [part for setting in TUNING for part in ("--dynamic-config-value", setting)]
        named = [part for one in SEARCH_ATTRIBUTES for part in ("--search-attribute", f"{one.name}=Keyword")]
        self._command = [
            temporal_program(), "server", "start-dev", "--ip", _HOST, "--port", str(port), "--http-port", str(http),
            "--ui-port", str(page), "--db-filename", str(folder / "temporal.db"), "--ui-disable-news-fetch",
            "--log-level", "error", *tuned, *named,
        ]  # fmt: skip
        self.client: Client
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it, on what it knew before; wait until all of its parts answer."""
        with (self._folder / "temporal.log").open("ab") as log:
            self._process = started(self._command, {"HOME": str(self._folder)}, log)
        async with asyncio.timeout(_ANSWERS_WITHIN_SECONDS):
            while not await self._answers():  # noqa: ASYNC110 - a process of its own
                await asyncio.sleep(0.1)

    @property
    def is_alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it as a lost machine ends it."""
        if self._process is not None:
            end(self._process)

    async def __aenter__(self) -> Self:
        """Start it."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End it."""
        self.kill()

    async def _answers(self) -> bool:
        try:
            self.client = await Client.connect(self.address, data_converter=DATA_CONVERTER)
            await self.client.get_workflow_handle("nobody").describe()
        except RPCError as error:
            return error.status is RPCStatusCode.NOT_FOUND
        except RuntimeError:
            return False
        return True


class Workers:
    """``async with Workers(…)``: two processes, as they are in production; one of them is enough."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        """Write their logs to ``folder``; ``environment``: what they are told."""
        self._folder, self._environment = folder, environment
        self._processes: list[subprocess.Popen[bytes]] = []

    def start_one(self) -> None:
        """Start one more."""
        with (self._folder / "workers.log").open("ab") as log:
            self._processes.append(started([sys.executable, "-m", "workers"], self._environment, log))

    @property
    def alive(self) -> int:
        """How many run."""
        return sum(one.poll() is None for one in self._processes)

    def restore(self) -> None:
        """Start as many as there should be, in the place of those that have ended."""
        self._processes = [one for one in self._processes if one.poll() is None]
        while len(self._processes) < WORKERS:
            self.start_one()

    def kill_one(self) -> None:
        """End the one that was started first as a lost machine ends it."""
        end(self._processes.pop(0))

    async def __aenter__(self) -> Self:
        """Start them."""
        self.restore()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End them."""
        self.kill_all()

    def kill_all(self) -> None:
        """End all that are left."""
        while self._processes:
            self.kill_one()


def worker_environment(folder: Path, estate: Path, azure: AzurePair, temporal: str) -> dict[str, str]:
    """Return what a worker is told to serve ``estate``, with ``azure`` in the place of Azure."""
    return {
        "TEMPORAL_ADDRESS": temporal,
        "FAILOVER_ESTATE": str(estate),
        "FAILOVER_AZURE_ENDPOINT": azure.emulator.url,
        "FAILOVER_AZURE_TOKEN": f"file:{folder / 'bearer'}",
        "FAILOVER_AZURE_POLL": "0.1",
    }


def write_estate(folder: Path, azure: AzurePair) -> Path:
    """Write the estate and its secrets; return its path."""
    for name, secret in (("password", OPERATOR_PASSWORD), ("bearer", TOKEN)):
        (folder / name).write_text(secret, encoding="utf-8")
    database = {
        "region": "eastus", "subscription": SUBSCRIPTION, "virtual_endpoint": ENDPOINT, "database": APPLICATION.database,
        "servers": {
            PRIMARY: {"resource_group": PRIMARY_GROUP, "region": "eastus"},
            REPLICA: {"resource_group": REPLICA_GROUP, "region": "westus2"},
        },
        "login": {
            "password": f"file:{folder / 'password'}", "port": azure.servers.address(PRIMARY).port, "sslmode": "disable",
        },
        "nameserver": azure.name_host, "nameserver_port": azure.names.port,
        "approvals": {"forced": {"roles": ["Manager", "DBA", "CTO"], "window": "PT1H"}},
    }  # fmt: skip
    content = {
        "regions": {
            "eastus": {"location": "East US", "namespace": "aiagent-prod"},
            "westus2": {"location": "West US 2", "namespace": "aiagent-prod"},
        },
        "flexible_servers": {DATABASE: database},
        "people": {"mona": ["Manager"], "dana": ["DBA"], "carl": ["CTO"], "omar": ["DBA"]},
        "records": str(folder / "records"),
    }
    (folder / "records").mkdir()
    path = folder / "estate.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def started(command: list[str], more: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a program with this process's environment and ``more``; it ends with this process."""
    return subprocess.Popen(["setpriv", "--pdeathsig=KILL", *command], env={**os.environ, **more}, stdout=log, stderr=log)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a program, and wait until it is gone."""
    process.kill()
    process.wait()
