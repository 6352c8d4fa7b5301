"""``failover worker`` as an operator meets it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from temporalio.client import Client

from tests.postgres.bench import write_estate
from tests.starters.conftest import command_for


async def _starts(client: Client, estate: Path) -> str:
    """Start a worker, end it once it serves, and return its log."""
    process = await command_for(client, f"worker-{estate.stem}").begin("worker", FAILOVER_ESTATE=str(estate))
    assert process.stderr is not None
    log = ""
    async with asyncio.timeout(60):
        while " serves " not in log:
            line = await process.stderr.readline()
            assert line, log
            log += line.decode()
        process.terminate()
        assert await process.wait() == 0
    return log


async def test_an_estate_that_is_not_there_is_said_loudly_and_runs_under_way_are_served(temporal: Client) -> None:
    log = await _starts(temporal, Path("/nowhere/estate.yaml"))
    assert "CRITICAL failover.worker estate /nowhere/estate.yaml: cannot be read" in log
    assert "every run that begins is refused" in log


async def test_a_good_estate_is_not_worth_a_word(temporal: Client, tmp_path: Path) -> None:
    write_estate(tmp_path / "good.yaml", "orders")
    assert "estate" not in await _starts(temporal, tmp_path / "good.yaml")
