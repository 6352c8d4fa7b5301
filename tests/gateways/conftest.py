"""One gateway for all tests of a module; each test begins with it as declared."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from temporalio.client import Client

from tests.gateways.bench import GatewayBench, serving
from tests.gateways.world import GatewayWorld, gateway_world


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared_gateway() -> AsyncIterator[GatewayWorld]:
    async with gateway_world() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(shared_gateway: GatewayWorld) -> AsyncIterator[GatewayWorld]:
    shared_gateway.lay_out()
    await shared_gateway.until_up()
    shared_gateway.emulator.log.clear()
    yield shared_gateway
    shared_gateway.emulator.faults.clear()


@pytest_asyncio.fixture(loop_scope="session")
async def bench(temporal: Client, gateway: GatewayWorld, tmp_path: Path) -> AsyncIterator[GatewayBench]:
    async with serving(temporal, gateway, tmp_path) as one:
        yield one
