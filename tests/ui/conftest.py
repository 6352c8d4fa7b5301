"""A Temporal of its own with its UI, a browser, and a cluster in memory that has the names of the document.

The server is tuned as the product tunes one. A name that the browser would look up outside of this machine is none.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect
from temporalio.client import Client

from deploy.lab.packages import ensure_packages
from deploy.lab.patience import stretched
from tests.drills.bench import DrillBench, drilling
from tests.fakes.world import World
from tests.ports import free_port
from tests.postgres.bench import Bench, serving
from tests.temporal_server import start_server
from tests.ui.pages import PATIENCE_SECONDS, TemporalUi
from workers.embedded import TUNING

PEOPLE = {"dana": ["DBA"], "mona": ["Manager"], "carl": ["CTO"]}


@dataclass(frozen=True)
class Window:
    """A browser, and the Temporal that it looks at."""

    client: Client
    browser: Browser
    address: str
    pictures: Path


@pytest.fixture(scope="session")
def chromium() -> str:
    """Install Debian's Chromium where it is missing; return its path."""
    if shutil.which("chromium") is None:
        ensure_packages(print, also={"chromium": "chromium"})
    found = shutil.which("chromium")
    assert found, "chromium is not there although its package is"
    return found


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where pictures of the UI are kept; said on the terminal of a test that fails."""
    told = os.environ.get("FAILOVER_SCREENSHOTS")
    folder = Path(told) if told else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def window(chromium: str, pictures: Path) -> AsyncIterator[Window]:
    """Start both once."""
    port = free_port("127.0.0.1")
    tuned = [part for setting in TUNING for part in ("--dynamic-config-value", setting)]
    server = await start_server(ui=True, ui_port=port, dev_server_extra_args=["--ui-disable-news-fetch", *tuned])
    nothing_outside = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    async with server, async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=[nothing_outside], timeout=stretched(60) * 1000
        )
        yield Window(server.client, browser, f"http://127.0.0.1:{port}/namespaces/default", pictures)
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def page(window: Window) -> Page:
    """Open one page for all: what it has loaded once it has."""
    return await window.browser.new_page(viewport={"width": 1400, "height": 1000}, timezone_id="Asia/Taipei")


@pytest_asyncio.fixture(loop_scope="session")
async def ui(window: Window, page: Page, request: pytest.FixtureRequest) -> AsyncIterator[TemporalUi]:
    """Let a person sit down; the last that was seen is kept too."""
    patience = stretched(PATIENCE_SECONDS) * 1000
    page.set_default_timeout(patience)
    expect.set_options(timeout=patience)
    folder = window.pictures / request.node.name
    folder.mkdir(exist_ok=True)
    print(f"pictures: {folder}")
    one = TemporalUi(page, window.address, folder)
    yield one
    await one.picture("the-end")


@asynccontextmanager
async def orders(window: Window, folder: Path, **estate: Any) -> AsyncIterator[Bench]:
    """Serve the cluster ``orders``."""
    async with serving(window.client, folder, World(), named="orders", people=PEOPLE, **estate) as bench:
        yield bench


@pytest_asyncio.fixture(loop_scope="session")
async def asking(window: Window, tmp_path: Path) -> AsyncIterator[Bench]:
    """Ask a DBA and the CTO to approve."""
    policy = {"planned": {"roles": ["DBA", "CTO"], "window": "PT4H"}}
    async with orders(window, tmp_path, approvals=policy) as bench:
        yield bench


@pytest_asyncio.fixture(loop_scope="session")
async def drilled(window: Window, tmp_path: Path) -> AsyncIterator[DrillBench]:
    """Have a drill of ``orders`` in the calendar; ask nobody to approve."""
    async with drilling(window.client, tmp_path, named="orders", people=PEOPLE) as one:
        one.name = "orders"
        one.calendar()
        yield one
