"""The emulator against every official example: it takes the requests and answers in their form."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.lab.azure.flexible import FlexibleServers
from deploy.lab.azure.flexible_state import Server
from deploy.lab.azure.server import Emulator
from tests.azure.examples import OFFICIAL, needed, read, recorded, shape
from tests.azure.imagined import ImaginedDatabases, ImaginedNames
from tests.azure.pair import EMULATOR_HOST, TOKEN

pytestmark = needed
_NOT_SERVED = {"ServerCreateReplica": 405}
"""What the emulator does not do: it says so as for any path that it does not know."""
_METHODS = {"Update": "PATCH", "Promote": "PATCH", "Create": "PUT", "Delete": "DELETE", "Restart": "POST", "Start": "POST"}
_ONLY_THERE = re.compile(
    r"tags|replicationState|delegatedSubnetResourceId|privateDnsZoneArmResourceId|standbyAvailabilityZone|\.nextLink"
)
"""What official examples show and a server here does not have. A recorded healthy replica has no replicationState."""


def _request(path: Path) -> tuple[str, str]:
    """Return method and path below the server of an example, by its name."""
    name = path.stem
    method = next((method for word, method in _METHODS.items() if word in name), "POST" if "Stop" in name else "GET")
    below = {
        "ReplicasListByServer": "/replicas", "VirtualEndpointsListByServer": "/virtualendpoints", "ServerStart": "/start",
        "ServerStop": "/stop",
    }.get(name)  # fmt: skip
    if below is None:
        below = "/restart" if "Restart" in name else "/virtualendpoints/{}" if name.startswith("Virtual") else ""
    return method, below


@asynccontextmanager
async def _world(example: Path) -> AsyncIterator[tuple[str, FlexibleServers]]:
    """Start an emulator in which what the example is about exists; return the URL of its server."""
    told = read(example)["parameters"]
    subscription, group, name = told["subscriptionId"], told["resourceGroupName"], told["serverName"]
    flexible = FlexibleServers(subscription, ImaginedDatabases(), ImaginedNames())
    if "Promote" in example.stem:
        flexible.add(Server("source", group, "westus"), Server(name, group, "westus", role="AsyncReplica", source="source"))
        flexible.add_endpoint("endpoint", "source", name)
    else:
        members = told.get("parameters", {}).get("properties", {}).get("members", ["one-replica"])
        since = datetime.now(UTC)
        flexible.add(Server(name, group, "westus", ha_mode="SameZone", restorable_since=since, tags={"a": "b"}))
        for one in members:
            flexible.add(Server(one, group, "westus", role="AsyncReplica", source=name, restorable_since=since))
        if not example.stem.endswith("Create"):
            flexible.add_endpoint(told.get("virtualEndpointName", "one"), name, members[0])
    emulator = Emulator(subscription, TOKEN, pace=0.0001)
    emulator.serve(flexible)
    await emulator.start(EMULATOR_HOST)
    try:
        below = f"resourceGroups/{group}/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}"
        yield f"{emulator.url}/subscriptions/{subscription}/{below}", flexible
    finally:
        await emulator.stop()


async def _ask(method: str, url: str, version: str, body: Any = None) -> tuple[int, Any, Mapping[str, str]]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.request(method, url, json=body, params={"api-version": version}) as answer,
    ):
        return answer.status, await answer.json() if answer.content_length else None, answer.headers


async def _sent(example: Path, server: str) -> tuple[int, Any, Mapping[str, str]]:
    told = read(example)["parameters"]
    method, below = _request(example)
    url = server + below.format(told.get("virtualEndpointName", ""))
    return await _ask(method, url, told["api-version"], told.get("parameters"))


@pytest.mark.parametrize("example", OFFICIAL, ids=lambda one: f"{one.parent.name[11:21]}-{one.stem}")
async def test_takes_the_request_and_answers_in_the_form_of(example: Path) -> None:
    expected = read(example)["responses"]
    async with _world(example) as (url, _):
        status, body, headers = await _sent(example, url)
    if example.stem in _NOT_SERVED:
        assert status == _NOT_SERVED[example.stem]
    elif "202" in expected:
        assert status == 202
        _must_link_as(expected["202"]["headers"], headers)
        assert body["operation"] == expected["202"].get("content", body)["operation"]
    else:
        assert status == 200
        official = {one for one in shape(expected["200"]["body"]) if not _ONLY_THERE.search(one[0])}
        assert official - set(shape(body)) == set()


def _must_link_as(expected: dict[str, str], headers: Mapping[str, str]) -> None:
    """Check that both links have the official form: other names and versions, and a signature behind."""
    for header, link in expected.items():
        path = re.sub(r"[0-9a-f-]{36}\?.*", "ID", link.partition("/subscriptions/")[2].partition("/")[2])
        given = re.sub(r"[0-9a-f-]{36}\?.*", "ID", headers[header].partition("/subscriptions/")[2].partition("/")[2])
        assert re.sub("locations/[^/]+", "", given) == re.sub("locations/[^/]+", "", path)


@pytest.mark.parametrize("example", [one for one in OFFICIAL if "Promote" in one.stem], ids=lambda one: one.stem)
async def test_ends_a_promotion_as(example: Path) -> None:
    expected = read(example)["responses"].get("200")
    async with _world(example) as (url, flexible):
        await _sent(example, url)
        async with asyncio.timeout(5):
            while flexible.server(url.rpartition("/")[2]).busy:
                await asyncio.sleep(0.01)
        _, body, _ = await _ask("GET", url, "2025-08-01")
    switchover = "Switchover" in example.stem
    assert body["properties"]["replica"] == {"role": "Primary" if switchover else "None", "capacity": 5 if switchover else 0}
    if expected:
        assert body["properties"]["replica"] == expected["body"]["properties"]["replica"]


async def test_shows_nothing_of_a_server_that_azure_does_not_show() -> None:
    official = [one for one in OFFICIAL if one.stem in {"ServersGet", "ServerGet"}]
    replay = recorded("pg-switchover-2026-06")["exchanges"]
    shown = [read(one)["responses"]["200"]["body"] for one in official]
    shown += [one["response"]["body"] for one in replay if "sku" in one["response"].get("body", {})]
    known = {place for body in shown for place in shape(body)}
    async with _world(next(one for one in official if one.stem == "ServersGet")) as (url, _):
        for server in (url, url.replace("exampleserver", "one-replica")):
            _, body, _ = await _ask("GET", server, "2025-08-01")
            assert set(shape(body)) - known - {(".tags", "dict")} == set()
