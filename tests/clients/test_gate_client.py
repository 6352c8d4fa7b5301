"""What answers for a gate and is none, or is one of an earlier version: silence of a kind of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from activities.clients.gate import GateClient
from activities.clients.kubernetes.addresses import Addresses
from activities.clients.ports import UnknownCommandError, UnreachableError
from estate.postgres import GateAccess, PostgresTarget
from gate.api import PromoteCommand
from tests.ports import free_port
from tests.postgres.samples import SYSTEM, A, target


class _Loopback(Addresses):
    def __init__(self) -> None:
        """Ask nobody."""

    async def of_member(self, target: PostgresTarget, member: str) -> str:  # noqa: ARG002
        return "127.0.0.1"


@pytest_asyncio.fixture
async def stranger(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PostgresTarget]:
    """Serve HTTP that knows nothing of gates where the gate of a cluster should be."""
    monkeypatch.setenv("TOKEN", "token")
    port = free_port("127.0.0.1")
    runner = web.AppRunner(web.Application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield target(gate=GateAccess(token="env:TOKEN", port=port))
    await runner.cleanup()


async def test_what_knows_no_command_of_a_gate_is_silent_to_all_who_ask(stranger: PostgresTarget) -> None:
    gates = GateClient(_Loopback())
    try:
        with pytest.raises(UnreachableError, match="does not know status"):
            await gates.status(stranger, A)
        with pytest.raises(UnknownCommandError, match="does not know prepare"):
            await gates.prepare(stranger, A, PromoteCommand(epoch=6, run="test/1", system_identifier=SYSTEM))
    finally:
        await gates.close()
