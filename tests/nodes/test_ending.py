"""``node-failover --mode forced`` where a run may end the machine itself: only a silent one, and once."""

from __future__ import annotations

import asyncio

from activities.nodes.machine_models import MachineState
from activities.nodes.run_models import NodeDetails
from activities.run.models.report import Outcome
from tests.fakes.faults import Fault
from tests.nodes.bench import NodeBench
from tests.nodes.proving import ALL, attest, ending, explained, until_asked, waits


@ending
async def test_where_a_run_may_end_it_the_machine_is_ended_once(dark: NodeBench) -> None:
    end, words = await dark.ending(await dark.start(mode="forced"))
    assert (end, dark.machines.ended, sorted(dark.world.removed)) == ("completed", [dark.node], ALL), words
    details = dark.report().of(NodeDetails)
    proof = details.proof
    assert proof is not None
    assert proof.words.endswith("is deallocated, as this run has asked for")


@ending
async def test_a_step_that_is_repeated_does_not_end_it_again(dark: NodeBench) -> None:
    dark.faults.order("machine.stop_and_confirm", Fault.UNREPORTED)
    end, words = await dark.ending(await dark.start(mode="forced"))
    assert (end, dark.machines.ended) == ("completed", [dark.node]), words
    assert dark.faults.calls.count("machine.stop_and_confirm") == 2


@ending
async def test_a_step_that_died_after_it_had_asked_does_not_ask_again(dark: NodeBench) -> None:
    """The machine still runs, since its control plane takes its time; the next attempt only looks."""
    dark.machines.keeps = MachineState.RUNNING
    handle = await waits(dark)
    async with asyncio.timeout(20):
        while not dark.machines.ended:
            await asyncio.sleep(0.05)
    await until_asked(dark, handle, 2)
    dark.machines.breaks = True
    async with asyncio.timeout(20):
        while dark.faults.calls.count("machine.stop_and_confirm") < 2:
            await asyncio.sleep(0.05)
    await until_asked(dark, handle, 3)
    assert dark.machines.ended == [dark.node]
    dark.machines.keeps = MachineState.DEALLOCATED
    assert (await dark.ending(handle))[0] == "completed"
    assert dark.machines.ended == [dark.node]


@ending
async def test_with_a_word_at_the_start_nothing_is_ended(dark: NodeBench) -> None:
    assert (await dark.ending(await dark.start(mode="forced", attest=True)))[0] == "completed"
    assert (dark.machines.asked, dark.machines.ended) == (0, [])


@ending
async def test_a_node_whose_kubelet_answers_again_is_not_ended(dark: NodeBench) -> None:
    dark.machines.keeps = MachineState.CHANGING
    handle = await waits(dark)
    dark.world.dark.discard(dark.node)
    dark.machines.keeps = None
    await explained(dark, handle, "answers again: its machine is not ended")
    await attest(dark, handle)
    assert (await dark.ending(handle))[0] == "completed"
    assert dark.machines.ended == []


@ending
async def test_a_node_whose_lease_is_renewed_is_not_ended(dark: NodeBench) -> None:
    dark.world.lease_age = 9  # too fresh to be old before it is renewed
    handle = await waits(dark)
    await until_asked(dark, handle, 2)
    dark.world.renewing.add(dark.node)
    await explained(dark, handle, "answers again: its machine is not ended")
    assert dark.machines.ended == []


@ending
async def test_a_node_that_was_silent_for_a_moment_only_is_ended_once_it_was_for_long(dark: NodeBench) -> None:
    dark.world.lease_age = 10
    handle = await waits(dark)
    await until_asked(dark, handle, 2)
    assert dark.machines.ended == []
    assert (await dark.ending(handle))[0] == "completed"
    assert dark.machines.ended == [dark.node]


@ending
async def test_nothing_is_ended_while_nobody_knows_when_the_lease_was_renewed(dark: NodeBench) -> None:
    dark.world.without_lease = True
    handle = await waits(dark)
    await until_asked(dark, handle, 3)
    assert dark.machines.ended == []
    dark.world.without_lease = False
    assert (await dark.ending(handle))[0] == "completed"
    assert dark.machines.ended == [dark.node]


@ending
async def test_a_cancel_before_proof_lets_pods_on_again_and_nobody_asks_any_more(dark: NodeBench) -> None:
    dark.machines.keeps = MachineState.CHANGING
    handle = await waits(dark)
    await until_asked(dark, handle, 1)
    await handle.cancel()
    assert await dark.ending(handle) == ("cancelled", "")
    assert (dark.is_cordoned, "redis-0" in dark.world.removed) == (False, False)
    assert dark.report().outcome is Outcome.ROLLED_BACK
    asked = dark.machines.asked
    await asyncio.sleep(1.5)
    assert (dark.machines.asked, dark.machines.ended) == (asked, [])
