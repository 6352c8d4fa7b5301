"""A region is lost, with two real clusters, real databases and a real edge: customers are served from the other one."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest_asyncio

from activities.run.models.report import Outcome
from deploy.lab.azure.pair import PRIMARY, REPLICA
from deploy.lab.cluster import down
from deploy.lab.names import Lab
from deploy.lab.regions.demo import come_back, leave, returned
from deploy.lab.regions.stage import EAST, WEST, Stage, two_regions
from tests.leftovers.marks import MARK, OWNER_FILE

_LABS = (Lab("testeast"), Lab("testwest"))


@pytest_asyncio.fixture(loop_scope="session")
async def stage() -> AsyncIterator[Stage]:
    """Run both; ``eastus`` serves."""
    for lab in _LABS:
        down(lab)
        lab.home.mkdir(parents=True)
        (lab.home / OWNER_FILE).write_text(os.environ[MARK], encoding="utf-8")
    async with two_regions(print, _LABS) as one:
        yield one
    assert not any(lab.home.exists() for lab in _LABS)


async def test_customers_are_served_from_the_other_region_and_later_from_the_first_again(stage: Stage) -> None:
    since = datetime.now(UTC)
    stage.lose(EAST, PRIMARY)
    facts = await leave(stage, mode="forced", down_since=since.isoformat(), reason="a test")
    assert facts.outcome is Outcome.COMPLETED, facts.reason
    await stage.customer.until_served(WEST)
    missing, seconds = await stage.missing()
    print(f"{missing} of {len(stage.customer.acknowledged)} workflows missing, acknowledged within {seconds:.3f} s")
    assert seconds <= 1
    assert _accepted(stage) == 1

    stage.clusters[EAST].heal()
    await stage.azure.servers.heal(PRIMARY)
    await returned(stage)
    await asyncio.to_thread(stage.clusters[EAST].await_application, 0)  # what has returned is fenced
    began = time.monotonic()
    back = await come_back(stage, "a test")
    assert back.outcome is Outcome.COMPLETED, back.reason
    await stage.customer.until_served(EAST)
    assert await stage.missing() == (missing, seconds)
    assert await stage.leader() == PRIMARY != REPLICA
    assert _accepted(stage) == 2
    gap = stage.customer.longest_gap(since=began)
    print(f"on the way back no workflow was taken for {gap:.1f} s")
    await asyncio.to_thread(stage.clusters[WEST].await_application, 0)  # it is a pilot light again


def _accepted(stage: Stage) -> int:
    """Return how many promotions Azure has carried out."""
    log = stage.azure.emulator.log
    return sum(one.method == "PATCH" and "flexibleServers" in one.path and not one.refused_by for one in log)
