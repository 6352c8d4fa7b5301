"""A lab of the tests' own, beside whichever else runs. Every test runs under load and under the two-writer checker."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.lab import cluster
from deploy.lab.estate import publish_estate, read_estate
from deploy.lab.measuring import load
from deploy.lab.names import Lab, LabError
from deploy.lab.switching import connect
from tests.lab.invariants import must_be_no_half_state, must_be_sound
from tests.lab.mending import make_whole
from tests.lab.platform import Platform
from tests.lab.repeating import ATTEMPT
from tests.leftovers.marks import MARK, OWNER_FILE, TEMPORARY

KEEP = "FAILOVER_KEEP_TEST_LAB"
_TIMEOUT = 1800
"""For what never ends. The waits inside have limits of their own, longer on a busy machine (``deploy.lab.patience``)."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each lab test that names no limit one that its waits, added up, do not reach on a busy machine."""
    for item in items:
        if item.get_closest_marker("lab") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(_TIMEOUT))


@pytest.fixture(scope="session")
def test_lab() -> Iterator[tuple[Lab, Path]]:
    """Bring a fresh one up once and take it down at the end; one that is kept is used again.

    One that is kept is nobody's: neither it nor what it is started with carries the run's mark, with which it would go.
    """
    lab, keep = Lab("test"), bool(os.environ.get(KEEP))
    if keep:
        os.environ.pop(MARK, None)
        os.environ["TMPDIR"] = str(TEMPORARY)  # what outlives the run must not need its folder: containerd execs through it
        (lab.home / OWNER_FILE).unlink(missing_ok=True)
    else:
        cluster.down(lab)
        lab.home.mkdir(parents=True)
        (lab.home / OWNER_FILE).write_text(os.environ[MARK], encoding="utf-8")
    try:
        binaries = cluster.up(lab)
        _give_time(lab, binaries)
        yield lab, binaries
    finally:
        if not keep:
            cluster.down(lab)


def _give_time(lab: Lab, binaries: Path) -> None:
    """Let no switch be undone for its outage budget alone: these tests interrupt, on a machine that others may use.

    And let a person be asked sooner where a disruption budget refuses: nothing happens until then.
    """
    estate = read_estate(lab, binaries)
    for pool in estate["node_pools"].values():
        pool["blocked_after"] = "PT5S"
    for one in estate["postgres"].values():
        one["thresholds"]["outage_budget"] = "PT30S"
    publish_estate(lab, binaries, estate)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def whole(test_lab: tuple[Lab, Path]) -> Platform:
    """Connect to it."""
    lab, binaries = test_lab
    return Platform(lab, binaries, await connect(lab))


@pytest_asyncio.fixture(loop_scope="session")
async def platform(whole: Platform, request: pytest.FixtureRequest) -> AsyncIterator[Platform]:
    """Hand it over whole, mended for a second attempt; see afterwards that nothing was lost and never two took writes."""
    if request.node.stash.get(ATTEMPT, 1) > 1:
        whole.left_whole = False
    await make_whole(whole)
    with load(whole.lab, whole.binaries) as running:
        whole.load = running
        yield whole
        await _end_what_goes_on()
        whole.left_whole = False
        try:
            await asyncio.to_thread(whole.settle)
            whole.left_whole = True
        except LabError:
            await must_be_no_half_state(whole)
            raise
        finally:  # also when it does not settle: what was lost is lost
            must_be_sound(running.stop())


async def _end_what_goes_on() -> None:
    """End the body of a test that was given up, and what it has begun: it would go on beside the next one."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
