"""The calendar as Temporal's schedules on a real server: what a schedule begins, and what stops it."""

from __future__ import annotations

import asyncio

from activities.run.models.report import Outcome
from deploy.lab.patience import stretched
from starters.client.schedules import described, handle_of
from tests.drills.bench import DrillBench
from tests.fakes.faults import Fault
from tests.starters.conftest import command_for


async def _paused(drilled: DrillBench) -> str:
    """Wait until the schedule is paused; return why."""
    async with asyncio.timeout(stretched(30)):
        while True:
            found = await described(drilled.bench.client, drilled.name)
            if found is not None and found.schedule.state.paused:
                return found.schedule.state.note or ""
            await asyncio.sleep(0.1)


async def test_schedules_say_what_the_calendar_says(drilled: DrillBench) -> None:
    failover = command_for(drilled.bench.client, drilled.bench.queue)
    first = await failover("drill", "schedule", "apply", "--output", "json")
    assert first.document["applied"] == {drilled.name: "made"}
    assert len(first.document["next"][drilled.name]) == 5
    assert (await failover("drill", "schedule", "apply", "--output", "json")).document["applied"][
        drilled.name
    ] == "as before"
    paused = await failover("drill", "schedule", "pause", drilled.name, "--by", "mona", "--reason", "a release")
    assert paused.code == 0, paused
    drilled.calendar(owner="mona")
    changed = await failover("drill", "schedule", "apply", "--output", "json")
    assert changed.document["applied"] == {drilled.name: "changed"}
    told = (await failover("drill", "list", "--output", "json")).document["drills"][drilled.name]
    assert (told["schedule"], told["note"], told["owner"]) == ("paused", "mona: a release", "mona")
    assert "a release" in (await failover("drill", "list")).out
    drilled.calendar(name="another")
    gone = await failover("drill", "schedule", "apply", "--output", "json")
    assert gone.document["applied"] == {"another": "made", drilled.name: "removed"}
    await handle_of(drilled.bench.client, "another").delete()


async def test_a_trigger_holds_the_drill_and_a_person_judges(drilled: DrillBench) -> None:
    failover = command_for(drilled.bench.client, drilled.bench.queue)
    await failover("drill", "schedule", "apply")
    assert (await failover("drill", "schedule", "trigger", drilled.name)).code == 0
    handle = await drilled.begun()
    await drilled.bench.until_phase(handle, "awaiting a judgement")
    judged = await failover("drill", "judge", drilled.name, "--by", "dana", "--pass", "--notes", "nobody noticed")
    assert judged.code == 0, judged
    ended = await drilled.bench.finished(handle)
    assert ended.explanation.startswith("PASS; dana says PASS"), ended
    report = await failover("report", f"drill/{drilled.name}")
    assert report.code == 0, report
    assert "objective 300 s: met" in report.out


async def test_one_that_does_not_pass_pauses_its_schedule(drilled: DrillBench) -> None:
    failover = command_for(drilled.bench.client, drilled.bench.queue)
    await failover("drill", "schedule", "apply")
    drilled.world.faults.order("postgres.promote", Fault.REFUSED)
    await failover("drill", "schedule", "trigger", drilled.name)
    handle = await drilled.begun()
    await drilled.bench.until_phase(handle, "awaiting a judgement")
    await failover("drill", "judge", drilled.name, "--by", "dana", "--fail", "--notes", "the promotion was refused")
    assert (await drilled.bench.finished(handle)).explanation.startswith("FAIL: postgres-failover comes to its end")
    assert await _paused(drilled)


async def test_a_stop_ends_a_drill_and_lets_none_begin(drilled: DrillBench) -> None:
    failover = command_for(drilled.bench.client, drilled.bench.queue)
    held = drilled.world.faults.order("gates.fence", Fault.HANGS)
    handle = await drilled.start()
    await held.reached.wait()
    try:
        stopped = await failover("drill", "stop", "--by", "mona", "--reason", "an incident elsewhere")
        assert stopped.code == 0, stopped
        assert await drilled.bench.ending(handle) == "cancelled"
        await drilled.is_as_before()
        error = await drilled.bench.refused(await drilled.start())
        assert error.type == "DrillsStopped"
        assert "by mona: an incident elsewhere" in error.message
        assert "DRILLS ARE STOPPED" in (await failover("drill", "list")).out
        due = await drilled.bench.start({"drill": drilled.name}, workflow="drill-due", id=f"drill-due/{drilled.name}")
        assert (await drilled.bench.finished(due)).outcome is Outcome.REFUSED  # and its schedule goes on
    finally:
        assert (await failover("drill", "resume", "--by", "mona")).code == 0
    await drilled.bench.client.get_workflow_handle(f"drills/stopped/{drilled.bench.queue}").result()
    assert (await drilled.judged(await drilled.start())).startswith("PASS")
