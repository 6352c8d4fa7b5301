"""A public name of each layout."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.traffic.bench import TrafficBench, serving


@pytest.fixture(autouse=True)
def _heard_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less for a heartbeat, which a step that fails sends at once, and for a role that comes back."""
    monkeypatch.setattr("activities.traffic.sending._TOLD_WITHIN", timedelta(seconds=0.01))
    monkeypatch.setattr("activities.traffic.changing._INSISTS", timedelta(seconds=1))


@pytest_asyncio.fixture(loop_scope="session")
async def bench(temporal: Client, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[TrafficBench]:
    """Ask nobody to approve; a parameter chooses the layout."""
    async with serving(temporal, tmp_path, getattr(request, "param", "groups")) as one:
        yield one
