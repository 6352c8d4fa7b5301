"""What happens around a run, at each of its steps: the API server is gone for a while, the old primary returns."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from temporalio.client import Client

from gate.record import Mode
from tests.fakes.faults import Fault
from tests.fakes.world import A, B, World
from tests.postgres import test_forced_interruptions, test_interruptions
from tests.postgres.bench import Bench, serving
from tests.postgres.gone import ISOLATING, POLICY, Gone, bring_back, take_away

_STEPS = {Mode.PLANNED: test_interruptions.STEPS, Mode.FORCED: test_forced_interruptions.STEPS}
_API_SERVER_GONE_SECONDS = 3.0
_AT_ONCE = 5
"""Steps that are tried side by side: most of the time nothing happens but waiting."""


@pytest.mark.parametrize("mode", _STEPS)
async def test_the_api_server_is_gone_for_a_while_at_each_step(temporal: Client, tmp_path: Path, mode: Mode) -> None:
    async def try_one(step: str) -> None:
        async with serving(temporal, _folder(tmp_path, step), World(), forced=POLICY) as bench:
            if mode is Mode.FORCED:
                take_away(bench.world, Gone.DEAD)
            await _without_api_server(bench, mode, step)

    await _side_by_side(_STEPS[mode], try_one)


async def _without_api_server(bench: Bench, mode: Mode, step: str) -> None:
    ordered = bench.world.faults.order(step, Fault.HANGS)
    handle = await (bench.force() if mode is Mode.FORCED else bench.switch())
    await ordered.reached.wait()
    bench.world.take_api_server_away()
    ordered.released.set()
    await asyncio.sleep(_API_SERVER_GONE_SECONDS)
    bench.world.bring_api_server_back()
    assert (step, await bench.ending(handle), bench.world.record.leader) == (step, "completed", B)
    bring_back(bench.world)
    await bench.until_consistent()


@pytest.mark.parametrize("how", Gone)
async def test_the_old_primary_returns_right_after_each_step(temporal: Client, tmp_path: Path, how: Gone) -> None:
    policy = ISOLATING if how is Gone.CUT_OFF else POLICY

    async def try_one(step: str) -> None:
        async with serving(temporal, _folder(tmp_path, step), World(), forced=policy) as bench:
            take_away(bench.world, how)
            await _with_a_return(bench, how, step)

    never_over_before = {"postgres.measure", "postgres.await_redundancy"}
    await _side_by_side([step for step in _STEPS[Mode.FORCED] if step not in never_over_before], try_one)


async def _with_a_return(bench: Bench, how: Gone, step: str) -> None:
    ordered = bench.world.faults.order(step, Fault.OUTLIVES)
    handle = await bench.switch(mode="forced", attest=how is not Gone.CUT_OFF)
    await ordered.reached.wait()
    bring_back(bench.world)
    await asyncio.sleep(0.1)
    ordered.released.set()
    lives_and_nobody_attests = how is Gone.CUT_OFF and step in {"estate.resolve", "postgres.settle"}
    expected = ("PrimaryAlive", A) if lives_and_nobody_attests else ("completed", B)
    assert (step, await bench.ending(handle), bench.world.record.leader) == (step, *expected)
    await bench.until_consistent()


def _folder(parent: Path, step: str) -> Path:
    folder = parent / step
    folder.mkdir()
    return folder


async def _side_by_side(steps: tuple[str, ...] | list[str], try_one: Callable[[str], Awaitable[None]]) -> None:
    """Try every step, a few at a time."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def in_a_place(step: str) -> None:
        async with places:
            await try_one(step)

    async with asyncio.TaskGroup() as group:
        for step in steps:
            group.create_task(in_a_place(step), name=step)
