"""What Resource Manager and the service refuse, with which status and code, and that nothing was done."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from deploy.lab.azure.roles import Role
from tests.azure.conftest import Imagined
from tests.azure.pair import ENDPOINT, PRIMARY, PRIMARY_GROUP, REPLICA, REPLICA_GROUP, ROLE_FILE, SUBSCRIPTION, TOKEN
from tests.azure.sdk import SOURCE_ID, aio_client, promotion

_NEWEST = "2026-10-01"
_PROVIDERS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{REPLICA_GROUP}/providers"
_SERVERS = f"{_PROVIDERS}/Microsoft.DBforPostgreSQL/flexibleServers"
_THIS = f"{_SERVERS}/{REPLICA}"
_FORM = {"role": "Primary", "promoteMode": "Switchover", "promoteOption": "Planned"}


async def send(imagined: Imagined, method: str, path: str, body: Any = None, *, token: str = TOKEN) -> tuple[int, str]:
    """Send a request as it is written; return status and the error's code."""
    url = path if path.startswith("http") else imagined.emulator.url + path
    raw = body if isinstance(body, str) or body is None else json.dumps(body)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession() as session, session.request(method, url, data=raw, headers=headers) as response:
        told = await response.json() if response.content_length else {}
    return response.status, told.get("error", {}).get("code", "")


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", f"/subscriptions/other/resourceGroups/x/providers/y/z?api-version={_NEWEST}", (404, "SubscriptionNotFound")),
        ("GET", _THIS, (400, "MissingApiVersionParameter")),
        ("GET", f"{_THIS}?api-version=2022-12-01", (400, "NoRegisteredProviderFound")),
        ("GET", f"{_THIS.replace(REPLICA_GROUP, 'other')}?api-version={_NEWEST}", (404, "ResourceGroupNotFound")),
        ("GET", f"{_SERVERS}/other?api-version={_NEWEST}", (404, "ResourceNotFound")),
        ("GET", f"{_SERVERS}/{PRIMARY}?api-version={_NEWEST}", (404, "ResourceNotFound")),
        ("GET", f"{_THIS}/administrators?api-version={_NEWEST}", (404, "InvalidResourceType")),
        ("GET", f"{_PROVIDERS}/Microsoft.Other/things/one?api-version={_NEWEST}", (404, "InvalidResourceType")),
        ("PUT", f"{_THIS}/replicas?api-version={_NEWEST}", (405, "MethodNotAllowed")),
        ("GET", f"{_THIS}/backups/none?api-version={_NEWEST}", (404, "ResourceNotFound")),
        ("GET", f"{_THIS}/maintenanceEvents/none?api-version={_NEWEST}", (404, "ResourceNotFound")),
    ],
)
async def test_a_path_that_leads_nowhere(imagined: Imagined, method: str, path: str, expected: tuple[int, str]) -> None:
    assert await send(imagined, method, path) == expected
    assert (imagined.emulator.log[-1].status, bool(imagined.emulator.log[-1].refused_by)) == (expected[0], True)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("{", "InvalidRequestContent"),
        ({"properties": {"replicas": {}}}, "InvalidRequestContent"),
        ({"properties": {"replica": {**_FORM, "force": True}}}, "InvalidRequestContent"),
        ({"properties": {"replica": {**_FORM, "promoteMode": "Sideways"}}}, "InvalidParameterValue"),
        ({"properties": {"replica": {**_FORM, "role": "None"}}}, "InvalidParameterValue"),
        ({"properties": {"replica": {"promoteMode": "Switchover"}}}, "MissingRequiredParameter"),
        ({"properties": {"replica": _FORM}}, "MissingRequiredParameter"),
        ({"properties": {"replica": _FORM, "sourceServerResourceId": f"{SOURCE_ID}x"}}, "InvalidParameterValue"),
    ],
)
async def test_a_body_that_says_something_else(imagined: Imagined, body: Any, code: str) -> None:
    assert await send(imagined, "PATCH", f"{_THIS}?api-version={_NEWEST}", body) == (400, code)
    assert imagined.databases.done == []


@pytest.mark.parametrize("version", ["2025-08-01", "2026-04-01-preview"])
async def test_older_versions_take_a_promotion_that_does_not_name_the_source(imagined: Imagined, version: str) -> None:
    body = {"properties": {"replica": _FORM}}
    assert await send(imagined, "PATCH", f"{_THIS}?api-version={version}", body) == (202, "")


