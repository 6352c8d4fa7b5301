"""``start --embedded``: Temporal is lost, and the run is served on the operator's machine, whatever dies there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from deploy.lab.patience import stretched
from deploy.lab.ports import free_port
from deploy.lab.region_parts import worker_environment
from tests.azure.pair import AzurePair
from tests.leftovers import marks
from tests.region.bench import DATABASE, RegionBench
from tests.starters.command import Command, Ran
from workers.embedded import Home, until_idle

_START = ("start", "postgres-region-failover", DATABASE, "--by", "omar", "--reason", "a test", "--embedded")


@dataclass(frozen=True)
class _Desk:
    """An operator's machine."""

    bench: RegionBench
    failover: Command
    home: Home
    settings: dict[str, str]

    async def start(self, *more: str) -> Ran:
        return (await self.failover(*_START, *more, **self.settings)).without_traceback()

    @property
    def keeper(self) -> int | None:
        return self.home.keeper if self.home.is_kept() else None

    def kill_keeper(self, number: signal.Signals = signal.SIGKILL) -> None:
        if (pid := self.keeper) is not None:
            os.kill(pid, number)

    async def until_asked(self) -> None:
        """Wait until the promotion has reached Azure."""
        async with asyncio.timeout(stretched(60)):
            while not any(one.method == "PATCH" for one in self.bench.azure.emulator.log):
                await asyncio.sleep(0.02)

    async def until_quiet(self) -> None:
        """Wait until nobody keeps."""
        async with asyncio.timeout(stretched(30)):
            while self.home.is_kept():
                await asyncio.sleep(0.02)


@pytest_asyncio.fixture(loop_scope="session")
async def desk(temporal: Client, shared: AzurePair, tmp_path: Path) -> AsyncIterator[_Desk]:
    """Nobody answers where Temporal should be."""
    bench = RegionBench(temporal, shared, tmp_path)
    await bench.heal()
    await bench.until_healthy()
    shared.emulator.log.clear()
    lost, home = f"127.0.0.1:{free_port('127.0.0.1')}", Home(tmp_path / "embedded")
    settings = {
        **worker_environment(tmp_path, bench.estate, shared, lost), **marks.environment(),
        "FAILOVER_EMBEDDED": str(home.directory),
    }  # fmt: skip
    one = _Desk(bench, Command(lost, bench.queue), home, settings)
    try:
        yield one
    finally:
        with contextlib.suppress(ProcessLookupError):
            one.kill_keeper()
        await one.until_quiet()
        await bench.servers.close()


async def test_a_run_is_carried_out_although_temporal_is_lost(desk: _Desk) -> None:
    before = await desk.bench.leader()
    ran = await desk.start("--follow")
    assert ran.code == 0, ran
    assert await desk.bench.leader() == desk.bench.replica_of(before)
    assert desk.bench.changes() == ["PATCH 202"]
    assert f"BREAK-GLASS: Temporal does not answer at {desk.settings['TEMPORAL_ADDRESS']}" in ran.err
    assert f"source {desk.home.environment_file}" in ran.err
    shown = await asyncio.create_subprocess_exec(
        "sh", "-c", f". {desk.home.environment_file} && env", stdout=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "TEMPORAL_API_KEY": "of-the-lost-one"},
    )  # fmt: skip
    told = (await shown.communicate())[0].decode()
    assert f"TEMPORAL_ADDRESS={desk.home.address}\n" in told
    assert "TEMPORAL_API_KEY" not in told
    desk.kill_keeper(signal.SIGTERM)
    await desk.until_quiet()


async def test_what_serves_the_run_dies_and_the_same_command_goes_on_with_it(desk: _Desk) -> None:
    before = await desk.bench.leader()
    command = await desk.failover.begin(*_START, "--follow", **desk.settings)
    await desk.until_asked()
    desk.kill_keeper()
    command.kill()
    await command.wait()
    await desk.until_quiet()
    ran = await desk.start("--follow")
    assert ran.code == 0, ran
    assert "goes on with the run of" in ran.err
    assert await desk.bench.leader() == desk.bench.replica_of(before)
    assert desk.bench.changes() == ["PATCH 202"]


async def test_a_run_goes_on_when_the_command_and_its_terminal_are_gone(desk: _Desk) -> None:
    before = await desk.bench.leader()
    command = await desk.failover.begin(*_START, "--follow", **desk.settings)
    await desk.until_asked()
    command.kill()
    await command.wait()
    async with asyncio.timeout(stretched(60)):
        while not list((desk.bench.folder / "records").rglob("report.json")):
            await asyncio.sleep(0.1)
    assert await desk.bench.leader() == desk.bench.replica_of(before)
    assert desk.bench.changes() == ["PATCH 202"]


async def test_a_temporal_that_answers_is_not_replaced(desk: _Desk, temporal: Client) -> None:
    where = temporal.service_client.config.target_host
    ran = (await desk.failover(*_START, **{**desk.settings, "TEMPORAL_ADDRESS": where})).without_traceback()
    assert (ran.code, f"Temporal answers at {where}: start it there" in ran.err) == (3, True), ran
    assert desk.keeper is None


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("FAILOVER_ESTATE", "", "embedded: FAILOVER_ESTATE: it is not set"),
        ("FAILOVER_ESTATE", "/nowhere.yaml", "embedded: FAILOVER_ESTATE: /nowhere.yaml is no file"),
        ("TEMPORAL_ADDRESS", "", "embedded: TEMPORAL_ADDRESS is not set"),
    ],
)
async def test_what_is_missing_is_named_before_anything_is_started(desk: _Desk, name: str, value: str, said: str) -> None:
    ran = (await desk.failover(*_START, **{**desk.settings, name: value})).without_traceback()
    assert (ran.code, said in ran.err) == (2, True), ran
    assert desk.keeper is None


async def test_the_keeper_ends_once_nothing_is_open(temporal: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal.service_client.config.target_host)
    counted = [1, 1, 0, 0]

    async def count(_: Client) -> int:
        return counted.pop(0) if len(counted) > 1 else counted[0]

    monkeypatch.setattr("workers.embedded._open_runs", count)
    await asyncio.wait_for(until_idle(0.2), 10)
    assert counted == [0]
