"""Drills in the Temporal UI: one that is typed, one that a schedule begins, a judgement, a pause."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import expect

from starters.client.schedules import handle_of
from tests.drills.bench import DrillBench
from tests.starters.conftest import command_for
from tests.ui import document
from tests.ui.pages import TemporalUi

_LONGEST_SECONDS = 60


@pytest_asyncio.fixture(loop_scope="session")
async def scheduled(drilled: DrillBench) -> AsyncIterator[DrillBench]:
    """Have the calendar applied."""
    failover = command_for(drilled.bench.client, drilled.bench.queue)
    assert (await failover("drill", "schedule", "apply")).code == 0
    yield drilled
    await handle_of(drilled.bench.client, "orders").delete()


async def test_a_drill_from_the_form_to_its_judgement(ui: TemporalUi, drilled: DrillBench) -> None:
    await ui.follow_start("drill/orders", "failover-drill", document.DRILL)
    await ui.start()
    await drilled.bench.until_phase(await drilled.begun(), "awaiting a judgement", _LONGEST_SECONDS)
    await ui.read_details("awaiting a judgement")
    await expect(ui.details).to_contain_text("failover drill judge orders --by NAME --pass|--fail --notes WORDS")
    await expect(ui.details).to_contain_text(
        document.WORD.replace("dana", "NAME").replace("nobody noticed", "WHAT WAS SEEN")
    )
    await expect(ui.details).to_contain_text("met: postgres-failover comes to its end")
    await ui.picture("waits")
    await ui.open_update("judge", document.WORD)
    await ui.send()
    await ui.must_be("Completed")
    await ui.read_details("completed PASS; dana says PASS; all is as before")
    await ui.picture("details")
    await ui.tab("relationships")
    await expect(ui.main.get_by_text("postgres/orders", exact=True).first).to_be_visible()
    await ui.picture("relationships")
    await drilled.is_as_before()


async def test_a_schedule_is_triggered_and_paused(ui: TemporalUi, scheduled: DrillBench) -> None:
    await ui.open_schedule("drill/orders")
    await ui.trigger()
    await scheduled.begun()
    await ui.pause("a release")
    await expect(ui.main).to_contain_text("a release")
    await ui.picture("paused")
    state = (await handle_of(scheduled.bench.client, "orders").describe()).schedule.state
    assert (state.paused, state.note) == (True, "a release")
