"""What the client reads and changes of a gateway: everything that is not meant is sent back as it was read."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from activities.clients.azure.access import AzureAccess
from activities.clients.azure.application_gateway import AzureGateways
from activities.clients.backend_http import BackendHttp
from activities.clients.operation_facts import OperationState
from activities.clients.ports import BusyError, ConflictError, ForbiddenError, MissingError, RequestRefusedError
from activities.clients.ports import UnreachableError as Unreachable
from activities.traffic.gateway_models import Basis, Direct, Edit, GatewayOrder, Health, Place
from deploy.lab.azure.faults import Fault
from tests.azure.pair import TOKEN
from tests.gateways.samples import target_of
from tests.gateways.world import ADDRESSES, DECLARED, ID, POOL, PROBE, SETTINGS, A, B, C, GatewayWorld

TARGET = target_of()
OUT = Edit(place=Place.BACKEND, name=POOL, key=B, before={"ipAddress": B}, index=1, words=f"{B} is taken out")


@pytest_asyncio.fixture(loop_scope="session")
async def client(gateway: GatewayWorld, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AzureGateways]:
    monkeypatch.setenv("GATEWAY_TEST_BEARER", TOKEN)
    one = AzureGateways(AzureAccess(gateway.emulator.url, "env:GATEWAY_TEST_BEARER", timedelta(seconds=0.02)))
    yield one
    await one.close()


async def _basis(client: AzureGateways) -> Basis:
    return (await client.gateway(TARGET)).basis


async def _changed(client: AzureGateways, *edits: Edit) -> None:
    """Make the edits, and wait for their end."""
    accepted = await client.change(GatewayOrder(target=TARGET, edits=edits, basis=await _basis(client)))
    assert not accepted.already
    while (await client.operation(TARGET, accepted.operation)).state is OperationState.RUNNING:
        pass


async def test_reads_the_declared_parts(client: AzureGateways, gateway: GatewayWorld) -> None:
    fact = await client.gateway(TARGET)
    assert (fact.state, fact.id, fact.port, fact.tls) == ("Succeeded", ID, gateway.port, False)
    assert fact.basis == Basis(probe=DECLARED, settings_probe=f"{ID}/probes/{PROBE}", pool=ADDRESSES)
    assert fact.entries[B] == {"ipAddress": B}
    other = await client.gateway(target_of(pool="none", settings="none", probe={"name": "none"}))
    assert (other.has_pool, other.has_settings, other.basis) == (False, False, Basis())


async def test_the_gateway_and_the_backends_say_who_is_healthy(client: AzureGateways, gateway: GatewayWorld) -> None:
    gateway.hosts.status[B] = 503
    gateway.hosts.silent.add(C)
    await gateway.until_told(B, "Down")
    await gateway.until_told(C, "Down")
    found = {one.address: one for one in await client.health(TARGET)}
    assert [found[one].health for one in ADDRESSES] == [Health.UP, Health.DOWN, Health.DOWN]
    assert "503" in found[B].log
    fact, direct = await client.gateway(TARGET), BackendHttp()
    assert await direct.ask(TARGET, fact, A) == (Direct.GOOD, "200")
    assert await direct.ask(TARGET, fact, B) == (Direct.BAD, "503")
    assert (await direct.ask(TARGET, fact, C))[0] is Direct.SILENT
    assert (await direct.ask(TARGET, fact.model_copy(update={"port": 1}), A))[0] is Direct.BAD


def _pool_of(body: dict[str, Any]) -> list[Any]:
    [pool] = [one for one in body["properties"]["backendAddressPools"] if one["name"] == POOL]
    entries: list[Any] = pool["properties"]["backendAddresses"]
    return entries


async def test_what_is_put_differs_from_what_was_read_in_the_edit_only(client: AzureGateways, gateway: GatewayWorld) -> None:
    read = await client._read(TARGET)
    before = gateway.shown()
    await _changed(client, OUT)
    [sent] = gateway.sent()
    expected = copy.deepcopy(read)
    del _pool_of(expected)[1]
    assert sent == expected
    assert "neverHeardOf" in str(sent)
    assert "tomorrow" in str(sent)
    assert gateway.pool() == [A, C]
    await _changed(client, OUT.undone())
    assert (gateway.shown(), gateway.puts()) == (before, [200, 200])


async def test_a_probe_is_made_mended_and_taken_away_again(client: AzureGateways, gateway: GatewayWorld) -> None:
    gateway.lay_out(probe=None)
    before = gateway.shown()
    made = Edit(place=Place.PROBE, name=PROBE, after=DECLARED, words="made")
    used = Edit(place=Place.SETTINGS, name=SETTINGS, key="probe", after={"id": f"{ID}/probes/{PROBE}"}, words="used")
    path = Edit(place=Place.PROBE, name=PROBE, key="path", before=DECLARED["path"], after="/other", words="path")
    await _changed(client, made, used)
    assert (await _basis(client)).probe == DECLARED
    await _changed(client, path)
    assert (await _basis(client)).probe == {**DECLARED, "path": "/other"}
    undo = await client.change(GatewayOrder(target=TARGET, edits=(made.undone(), used.undone())))
    assert len(undo.differs) == 1
    assert "path /other" in undo.differs[0]
    assert undo.operation
    gateway.lay_out()
    await _changed(client, used.undone(), made.undone())
    assert gateway.shown()["probes"] == [{"name": "another", "properties": {"path": "/x", "host": "h"}}]
    assert before["backendHttpSettingsCollection"] == gateway.shown()["backendHttpSettingsCollection"]


async def test_what_is_so_already_is_not_sent(client: AzureGateways, gateway: GatewayWorld) -> None:
    await _changed(client, OUT)
    again = await client.change(GatewayOrder(target=TARGET, edits=(OUT,), basis=Basis()))
    assert (again.already, gateway.puts()) == (True, [200])


@pytest.mark.parametrize("edit", [OUT, OUT.model_copy(update={"key": C, "before": {"ipAddress": C}})])
async def test_a_gateway_that_has_changed_since_the_look_is_not_changed(
    client: AzureGateways, gateway: GatewayWorld, edit: Edit
) -> None:
    basis = await _basis(client)
    gateway.lay_out(backends=(A, C))
    if edit is OUT:
        gateway.lay_out(backends=(A, B))
    with pytest.raises(ConflictError, match="the pool has"):
        await client.change(GatewayOrder(target=TARGET, edits=(edit,), basis=basis))
    assert gateway.puts() == []


async def test_an_undo_leaves_what_others_have_done_since(client: AzureGateways, gateway: GatewayWorld) -> None:
    gateway.lay_out(backends=(A, C, "10.9.9.9"))
    other = Edit(place=Place.PROBE, name=PROBE, key="path", before="/mine", after="/before", words="path")
    undo = await client.change(GatewayOrder(target=TARGET, edits=(OUT.undone(), other)))
    assert undo.differs == (f"probe {PROBE} path is {DECLARED['path']} now",)
    assert [one["ipAddress"] for one in gateway.gateway.properties["backendAddressPools"][0]["properties"][
        "backendAddresses"]] == [A, B, C, "10.9.9.9"]  # fmt: skip


async def test_the_etag_of_what_was_read_is_sent(
    client: AzureGateways, gateway: GatewayWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    put = type(gateway.traffic.gateways)._put
    sdk = (await client._client(TARGET)).application_gateways
    begin = sdk.begin_create_or_update

    async def seen(*args: Any, **options: Any) -> Any:
        told.append(options["headers"]["If-Match"])
        return await begin(*args, **options)

    monkeypatch.setattr(sdk, "begin_create_or_update", seen)
    etag = gateway.gateway.etag
    await _changed(client, OUT)
    assert (told, put is not None) == ([etag], True)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(method="PUT", status=412, code="PreconditionFailed"), ConflictError),
        (Fault(method="PUT", status=429, code="RetryableError"), BusyError),
        (Fault(method="PUT", status=409, code="AnotherOperationInProgress"), BusyError),
        (Fault(method="PUT", status=503, code="ServiceUnavailable"), Unreachable),
        (Fault(method="PUT", drop="before"), Unreachable),
        (Fault(method="PUT", drop="after"), Unreachable),
        (Fault(method="PUT", status=403, code="AuthorizationFailed"), ForbiddenError),
        (Fault(method="PUT", status=400, code="InvalidResourceReference"), RequestRefusedError),
        (Fault(method="GET", status=404, code="ResourceNotFound"), MissingError),
    ],
)
async def test_each_answer_is_what_the_ports_know_and_no_put_is_repeated(
    client: AzureGateways, gateway: GatewayWorld, fault: Fault, kind: type[Exception]
) -> None:
    basis = await _basis(client)
    gateway.emulator.faults.order(fault)
    with pytest.raises(kind):
        await client.change(GatewayOrder(target=TARGET, edits=(OUT,), basis=basis))
    assert len([one for one in gateway.emulator.log if one.method == "PUT"]) == (fault.method == "PUT")


async def test_a_second_change_is_told_to_come_again(client: AzureGateways, gateway: GatewayWorld) -> None:
    gateway.emulator.operations.pace = 0.01
    try:
        basis = await _basis(client)
        accepted = await client.change(GatewayOrder(target=TARGET, edits=(OUT,), basis=basis))
        with pytest.raises(BusyError):
            await client.change(GatewayOrder(target=TARGET, edits=(OUT.undone(),)))
        while (await client.operation(TARGET, accepted.operation)).state is OperationState.RUNNING:
            pass
    finally:
        gateway.emulator.operations.pace = 0.001


async def test_a_superseded_change_is_told_by_the_code_in_the_details(client: AzureGateways, gateway: GatewayWorld) -> None:
    gateway.emulator.operations.pace = 0.05
    gateway.emulator.faults.order(Fault(method="PUT", nth=2, supersedes=True))
    try:
        first = await client.change(GatewayOrder(target=TARGET, edits=(OUT,), basis=await _basis(client)))
        await client.change(GatewayOrder(target=TARGET, edits=(OUT.undone(),)))
        fact = await client.operation(TARGET, first.operation)
    finally:
        gateway.emulator.operations.pace = 0.001
    assert (fact.state, fact.code) == (OperationState.BUSY, "CanceledAndSupersededDueToAnotherOperation")


async def test_only_operations_of_its_own_kind_are_asked_for(client: AzureGateways) -> None:
    path = f"/subscriptions/{TARGET.gateway.subscription}/providers/Microsoft.DBforPostgreSQL/locations/eastus"
    for operation in ("", f"{path}/azureAsyncOperation/1a?x=1", f"https://evil.example{path}/operations/1a?x=1"):
        with pytest.raises(MissingError):
            await client.operation(TARGET, operation)
