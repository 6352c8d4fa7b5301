"""The database drill on a cluster in memory: what it does, and what becomes of all when it is broken on purpose."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowUpdateFailedError

from activities.run.models.report import Outcome
from tests.drills.bench import DrillBench, drilling
from tests.fakes.faults import Fault
from tests.run.cancels import cancel


async def test_it_goes_there_and_back_and_a_person_judges(drilled: DrillBench) -> None:
    handle = await drilled.start()
    assert await drilled.judged(handle) == "PASS; dana says PASS; all is as before"
    await drilled.is_as_before()
    details = drilled.details()
    assert [(one.role, one.workflow, one.outcome) for one in details.parts] == [
        ("there", "postgres-failover", "completed"), ("back", "postgres-failover", "completed"),
    ]  # fmt: skip
    assert [one.name for one in details.criteria if not one.met] == []
    record = details.record
    assert record is not None
    assert (record.passed, record.rpo_rows, record.differences, record.compared) == (True, 0, (), True)
    assert record.rto_seconds is not None
    assert record.counts
    assert set(record.rows) == {"before", "after"}
    assert all((row, 0) in drilled.world.members[drilled.leader].rows for row in record.rows.values())
    assert all(one.run.run_id for one in record.parts)


async def test_a_plan_changes_nothing_and_may_be_made_at_any_time(drilled: DrillBench) -> None:
    drilled.calendar(window={"begins": "00:00", "ends": "00:01"})
    calls = len(drilled.world.faults.calls)
    ended = await drilled.bench.finished(await drilled.start("plan"))
    assert ended.outcome is Outcome.DRY_RUN
    assert not {"postgres.add_test", "gates.fence"} & set(drilled.world.faults.calls[calls:])


@pytest.mark.parametrize(
    ("entry", "refusal", "words"),
    [
        ({"window": {"begins": "00:00", "ends": "00:01"}}, "OutsideWindow", "is drilled 00:00 to 00:01"),
        ({"maintenance": "now"}, "OutsideWindow", "maintenance is announced: a new switch"),
        ({"kind": "redis"}, "BadEstate", "half-year"),
    ],
)
async def test_outside_its_time_none_begins(drilled: DrillBench, entry: dict[str, Any], refusal: str, words: str) -> None:
    now = datetime.now(UTC)
    if entry.pop("maintenance", None):
        soon = {"begins": now.isoformat(), "ends": (now + timedelta(hours=1)).isoformat(), "what": "a new switch"}
        drilled.calendar(maintenance=[soon])
    else:
        drilled.calendar(**entry)
    error = await drilled.bench.refused(await drilled.start())
    assert error.type in {refusal, "BadInput"}, error
    assert words in error.message or refusal == "BadEstate"


async def test_a_degraded_platform_is_not_drilled(drilled: DrillBench) -> None:
    standby = next(one for one in drilled.world.members.values() if one.name != drilled.leader)
    drilled.world.faults.silenced = "postgres.facts"
    error = await drilled.bench.refused(await drilled.start())
    drilled.world.faults.silenced = ""
    assert error.type == "NotWhole", error
    assert standby.name
    await drilled.is_as_before()


async def test_another_run_that_holds_the_lock_keeps_it_from_beginning(drilled: DrillBench) -> None:
    held = drilled.world.faults.order("gates.fence", Fault.HANGS)
    other = await drilled.bench.switch()
    await held.reached.wait()
    error = await drilled.bench.refused(await drilled.start())
    assert error.type in {"NotWhole", "Busy", "ClaimedElsewhere"}, error
    held.released.set()
    await drilled.bench.ending(other)


async def test_there_is_one_drill_at_a_time(drilled: DrillBench) -> None:
    held = drilled.world.faults.order("gates.fence", Fault.HANGS)
    first = await drilled.start()
    await held.reached.wait()
    await drilled.bench.until(lambda: drilled.is_listed("drilling"))
    drilled.calendar("another")
    asked = {"drill": "another", "run": "real", "by": "omar"}
    second = await drilled.bench.start(asked, workflow="failover-drill", id="drill/another")
    error = await drilled.bench.refused(second)
    assert (error.type, f"{drilled.lock} goes on" in error.message) == ("ClaimedElsewhere", True), error
    held.released.set()
    assert (await drilled.judged(first)).startswith("PASS")


async def test_of_two_that_begin_at_once_one_gives_way(drilled: DrillBench) -> None:
    looked = drilled.world.faults.order("drills.standing", Fault.HANGS)
    first = await drilled.start()
    await looked.reached.wait()  # it has seen no other one
    writes = drilled.world.faults.order("drills.row", Fault.HANGS)
    drilled.calendar("another")
    second = await drilled.bench.start(
        {"drill": "another", "run": "real", "by": "omar"}, workflow="failover-drill", id="drill/another"
    )
    await writes.reached.wait()
    drilled.calendar()
    looked.released.set()
    error = await drilled.bench.refused(first)
    assert (error.type, "drill/another goes on" in error.message) == ("ClaimedElsewhere", True), error
    await cancel(second)
    drilled.world.faults.release()
    assert await drilled.bench.ending(second) == "cancelled"
    await drilled.is_as_before()


@pytest.mark.parametrize("step", ["postgres.claim", "postgres.fence", "postgres.promote", "drills.row"])
async def test_a_failure_on_the_way_there_is_a_fail_and_all_is_as_before(drilled: DrillBench, step: str) -> None:
    drilled.world.faults.order(step, Fault.REFUSED)
    ended = await drilled.judged(await drilled.start(), passed=False)
    assert ended.startswith("FAIL: "), ended
    await drilled.is_as_before()
    record = drilled.details().record
    assert record is not None
    assert (record.passed, record.differences) == (False, ())
    assert drilled.outcome() is Outcome.FAILED


@pytest.mark.parametrize(
    "call", ["drills.row", "postgres.claim", "gates.checkpoint", "gates.fence", "gates.promote", "postgres.verify"]
)
async def test_a_cancel_at_any_step_leaves_all_as_before(drilled: DrillBench, call: str) -> None:
    held = drilled.world.faults.order(call, Fault.HANGS)
    handle = await drilled.start()
    await held.reached.wait()
    await cancel(handle)
    drilled.world.faults.release()
    assert await drilled.bench.ending(handle) == "cancelled"
    await drilled.is_as_before()
    record = drilled.details().record
    assert record is not None, drilled.details()
    assert (record.passed, record.compared, record.differences) == (False, True, ())


async def test_a_window_that_closes_meanwhile_ends_the_drill(temporal: Client, tmp_path: Path) -> None:
    async with drilling(temporal, tmp_path) as drilled:
        held = drilled.world.faults.order("gates.fence", Fault.HANGS)
        zone_now = drilled.local_now()
        ends = (zone_now + timedelta(seconds=8)).time().isoformat()
        drilled.calendar(window={"begins": "00:00", "ends": ends})
        handle = await drilled.start()
        await held.reached.wait()
        assert (await drilled.judged(handle, passed=False)).startswith("FAIL: postgres-failover comes to its end")
        await drilled.is_as_before()
        assert any("the window has closed" in one.seen for one in drilled.details().criteria)


async def test_a_worker_that_dies_on_the_way_changes_nothing(drilled: DrillBench) -> None:
    held = drilled.world.faults.order("gates.promote", Fault.HANGS)
    handle = await drilled.start()
    await held.reached.wait()
    await drilled.bench.stop_worker()
    drilled.bench.start_worker()
    assert (await drilled.judged(handle)).startswith("PASS")
    await drilled.is_as_before()


async def test_who_may_judge_and_when(drilled: DrillBench) -> None:
    drilled.calendar(participants=["DBA"])
    handle = await drilled.start()
    with pytest.raises(WorkflowUpdateFailedError) as early:
        await handle.execute_update("judge", {"by": "dana", "passed": True, "notes": "seen"})
    assert "nothing waits for a judgement" in str(early.value.cause)
    await drilled.bench.until_phase(handle, "awaiting a judgement", 60)
    with pytest.raises(WorkflowUpdateFailedError) as other:
        await handle.execute_update("judge", {"by": "mona", "passed": True, "notes": "seen"})
    assert "mona cannot judge" in str(other.value.cause)
    await handle.signal("judged", "nonsense")
    await handle.signal("judged", {"by": "dana", "passed": False, "notes": "one alarm did not come"})
    assert (await drilled.bench.finished(handle)).explanation.startswith("PASS; dana says FAIL")


async def test_a_word_that_nobody_says_is_a_gap(drilled: DrillBench) -> None:
    drilled.calendar(word_within="PT0.1S")
    ended = await drilled.bench.finished(await drilled.start())
    assert ended.explanation == "PASS; nobody has judged it; all is as before"
    record = drilled.details().record
    assert record is not None
    assert "no person's word" in record.gaps
