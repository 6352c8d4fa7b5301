"""People hold a drain, and skip the wait for replacements."""

from __future__ import annotations

from activities.nodes.run_models import NodeDetails
from tests.fakes.faults import Fault
from tests.nodes.bench import NodeBench

_WHY = {"by": "dana", "reason": "no time"}


async def test_a_drain_that_is_held_has_evicted_nothing_and_a_cancel_lets_pods_on_again(bench: NodeBench) -> None:
    hanging = bench.faults.order("node.cordon", Fault.HANGS)
    handle = await bench.start()
    await hanging.reached.wait()
    await handle.execute_update("hold", _WHY)
    hanging.released.set()
    await bench.until_phase(handle, "held")
    assert (bench.is_cordoned, bench.world.evicted) == (True, [])
    await handle.cancel()
    assert (await bench.ending(handle))[0] == "cancelled"
    assert (bench.is_cordoned, bench.world.evicted) == (False, [])


async def test_replacements_that_are_not_waited_for_stay_listed(bench: NodeBench) -> None:
    hanging = bench.faults.order("node.await_replacements", Fault.HANGS)
    handle = await bench.start(uncordon=True)
    await hanging.reached.wait()
    assert [one.step for one in (await bench.status(handle)).can_skip] == ["ready"]
    await handle.execute_update("skip", {**_WHY, "step": "ready"})
    end, words = await bench.ending(handle)
    assert (end, words.endswith("; ready skipped by dana: no time")) == ("completed", True), words
    assert sorted(bench.world.evicted) == ["api-a-1", "api-b-1"]
    report = bench.report()
    assert [str(one) for one in report.left_to_do] == [
        f"what has left {bench.node} is ready elsewhere (skipped by dana: no time)"
    ]
    assert report.of(NodeDetails).recovery_seconds is None
