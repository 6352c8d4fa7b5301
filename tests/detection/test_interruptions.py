"""A watch, its witnesses and its workers come and go; what has been seen is not forgotten, and nothing is done twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.detection.bench import GONE, watching
from tests.fakes.faults import Fault
from tests.fakes.world import B
from tests.postgres.gone import Gone, take_away


async def test_a_witness_that_dies_is_no_vote_until_it_is_back(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "notify") as one:
        await one.watch()
        one.let(GONE, "east", "west")
        await one.until_gone()
        await one.dismiss("west")
        await one.until_well()
        assert any(line.startswith("west is silent") for line in (await one.status()).silent)
        one.serve("west")
        await one.until_gone()


async def test_a_witness_that_speaks_and_dies_is_no_vote(temporal: Client, tmp_path: Path) -> None:
    """Its last word is not held for longer than it takes to begin another look."""
    async with watching(temporal, tmp_path, "notify") as one:
        await one.dismiss("west")
        one.serve("west", lingers=30)
        await one.watch()
        await one.until_looks("west")
        leaving = asyncio.create_task(one.dismiss("west"))
        await asyncio.sleep(0.3)
        one.let(GONE, "east", "west")
        await one.until_gone()
        await leaving
        await one.until_well()
        assert any(line.startswith("west is silent") for line in (await one.status()).silent)


async def test_without_any_worker_for_a_while_nothing_is_forgotten(temporal: Client, tmp_path: Path) -> None:
    """The witnesses go on looking; what they say is counted, and acted upon, once a worker is back."""
    async with watching(temporal, tmp_path, "automatic") as one:
        await one.watch()
        await one.bench.stop_worker()
        take_away(one.bench.world, Gone.DEAD)
        one.let(GONE, "east", "west")
        await asyncio.sleep(0.5)
        one.bench.start_worker()
        assert (await one.bench.finished(await one.run())).leader == B


@pytest.mark.parametrize("step", ["watch.resolve", "watch.last"])
@pytest.mark.parametrize("fault", [Fault.UNREPORTED, Fault.SILENT])
async def test_a_step_that_fails_once_is_made_again(temporal: Client, tmp_path: Path, step: str, fault: Fault) -> None:
    async with watching(temporal, tmp_path, "notify") as one:
        one.bench.world.faults.order(step, fault)
        await one.watch()
        assert (await one.status()).policy == "notify"


async def test_a_watch_that_is_ended_leaves_its_failover_alone(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "automatic") as one:
        watch = await one.watch()
        take_away(one.bench.world, Gone.DEAD)
        hanging = one.bench.world.faults.order("postgres.promote", Fault.HANGS)
        one.let(GONE)
        handle = await one.run()
        await hanging.reached.wait()
        await watch.cancel()
        assert await one.bench.ending(watch) == "cancelled"
        hanging.released.set()
        assert (await one.bench.finished(handle)).leader == B
