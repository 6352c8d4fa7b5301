"""Gates that have seen later epochs than the record: claims go above them, undos get past them, doctor says so."""

from __future__ import annotations

import pytest

from activities.postgres.doctor import of_survey
from gate.record import HIGHEST_EPOCH, Intent, Mode
from tests.fakes.faults import Fault
from tests.fakes.world import A, B
from tests.postgres import samples
from tests.postgres.bench import Bench


async def test_a_gate_that_gets_ahead_after_the_plan_is_claimed_above(bench: Bench) -> None:
    claimed = bench.world.faults.order("postgres.checkpoint", Fault.HANGS)
    handle = await bench.switch()
    await claimed.reached.wait()
    bench.world.members[B].remember(epoch=9)
    claimed.released.set()
    assert (await bench.finished(handle)).leader == B
    assert bench.world.record.epoch == 10
    await bench.until_consistent()


async def test_a_claim_that_was_not_reported_is_found_again_at_its_epoch(bench: Bench) -> None:
    bench.world.faults.order("postgres.claim", Fault.UNREPORTED)
    hanging = bench.world.faults.order("postgres.checkpoint", Fault.HANGS)
    handle = await bench.switch()
    await hanging.reached.wait()
    bench.world.members[B].remember(epoch=9)
    hanging.released.set()
    assert (await bench.finished(handle)).leader == B
    assert bench.world.record.epoch == 10


@pytest.mark.parametrize("mode", ["planned", "forced"])
async def test_nobody_moves_by_a_record_that_is_older_than_its_lease(bench: Bench, mode: str) -> None:
    """Whoever has seen the later epoch does not answer, and the Lease does."""
    bench.world.lease.write(B, 9)
    refusal = await bench.refused(await bench.switch(mode=mode))
    assert (refusal.type, "its Lease has seen epoch 9" in refusal.message) == ("RecordDisagrees", True)
    assert bench.world.record.epoch == 5


@pytest.mark.parametrize("who", ["its Lease", "B"])
async def test_nobody_claims_by_a_record_by_which_somebody_has_led_since(bench: Bench, who: str) -> None:
    """It was put back after the plan was made, as it was then: a worker that slept through its run wakes up to it."""
    hanging = bench.world.faults.order("postgres.checkpoint", Fault.HANGS)
    handle = await bench.switch()
    await hanging.reached.wait()
    if who == "B":
        bench.world.members[B].remember(epoch=9, promoted_at=9)
    else:
        bench.world.lease.write(B, 9)
    hanging.released.set()
    refusal = await bench.refused(handle)
    words = "the Lease was renewed" if who == "its Lease" else f"{B} was promoted"
    assert (refusal.type, f"{words} at epoch 9; nothing was changed" in refusal.message) == ("RecordDisagrees", True)
    assert (bench.world.record.epoch, bench.world.record.intent) == (5, None)


@pytest.mark.parametrize("ahead", [A, B])
async def test_an_undo_gets_past_a_gate_that_is_ahead(bench: Bench, ahead: str) -> None:
    hanging = bench.world.faults.order("postgres.fence", Fault.HANGS)
    handle = await bench.switch()
    await hanging.reached.wait()
    bench.world.members[ahead].remember(epoch=20)
    await handle.cancel()
    assert await bench.ending(handle) == "cancelled"
    await bench.until_consistent()
    assert (bench.world.writers, bench.world.record.epoch, bench.world.record.intent) == ([A], 20, None)


async def test_what_an_ended_run_left_behind_a_gate_that_is_ahead_is_recovered(bench: Bench) -> None:
    left = Intent(candidate=B, mode=Mode.PLANNED, run=f"{bench.lock}/gone")
    bench.world.write(epoch=6, intent=left, run=left.run)
    bench.world.members[B].remember(epoch=30)
    assert (await bench.finished(await bench.switch())).leader == B
    assert bench.world.record.epoch == 31
    await bench.until_consistent()


async def test_the_last_epoch_is_not_passed(bench: Bench) -> None:
    hanging = bench.world.faults.order("postgres.checkpoint", Fault.HANGS)
    handle = await bench.switch()
    await hanging.reached.wait()
    bench.world.members[B].remember(epoch=HIGHEST_EPOCH)
    hanging.released.set()
    refusal = await bench.refused(handle)
    assert (refusal.type, str(HIGHEST_EPOCH) in refusal.message) == ("RecordDisagrees", True)
    assert bench.world.record.epoch == 5


async def test_a_record_that_was_written_during_a_survey_is_read_again(bench: Bench) -> None:
    hanging = bench.world.faults.order("gates.status", Fault.HANGS)
    handle = await bench.switch()
    await hanging.reached.wait()
    bench.world.write(epoch=6)
    bench.world.tick()
    hanging.released.set()
    assert (await bench.finished(handle)).leader == B


def test_doctor_says_that_the_record_is_older_and_what_to_type() -> None:
    ahead = samples.member(samples.B, gate=samples.status(samples.B, epoch=9))
    found = [one for one in of_survey(samples.target(), samples.survey(ahead)) if "OLDER" in one.message]
    assert [one.message for one in found] == [
        f"THE LEADER RECORD IS OLDER: it names {samples.A} at epoch 5, and {samples.B} has seen epoch 9"
    ]
    assert "failover repair orders" in found[0].remedy
    undoing = samples.record(intent=Intent(candidate=samples.B, mode=Mode.PLANNED, run="x/1"))
    assert not [one for one in of_survey(samples.target(), samples.survey(ahead, record=undoing)) if "OLDER" in one.message]


def test_doctor_says_who_gets_the_writes_by_a_foreign_selector() -> None:
    record = samples.record(selector="", foreign="app=ledger")
    found = of_survey(samples.target(), samples.survey(samples.member(samples.B), record=record))
    fault = next(one for one in found if "sends writes to" in one.message)
    assert fault.message == f"sends writes to every pod with app=ledger, its record names {samples.A}"
    assert "failover repair orders" in fault.remedy
