"""People hold a move of traffic between two settings, and skip the wait for the proof."""

from __future__ import annotations

import pytest

from activities.traffic.models import TrafficDetails
from tests.fakes.faults import Fault
from tests.traffic.bench import AWAY, DR_POOL, NAME, TrafficBench

_WHY = {"by": "dana", "reason": "no time"}


@pytest.mark.parametrize("bench", ["both"], indirect=True)
async def test_held_between_two_settings_a_cancel_puts_the_first_one_back(bench: TrafficBench) -> None:
    before = bench.settings()
    hanging = bench.faults.order("traffic.await_change", Fault.HANGS)
    handle = await bench.start()
    await hanging.reached.wait()
    await handle.execute_update("hold", _WHY)
    hanging.released.set()
    await bench.until_phase(handle, "held")
    assert len(bench.changes()) == 1
    assert bench.settings() != before
    await handle.cancel()
    assert (await bench.ending(handle))[0] == "cancelled"
    assert bench.settings() == before


async def test_a_proof_that_is_skipped_leaves_the_settings_and_is_listed(bench: TrafficBench) -> None:
    hanging = bench.faults.order("traffic.await_served", Fault.HANGS)
    handle = await bench.start()
    await hanging.reached.wait()
    await handle.execute_update("skip", {**_WHY, "step": "proof"})
    end, told = await bench.ending(handle)
    assert (end, bench.route()["originGroup"]["id"].endswith(DR_POOL)) == ("completed", True), told
    assert told.endswith("; nobody has proven it; proof skipped by dana: no time")
    report = bench.report()
    assert [str(one) for one in report.left_to_do] == [
        f"see that the edge and DNS of {NAME} answer from {AWAY} (skipped by dana: no time)"
    ]
    details = report.of(TrafficDetails)
    assert (details.healthy, details.recovery_seconds, report.undone) == (False, None, ())
