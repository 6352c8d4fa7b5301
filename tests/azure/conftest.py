"""An emulator without PostgreSQL for every test, and one with it for those that ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest_asyncio

from deploy.lab.azure.flexible import FlexibleServers
from deploy.lab.azure.server import Emulator
from tests.azure.imagined import ImaginedDatabases, ImaginedNames
from tests.azure.pair import EMULATOR_HOST, SUBSCRIPTION, TOKEN, AzurePair, azure_pair, flexible_pair, new_folder
from tests.azure.traffic import Traffic, traffic


@dataclass(frozen=True)
class Imagined:
    emulator: Emulator
    flexible: FlexibleServers
    databases: ImaginedDatabases
    names: ImaginedNames

    def count(self, method: str, ending: str = "") -> int:
        """Return how many calls are in the log."""
        return sum(one.method == method and one.path.endswith(ending) for one in self.emulator.log)


@pytest_asyncio.fixture(loop_scope="session")
async def imagined() -> AsyncIterator[Imagined]:
    databases, names = ImaginedDatabases(), ImaginedNames()
    emulator, flexible = Emulator(SUBSCRIPTION, TOKEN, pace=0.0003), flexible_pair(databases, names)
    emulator.serve(flexible)
    await emulator.start(EMULATOR_HOST)
    try:
        yield Imagined(emulator, flexible, databases, names)
    finally:
        await emulator.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def pair(_real_servers: None) -> AsyncIterator[AzurePair]:
    with new_folder() as folder:
        async with azure_pair(folder) as running:
            yield running


@pytest_asyncio.fixture(loop_scope="session")
async def world() -> AsyncIterator[Traffic]:
    async with traffic() as running:
        yield running
