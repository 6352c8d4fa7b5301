"""What all tests share: one real Temporal server for the session, and which tests need more than that."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from activities.run import postures
from deploy.lab.packages import ensure_packages
from tests.temporal_server import start_server
from workflows.postgres import adopt
from workflows.postgres.transfer import post_promotion

pytest_plugins = ["tests.leftovers.plugin", "tests.lab.repeating"]
os.environ.pop("COLUMNS", None)  # pytest-xdist sets it; reports choose their own width where there is no terminal

_DYNAMIC_CONFIG = (
    "history.transferProcessorMaxPollRPS=5000",
    "history.timerProcessorMaxPollRPS=5000",
    'history.timerProcessorMaxTimeShift="10ms"',
    "matching.numTaskqueueReadPartitions=1",  # four for each of thousands of queues cost a tenth of the server's time
    "matching.numTaskqueueWritePartitions=1",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs real servers, by what it asks for, and what needs the lab, by its folder."""
    for item in items:
        if "_real_servers" in getattr(item, "fixturenames", ()):
            item.add_marker("servers")
        if "lab" in item.path.relative_to(Path(__file__).parent).parts[:-1]:
            item.add_marker("lab")


@pytest.fixture(scope="session")
def _real_servers() -> None:
    """Install PostgreSQL and Redis where they are missing. They are started as their own users, which takes root."""
    ensure_packages(print)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def temporal() -> AsyncIterator[Client]:
    """Start a real server, tuned as a production one is."""
    environment = await start_server(
        dev_server_extra_args=[part for value in _DYNAMIC_CONFIG for part in ("--dynamic-config-value", value)]
    )
    async with environment:
        yield environment.client


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give steps up after 5 seconds that are tried for 15 or 60, and look 3 seconds after a cancel instead of 10."""
    for patience in (postures.CHANGE, postures.CHANGE_SOON):
        monkeypatch.setitem(patience, "schedule_to_close_timeout", timedelta(seconds=5))
    for module in (post_promotion, adopt):
        monkeypatch.setattr(module, "_WATCHED_AFTER_CANCEL", timedelta(seconds=3))
