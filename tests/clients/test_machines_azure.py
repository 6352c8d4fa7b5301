"""The Azure adapter: its SDK speaks to a server here, which answers as Azure Resource Manager does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.policies import SansIOHTTPPolicy

from activities.clients.azure.access import AzureAccess
from activities.clients.azure.machines import AzureMachines
from activities.clients.ports import ForbiddenError, MissingError, UnreachableError
from activities.nodes.machine_models import MachineState
from estate.base import Region
from estate.nodes import NodePool, NodeTarget

_SET = "/subscriptions/S-1/resourceGroups/mc_rg/providers/Microsoft.Compute/virtualMachineScaleSets/aks-workers-vmss"
_TOKEN = "MACHINES_TEST_BEARER"
_ID = f"azure://{_SET}/virtualMachines/7"
_TARGET = NodeTarget(
    name="aks-workers-vmss000007",
    region=Region(location="East US", namespace="aiagent-prod"),
    pool="workers",
    settings=NodePool.model_validate({"region": "eastus", "machines": {"kind": "azure"}}),
)


def _view(*codes: str) -> dict[str, Any]:
    return {
        "placementGroupId": "3a1c",
        "platformUpdateDomain": 2,
        "statuses": [{"code": code, "level": "Info", "displayStatus": code.rpartition("/")[2]} for code in codes],
    }


def _error(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": f"The client 'x' with object id 'y': {code}.\nSecond line."}}


class _Azure:
    """Answers every call with ``status`` and ``body``, and keeps what it was asked."""

    def __init__(self) -> None:
        self.status, self.body, self.asked = 200, _view("PowerState/running"), list[str]()
        self.headers: dict[str, str] = {}

    @property
    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        if self.status == 202:
            return web.Response(status=202, headers=self.headers)
        return web.json_response(self.body, status=self.status)


class _Bench:
    def __init__(self, azure: _Azure, machines: AzureMachines, address: str) -> None:
        self.azure, self.machines, self.address = azure, machines, address

    async def state(self, provider_id: str = _ID) -> MachineState:
        return await self.machines.state(_TARGET, provider_id)


def _machines(address: str) -> AzureMachines:
    """Return a client of the server at ``address``."""
    return AzureMachines(AzureAccess(address, f"env:{_TOKEN}"))


@pytest_asyncio.fixture(loop_scope="session")
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[_Bench]:
    monkeypatch.setenv(_TOKEN, "a bearer")
    azure = _Azure()
    async with TestServer(azure.app) as server:
        address = str(server.make_url("")).rstrip("/")
        machines = _machines(address)
        yield _Bench(azure, machines, address)
        await machines.close()


@pytest.mark.parametrize(
    ("codes", "state"),
    [
        (("ProvisioningState/succeeded", "PowerState/running"), MachineState.RUNNING),
        (("ProvisioningState/succeeded", "PowerState/stopped"), MachineState.STOPPED),
        (("ProvisioningState/succeeded", "PowerState/deallocated"), MachineState.DEALLOCATED),
        (("ProvisioningState/updating", "PowerState/deallocating"), MachineState.CHANGING),
        (("PowerState/stopping",), MachineState.CHANGING),
        (("PowerState/starting",), MachineState.CHANGING),
        (("PowerState/unknown",), MachineState.UNKNOWN),
        (("ProvisioningState/deallocated",), MachineState.UNKNOWN),
        ((), MachineState.UNKNOWN),
    ],
)
async def test_power_states(bench: _Bench, codes: tuple[str, ...], state: MachineState) -> None:
    bench.azure.body = _view(*codes)
    assert await bench.state() is state
    assert bench.azure.asked == [f"GET {_SET}/virtualMachines/7/instanceView"]


async def test_the_end_is_asked_for_and_not_waited_for(bench: _Bench) -> None:
    bench.azure.status = 202
    bench.azure.headers = {"Location": f"{bench.address}/subscriptions/S-1/operations/1", "Retry-After": "10"}
    await bench.machines.end(_TARGET, _ID)
    await bench.machines.end(_TARGET, _ID)
    assert bench.azure.asked == [f"POST {_SET}/virtualMachines/7/deallocate"] * 2


@pytest.mark.parametrize(
    ("status", "code", "expected", "words"),
    [
        (404, "ResourceNotFound", MissingError, r"knows no such resource \(ResourceNotFound\)"),
        (404, "NotFound", MissingError, r"knows no such resource"),
        (404, "", UnreachableError, r"404"),
        (404, "SubscriptionNotFound", ForbiddenError, r"says 404 SubscriptionNotFound: grant"),
        (403, "AuthorizationFailed", ForbiddenError, r"says 403 AuthorizationFailed: grant the worker Microsoft\.Compute/"),
        (401, "InvalidAuthenticationToken", ForbiddenError, r"says 401"),
        (409, "Conflict", UnreachableError, r"409"),
        (429, "TooManyRequests", UnreachableError, r"429"),
        (503, "ServiceUnavailable", UnreachableError, r"503"),
    ],
)
async def test_errors(bench: _Bench, status: int, code: str, expected: type[Exception], words: str) -> None:
    bench.azure.status, bench.azure.body = status, _error(code)
    with pytest.raises(expected, match=rf"^Azure, asked for the machine of {_TARGET.name}.*{words}") as one:
        await bench.state()
    assert "\n" not in str(one.value)
    with pytest.raises(expected):
        await bench.machines.end(_TARGET, _ID)


@pytest.mark.parametrize(("method", "permission"), [("state", "instanceView/read"), ("end", "deallocate/action")])
async def test_a_no_names_the_permission(bench: _Bench, method: str, permission: str) -> None:
    bench.azure.status, bench.azure.body = 403, _error("AuthorizationFailed")
    with pytest.raises(ForbiddenError, match=f"virtualMachineScaleSets/virtualMachines/{permission}$"):
        await getattr(bench.machines, method)(_TARGET, _ID)


@pytest.mark.parametrize("provider_id", ["", "kind://docker/x", _ID.rpartition("/virtualMachines")[0], f"{_ID}/more"])
async def test_a_node_of_another_provider_is_not_asked_for(bench: _Bench, provider_id: str) -> None:
    with pytest.raises(MissingError, match="names no instance of a scale set"):
        await bench.state(provider_id)
    assert bench.azure.asked == []


async def test_a_group_in_capitals_is_the_same_group(bench: _Bench) -> None:
    await bench.state(_ID.replace("resourceGroups", "resourcegroups"))
    assert bench.azure.asked == [f"GET {_SET}/virtualMachines/7/instanceView"]


async def test_nobody_there_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_TOKEN, "a bearer")
    machines = _machines("http://127.0.0.1:1")
    with pytest.raises(UnreachableError, match="asked for the machine of aks-workers-vmss000007: "):
        await machines.state(_TARGET, _ID)
    await machines.close()


async def test_no_credential_is_silence(bench: _Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refuses(SansIOHTTPPolicy[Any, Any]):
        def on_request(self, request: Any) -> None:  # noqa: ARG002 - the SDK's signature
            raise ClientAuthenticationError("DefaultAzureCredential failed to retrieve a token\nAttempted: …")

    monkeypatch.setattr("activities.clients.azure.access._bearer_policy", lambda _: Refuses())
    with pytest.raises(UnreachableError, match=r"no answer DefaultAzureCredential failed to retrieve a token$"):
        await bench.state()
    assert bench.azure.asked == []
