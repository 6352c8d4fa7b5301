"""Whatever goes wrong between the stop of the old primary and the promotion: done, or undone, within the outage budget."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.fakes.faults import Fault
from tests.fakes.world import A, B, World
from tests.postgres.bench import UNHURRIED, Bench, serving

BUDGET_SECONDS = 2.0
_UNDO_SECONDS = 2.0
_BUSY_MACHINE_SECONDS = 20.0
"""On top, for a machine with a load of 10. Without a budget each of these takes a minute or more."""


@pytest_asyncio.fixture
async def bench(temporal: Client, tmp_path: Path) -> AsyncIterator[Bench]:
    limits = {**UNHURRIED, "outage_budget": f"PT{BUDGET_SECONDS:g}S"}
    async with serving(temporal, tmp_path, World(), thresholds=limits) as one:
        yield one


def _never(name: str, fault: Fault) -> Callable[[World], object]:
    return lambda world: world.faults.order(name, fault, for_ever=True)


def _replay_held(world: World) -> None:
    world.members[B].replay_held = True


def _promotion_hangs(world: World) -> None:
    world.members[B].promotion_hangs = True


FAULTS = {
    "the fence hangs": _never("gates.fence", Fault.HANGS),
    "nobody hears of the fence": _never("gates.fence", Fault.UNREPORTED),
    "the fence's gate is silent": _never("gates.fence", Fault.SILENT),
    "the fence's worker is frozen": _never("postgres.fence", Fault.FROZEN),
    "the candidate's gate is silent once writes are stopped": _never("gates.prepare", Fault.SILENT),
    "the candidate's gate hangs": _never("gates.prepare", Fault.HANGS),
    "the candidate's replay is held": _replay_held,
    "nobody promotes": _never("gates.promote", Fault.SILENT),
    "the promotion's request hangs": _never("gates.promote", Fault.HANGS),
    "the promotion does not come to its end": _promotion_hangs,
    "the promotion's worker is frozen": _never("postgres.promote", Fault.FROZEN),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_switch_that_cannot_come_to_its_end_is_undone_soon(bench: Bench, fault: str) -> None:
    FAULTS[fault](bench.world)
    handle = await bench.switch()
    await bench.until(lambda: "gates.fence" in bench.world.faults.calls or "postgres.fence" in bench.world.faults.calls)
    began = time.monotonic()
    refusal = await bench.refused(handle)
    took = time.monotonic() - began
    print(f"{fault}: undone {took:.2f} s after the fence had begun: {refusal.message}")
    assert refusal.type == "RolledBack"
    assert took < BUDGET_SECONDS + _UNDO_SECONDS + _BUSY_MACHINE_SECONDS
    bench.world.faults.release()
    await bench.until_consistent()
    assert (bench.world.writers, bench.world.record.leader) == ([A], A)


async def test_the_refusal_says_that_the_budget_is_used_up_and_by_what(bench: Bench) -> None:
    _promotion_hangs(bench.world)
    refusal = await bench.refused(await bench.switch())
    assert "not done within the outage budget of 2 s: postgresql-standby-0: still in recovery" in refusal.message


async def test_a_promotion_that_has_happened_goes_on_although_nobody_heard_of_it_in_time(bench: Bench) -> None:
    bench.world.faults.order("gates.promote", Fault.UNREPORTED, for_ever=True)
    handle = await bench.switch()
    assert (await bench.finished(handle)).leader == B
    assert bench.world.writers == [B]
    await bench.until_consistent()


async def test_a_gate_of_an_earlier_version_is_asked_whether_it_stands_by(bench: Bench) -> None:
    bench.world.members[B].cannot_prepare = True
    assert (await bench.finished(await bench.switch())).leader == B
    await bench.until_consistent()


@pytest.mark.parametrize("budget", ["PT0.5S", "-PT1S", "soon"])
async def test_a_budget_that_leaves_no_time_is_no_estate(temporal: Client, tmp_path: Path, budget: str) -> None:
    async with serving(temporal, tmp_path, World(), thresholds={"outage_budget": budget}) as bench:
        refusal = await bench.refused(await bench.switch())
        assert (refusal.type, "outage_budget" in refusal.message) == ("BadEstate", True)
