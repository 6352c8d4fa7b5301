"""The recorded exchanges of azure-cli with Azure, sent once more to the emulator: the same answers but for their times."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest_asyncio

from deploy.lab.azure.flexible import FlexibleServers
from deploy.lab.azure.flexible_history import automatic
from deploy.lab.azure.flexible_state import Server
from deploy.lab.azure.server import Emulator
from tests.azure.examples import needed, recorded, shape
from tests.azure.imagined import ImaginedDatabases, ImaginedNames
from tests.azure.pair import EMULATOR_HOST, TOKEN

pytestmark = needed
_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
_GROUP, _OLD, _NEW, _ENDPOINT = "clitest.rg000001", "azuredbclitest-000003", "azuredbclirep2000005", "virtual-endpoint000002"
_VERSION = "2026-04-01-preview"
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.(\d+)(Z|\+00:00)")


@pytest_asyncio.fixture(loop_scope="session")
async def recorded_world() -> AsyncIterator[tuple[Emulator, FlexibleServers]]:
    """Start an emulator of the two servers that were recorded."""
    flexible = FlexibleServers(_SUBSCRIPTION, ImaginedDatabases(), ImaginedNames())
    same: dict[str, Any] = {
        "version": "18", "minor_version": "4", "login": "unrulyhyena6",
        "sku": {"name": "Standard_D2ds_v4", "tier": "GeneralPurpose"},
    }  # fmt: skip
    backups = [automatic(datetime(2026, 3, 31, 22, 2, 13, tzinfo=UTC))]
    flexible.add(
        Server(_OLD, _GROUP, "Canada Central", restorable_since=datetime.now(UTC), zone="1", backups=backups, **same),
        Server(_NEW, _GROUP, "Canada Central", role="AsyncReplica", source=_OLD, zone="2", **same),
    )
    flexible.add_endpoint(_ENDPOINT, _OLD, _NEW)
    emulator = Emulator(_SUBSCRIPTION, TOKEN, pace=0.0005)
    emulator.serve(flexible)
    await emulator.start(EMULATOR_HOST)
    try:
        yield emulator, flexible
    finally:
        await emulator.stop()


def _timeless(body: Any) -> Any:
    """Return a body without its moments, but with their form."""
    if isinstance(body, dict):
        return {key: _timeless(value) for key, value in body.items()}
    if isinstance(body, list):
        return [_timeless(one) for one in body]
    found = _MOMENT.fullmatch(body) if isinstance(body, str) else None
    return (len(found[1]) if len(found[1]) > 3 else "up to 3", found[2]) if found else body


async def _polled(session: aiohttp.ClientSession, link: str) -> list[dict[str, str]]:
    told: list[dict[str, str]] = []
    async with asyncio.timeout(10):
        while not told or told[-1]["status"] == "InProgress":
            async with session.get(link) as answer:
                told.append(await answer.json())
                assert "Retry-After" not in answer.headers
            await asyncio.sleep(0.02)
    return told


async def test_a_planned_switchover_and_a_forced_one_back(recorded_world: tuple[Emulator, FlexibleServers]) -> None:
    emulator, _ = recorded_world
    exchanges = [one for one in recorded("pg-switchover-2026-06")["exchanges"] if one["request"]["path"].startswith("/")]
    compared = 0
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        for exchange in exchanges:
            asked, expected = exchange["request"], exchange["response"]
            if asked["method"] == "PUT":
                continue
            url = f"{emulator.url}{asked['path']}?api-version={_VERSION}"
            async with session.request(asked["method"], url, json=asked.get("body")) as answer:
                body, links = await answer.json(), answer.headers
            assert answer.status == expected["status"]
            assert _timeless(body) == _timeless(expected["body"])
            compared += 1
            if asked["method"] == "PATCH":
                for header in ("azure-asyncoperation", "location"):
                    _must_look_like(expected["headers"][header], links[header])
                told = await _polled(session, links["azure-asyncoperation"])
                assert [one["status"] for one in (told[0], told[-1])] == ["InProgress", "Succeeded"]
                assert {tuple(one) for one in told} == {("name", "status", "startTime")}
                assert {one["startTime"] for one in told} == {body["startTime"]}
    assert compared == 6


def _must_look_like(expected: str, given: str) -> None:
    form = re.escape(re.sub(r"[0-9a-f-]{36}\?", "ID?", expected.partition("azure.com")[2]))
    form = re.sub(re.escape(re.escape("<")) + "?<[^&]*>", "[^&]+", form).replace("ID", "[0-9a-f-]{36}")
    assert re.fullmatch(form, given[given.index("/subscriptions") :]), form


async def test_backups(recorded_world: tuple[Emulator, FlexibleServers]) -> None:
    emulator, _ = recorded_world
    told = recorded("pg-backups-2026-03")
    group = f"/subscriptions/{_SUBSCRIPTION}/resourceGroups/{_GROUP}"
    server = f"{emulator.url}{group}/providers/Microsoft.DBforPostgreSQL/flexibleServers/{_OLD}"
    version = {"api-version": "2026-01-01-preview"}
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        async with session.put(f"{server}/backups/backup000003", params=version) as answer:
            polls = await _polled(session, answer.headers["azure-asyncoperation"])
            assert set(polls[-1]) == set(told["create_on_demand"]["polls"][1]["body"])
        async with session.get(f"{server}/backups", params=version) as answer:
            listed = await answer.json()
        async with session.delete(f"{server}/backups/backup000003", params=version) as answer:
            assert (answer.status, (await answer.json())["operation"]) == (202, told["delete"]["body"]["operation"])
    expected = told["list"]["body"]["value"]
    assert [dict(shape(_timeless(one))) for one in listed["value"]] == [dict(shape(_timeless(one))) for one in expected]
    for one, other in zip(listed["value"], expected, strict=True):
        assert one["properties"] | {"completedTime": ""} == other["properties"] | {"completedTime": ""}
        assert _timeless(one["properties"]["completedTime"]) == _timeless(other["properties"]["completedTime"])
    assert re.fullmatch(r"backup_\d{18}", listed["value"][0]["name"])
