"""Drills in the Temporal UI: one that is typed, one that a schedule begins, a judgement, a pause."""

from __future__ import annotations

from playwright.async_api import expect

from starters.client.schedules import handle_of
from tests.drills.bench import DrillBench
from tests.starters.conftest import command_for
from tests.ui.pages import TemporalUi

START = '{"drill": "orders", "run": "real", "by": "mona", "reason": "after the upgrade"}'
WORD = '{"by": "dana", "passed": true, "notes": "nobody noticed"}'


async def test_a_drill_from_the_form_to_its_judgement(ui: TemporalUi, drilled: DrillBench) -> None:
    await ui.follow_start("drill/orders", "failover-drill", START)
    await ui.start()
    handle = await drilled.begun()
    await ui.picture("begun")
    await drilled.bench.until_phase(handle, "awaiting a judgement", 60)
    await ui.page.reload()
    await ui.read_details()
    await ui.picture("waits")
    await ui.open_update("judge", WORD)
    await ui.picture("judgement")
    await ui.send()
    await ui.must_be("Completed")
    await ui.read_details()
    await expect(ui.details).to_contain_text("PASS; dana says PASS")
    await ui.picture("details")
    await ui.tab("timeline")
    await expect(ui.main).to_contain_text("PASS; dana says PASS; all is as before")
    await ui.picture("completed")
    await ui.tab("relationships")
    await ui.picture("relationships")
    await drilled.is_as_before()


async def test_a_schedule_is_triggered_and_paused(ui: TemporalUi, drilled: DrillBench) -> None:
    failover = command_for(drilled.bench.client, drilled.bench.queue)
    assert (await failover("drill", "schedule", "apply")).code == 0
    try:
        await ui.open_schedule("drill/orders")
        await ui.picture("schedule")
        await ui.trigger()
        handle = await drilled.begun()
        await ui.picture("triggered")
        await drilled.bench.until_phase(handle, "awaiting a judgement", 60)
        await ui.open_list()
        await ui.picture("list")
        await ui.open_run("drill/orders")
        await ui.open_update("judge", WORD)
        await ui.send()
        await ui.must_be("Completed")
        await ui.open_schedule("drill/orders")
        await ui.pause("a release")
        await ui.picture("paused")
        assert (await handle_of(drilled.bench.client, "orders").describe()).schedule.state.paused
    finally:
        await handle_of(drilled.bench.client, "orders").delete()
