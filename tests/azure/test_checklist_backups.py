"""The newest backup of a Flexible Server as an item of a checklist, from the emulated Azure by the real SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from activities.clients.azure.access import AzureAccess
from activities.clients.azure.flexible import AzureFlexible
from activities.clients.azure.readings import AzureReadings
from activities.clients.checks.looks import FlexibleBackupLook
from activities.run.errors import UnreachableError
from deploy.lab.azure.flexible_history import automatic
from deploy.lab.azure.roles import Role
from estate.base import Region
from estate.check_items import FlexibleBackupItem
from estate.flexible import FlexibleDatabase, FlexibleTarget
from tests.azure.conftest import Imagined
from tests.azure.pair import PRIMARY, ROLE_FILE, SUBSCRIPTION, TOKEN
from tests.region.samples import ENTRY

_TARGET = FlexibleTarget(
    name="aiagent-db",
    region=Region(location="East US", namespace="aiagent-prod"),
    database=FlexibleDatabase.model_validate({**ENTRY, "subscription": SUBSCRIPTION}),
)


def item(**more: Any) -> FlexibleBackupItem:
    return FlexibleBackupItem(key="it", title="It", kind="flexible-server-backup", **more)


@pytest_asyncio.fixture(name="look", loop_scope="session")
async def _look(imagined: Imagined, tmp_path: Path) -> AsyncIterator[FlexibleBackupLook]:
    imagined.emulator.roles = [Role.load(ROLE_FILE)]
    (tmp_path / "bearer").write_text(TOKEN, encoding="utf-8")
    access = AzureAccess(imagined.emulator.url, f"file:{tmp_path / 'bearer'}", timedelta(seconds=0.05))
    servers, readings = AzureFlexible(access), AzureReadings(access)
    yield FlexibleBackupLook(servers, readings)
    await servers.close()
    await readings.close()


async def test_the_server_that_leads_must_have_one_that_is_new_enough(imagined: Imagined, look: FlexibleBackupLook) -> None:
    backups = imagined.flexible.server(PRIMARY).backups
    backups[:] = [automatic(datetime.now(UTC) - timedelta(hours=9))]
    day = await look.look(item(), _TARGET)
    assert (day.met, day.source) == (True, "Azure")
    assert PRIMARY in day.seen[0]
    assert (await look.look(item(newest_within="PT1H"), _TARGET)).met is False
    backups[:] = []
    assert (await look.look(item(), _TARGET)).met is False


async def test_a_right_that_is_missing_is_not_known(imagined: Imagined, look: FlexibleBackupLook) -> None:
    imagined.emulator.roles = []
    with pytest.raises(UnreachableError):
        await look.look(item(), _TARGET)
