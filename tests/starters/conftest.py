"""The command in front of a real server, with a worker whose steps act on a cluster in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest_asyncio
from temporalio.client import Client

from tests.fakes.world import World
from tests.postgres.bench import Bench, serving
from tests.starters.command import Command


@dataclass(frozen=True)
class Stage:
    """A served cluster, and the command."""

    bench: Bench
    failover: Command

    @property
    def cluster(self) -> str:
        return self.bench.cluster

    @property
    def world(self) -> World:
        return self.bench.world

    async def digest(self) -> str:
        """Return the digest of the plan that waits."""
        status = (await self.failover("status", self.cluster, "--output", "json")).document["status"]
        return str(status["plan"]["digest"])

    async def waits_for_approval(self) -> None:
        """Start a run by omar that waits for a DBA."""
        ran = await self.failover("start", "postgres-failover", self.cluster, "--by", "omar", "--reason", "a test")
        assert ran.code == 4, ran


def command_for(client: Client, queue: str) -> Command:
    return Command(client.service_client.config.target_host, queue)


@pytest_asyncio.fixture(loop_scope="session")
async def stage(temporal: Client, tmp_path: Path) -> AsyncIterator[Stage]:
    """Let nobody approve."""
    async with serving(temporal, tmp_path, World()) as bench:
        yield Stage(bench, command_for(temporal, bench.queue))


@pytest_asyncio.fixture(loop_scope="session")
async def asking(temporal: Client, tmp_path: Path) -> AsyncIterator[Stage]:
    """Ask a DBA other than the requester to approve."""
    policy = {"planned": {"roles": ["DBA"], "window": "PT1M"}}
    async with serving(temporal, tmp_path, World(), approvals=policy) as bench:
        yield Stage(bench, command_for(temporal, bench.queue))


@pytest_asyncio.fixture(loop_scope="session")
async def unserved(temporal: Client) -> Command:
    """Poll its queue by nobody."""
    return command_for(temporal, "nobody-polls-this")