@pytest.mark.parametrize(("token", "code"), [("", "AuthenticationFailed"), ("other", "InvalidAuthenticationToken")])
async def test_without_the_right_token(imagined: Imagined, token: str, code: str) -> None:
    assert await send(imagined, "GET", f"{_THIS}?api-version={_NEWEST}", token=token) == (401, code)


async def test_the_sdk_reads_a_wrong_token_as_such(imagined: Imagined) -> None:
    async with aio_client(imagined.emulator.url, token="other") as azure:
        with pytest.raises(ClientAuthenticationError):
            await azure.servers.get(REPLICA_GROUP, REPLICA)


async def test_a_server_that_is_no_replica_is_not_promoted(imagined: Imagined) -> None:
    async with aio_client(imagined.emulator.url) as azure:
        with pytest.raises(HttpResponseError) as caught:
            await azure.servers.begin_update(PRIMARY_GROUP, PRIMARY, promotion())
    assert caught.value.status_code == 400


async def test_the_role_that_is_shipped_suffices_for_a_failover_and_for_nothing_else(imagined: Imagined) -> None:
    imagined.emulator.roles = [Role.load(ROLE_FILE)]
    await _use_everything(imagined)
    async with aio_client(imagined.emulator.url) as azure:
        with pytest.raises(HttpResponseError) as caught:
            await azure.virtual_endpoints.begin_delete(REPLICA_GROUP, REPLICA, ENDPOINT)
    assert caught.value.error is not None
    assert (caught.value.status_code, caught.value.error.code) == (403, "AuthorizationFailed")
    assert "'Microsoft.DBforPostgreSQL/flexibleServers/virtualendpoints/delete'" in (caught.value.error.message or "")


@pytest.mark.parametrize("lacking", json.loads(ROLE_FILE.read_text(encoding="utf-8"))["Actions"])
async def test_each_action_of_the_role_is_needed(imagined: Imagined, lacking: str) -> None:
    role = Role.load(ROLE_FILE)
    imagined.emulator.roles = [role.model_copy(update={"not_actions": (lacking.upper(),)})]
    with pytest.raises(HttpResponseError) as caught:
        await _use_everything(imagined)
    assert caught.value.status_code == 403
    assert f"'{lacking}'".lower() in str(caught.value).lower()


async def _use_everything(imagined: Imagined) -> None:
    """Do what the product does."""
    async with aio_client(imagined.emulator.url) as azure:
        await azure.servers.get(PRIMARY_GROUP, PRIMARY)
        await azure.virtual_endpoints.get(PRIMARY_GROUP, PRIMARY, ENDPOINT)
        assert [one async for one in azure.maintenance_events.list(PRIMARY_GROUP, PRIMARY)] == []
        assert [one async for one in azure.backups_automatic_and_on_demand.list_by_server(PRIMARY_GROUP, PRIMARY)]
        await (await azure.servers.begin_update(REPLICA_GROUP, REPLICA, promotion())).result()
        await azure.servers.begin_stop(PRIMARY_GROUP, PRIMARY, polling=False)
        await azure.servers.begin_start(PRIMARY_GROUP, PRIMARY, polling=False)


def test_a_role_takes_away_what_a_wildcard_gives() -> None:
    role = Role.model_validate({"Name": "one", "Actions": ["Microsoft.DBforPostgreSQL/*"], "NotActions": ["*/delete"]})
    assert role.allows("microsoft.dbforpostgresql/flexibleServers/write")
    assert not role.allows("Microsoft.DBforPostgreSQL/flexibleServers/virtualendpoints/delete")
    assert not role.allows("Microsoft.Cdn/profiles/read")


async def test_a_poll_with_a_changed_signature(imagined: Imagined) -> None:
    url = imagined.emulator.url + f"{_THIS}?api-version={_NEWEST}"
    body = {"properties": {"replica": _FORM, "sourceServerResourceId": SOURCE_ID}}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.patch(url, json=body) as response:
        links = response.headers["azure-asyncoperation"], response.headers["location"]
        assert "Retry-After" not in response.headers
    assert all(3000 < len(link) < 6000 for link in links)
    for link in links:
        assert await send(imagined, "GET", link.replace("&c=", "&c=A")) == (403, "AuthorizationFailed")
    assert (await send(imagined, "GET", links[0]))[0] == 200
