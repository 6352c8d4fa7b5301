"""``failover worker`` as an operator meets it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from tests.postgres.bench import write_estate
from tests.starters.conftest import command_for
from workers import main


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


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


async def test_a_worker_that_serves_shows_it_by_a_file_that_ends_with_it(temporal: Client, tmp_path: Path) -> None:
    write_estate(tmp_path / "good.yaml", "orders")
    ready, before = tmp_path / "ready", (tmp_path / "good.yaml").stat().st_mtime
    more = {"FAILOVER_ESTATE": str(tmp_path / "good.yaml"), "FAILOVER_READY": str(ready)}
    process = await command_for(temporal, "worker-ready").begin("worker", **more)
    await _until(ready.exists)
    assert ready.stat().st_mtime >= before
    process.terminate()
    assert await process.wait() == 0
    assert not ready.exists()


async def test_the_file_is_there_while_temporal_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "_READY_SECONDS", 0.01)
    ready, silent = tmp_path / "ready", False

    async def answer(*_: Any, **__: Any) -> None:
        if silent:
            raise RPCError("nobody", RPCStatusCode.UNAVAILABLE, b"")

    client = cast("Client", SimpleNamespace(workflow_service=SimpleNamespace(get_system_info=answer)))
    showing = asyncio.create_task(main._show_ready(client, ready))
    await _until(ready.exists)
    silent = True
    await _until(lambda: not ready.exists())
    silent = False
    await _until(ready.exists)
    showing.cancel()
    await _until(lambda: not ready.exists())
