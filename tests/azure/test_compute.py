"""Instances of scale sets, as the real SDK and the product's own client see them in the emulated Azure."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.compute.aio import ComputeManagementClient as AioCompute

from activities.clients.azure.access import AzureAccess
from activities.clients.azure.machines import AzureMachines
from activities.clients.ports import ForbiddenError, MissingError, UnreachableError
from activities.nodes.machine_models import MachineState
from deploy.lab.azure.compute import Compute, Instance
from deploy.lab.azure.faults import Fault
from deploy.lab.azure.roles import Role
from deploy.lab.azure.server import Emulator
from estate.base import Region
from estate.nodes import NodePool, NodeTarget
from tests.azure.pair import EMULATOR_HOST, ROLE_FILE, SUBSCRIPTION, TOKEN
from tests.azure.sdk import QUICKLY, AioCredential, Bearer

_ROLE = ROLE_FILE.with_name("machines.json")
_BEARER = "COMPUTE_TEST_BEARER"
_GROUP, _SET = "MC_aiagent_eastus", "aks-workers-vmss"
_BELOW = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{_GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets"
_ID = f"azure://{_BELOW}/{_SET}/virtualMachines/7"
_TARGET = NodeTarget(
    name="aks-workers-vmss000007",
    region=Region(location="East US", namespace="aiagent-prod"),
    pool="workers",
    settings=NodePool.model_validate({"region": "eastus", "machines": {"kind": "azure"}}),
)


@dataclass
class Machinery:
    emulator: Emulator
    compute: Compute
    seven: Instance
    machines: AzureMachines
    """The product's client."""
    ended: list[str] = field(default_factory=list)

    def azure(self) -> AioCompute:
        options: dict[str, Any] = {**QUICKLY, "base_url": self.emulator.url, "authentication_policy": Bearer(TOKEN)}
        return AioCompute(AioCredential(), SUBSCRIPTION, **options)


@pytest_asyncio.fixture(name="world", loop_scope="session")
async def _world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Machinery]:
    monkeypatch.setenv(_BEARER, TOKEN)
    emulator, compute, seven = Emulator(SUBSCRIPTION, TOKEN, pace=0.002), Compute(SUBSCRIPTION), Instance("7")
    compute.add(_SET, _GROUP, "East US", Instance("0"), seven)
    emulator.serve(compute)
    await emulator.start(EMULATOR_HOST)
    world = Machinery(emulator, compute, seven, AzureMachines(AzureAccess(emulator.url, f"env:{_BEARER}")))

    async def off() -> None:
        world.ended.append("7")

    seven.off = off
    try:
        yield world
    finally:
        await world.machines.close()
        await emulator.stop()


async def _until(world: Machinery, state: MachineState) -> None:
    async with asyncio.timeout(10):
        while await world.machines.state(_TARGET, _ID) is not state:
            await asyncio.sleep(0.02)


async def test_the_product_ends_a_machine_with_the_shipped_role(world: Machinery) -> None:
    world.emulator.roles = [Role.load(_ROLE)]
    machines = world.machines
    assert await machines.state(_TARGET, _ID) is MachineState.RUNNING
    await machines.end(_TARGET, _ID)
    assert await machines.state(_TARGET, _ID) is MachineState.CHANGING
    await _until(world, MachineState.DEALLOCATED)
    await machines.end(_TARGET, _ID)
    assert await machines.state(_TARGET, _ID) is MachineState.DEALLOCATED
    assert world.ended == ["7"]


@pytest.mark.parametrize("lacking", json.loads(_ROLE.read_text(encoding="utf-8"))["Actions"])
async def test_each_action_of_the_role_is_needed(world: Machinery, lacking: str) -> None:
    world.emulator.roles = [Role.load(_ROLE).model_copy(update={"not_actions": (lacking,)})]
    machines = world.machines
    asked = machines.state if lacking.endswith("/read") else machines.end
    with pytest.raises(ForbiddenError, match=lacking):
        await asked(_TARGET, _ID)
    assert world.ended == []


async def test_the_role_lists_nothing(world: Machinery) -> None:
    world.emulator.roles = [Role.load(_ROLE)]
    async with world.azure() as azure:
        with pytest.raises(HttpResponseError, match="virtualMachines/read"):
            _ = [one async for one in azure.virtual_machine_scale_set_vms.list(_GROUP, _SET)]


async def test_instances_are_listed_with_their_views(world: Machinery) -> None:
    async with world.azure() as azure:
        vms = azure.virtual_machine_scale_set_vms
        found = [one async for one in vms.list(_GROUP, _SET, expand="instanceView")]
        bare, one = [x async for x in vms.list(_GROUP, _SET)], await vms.get(_GROUP, _SET, "7")
    assert [(vm.instance_id, vm.name) for vm in found] == [("0", f"{_SET}_0"), ("7", f"{_SET}_7")]
    view = found[0].properties.instance_view if found[0].properties else None
    assert view is not None
    assert [status.code for status in view.statuses or []] == ["ProvisioningState/succeeded", "PowerState/running"]
    assert [vm.properties.instance_view if vm.properties else "none" for vm in bare] == [None, None]
    assert (one.id or "").lower() == _ID.removeprefix("azure://").lower()


async def test_a_deallocation_is_waited_for_by_the_sdk(world: Machinery) -> None:
    async with world.azure() as azure:
        await (await azure.virtual_machine_scale_set_vms.begin_deallocate(_GROUP, _SET, "7")).result()
    assert (world.seven.power, world.ended) == ("deallocated", ["7"])


async def test_a_deallocation_that_fails_leaves_it_running(world: Machinery) -> None:
    world.emulator.faults.order(Fault(method="POST", path="*/deallocate", ends="Failed", code="OSProvisioningTimedOut"))
    async with world.azure() as azure:
        with pytest.raises(HttpResponseError, match="OSProvisioningTimedOut"):
            await (await azure.virtual_machine_scale_set_vms.begin_deallocate(_GROUP, _SET, "7")).result()
    assert (world.seven.power, world.ended) == ("running", [])


async def test_a_quota_counts_what_is_allocated(world: Machinery) -> None:
    world.compute.limits["eastus", "cores"] = 10
    async with world.azure() as azure:
        before = {one.name.value: (one.current_value, one.limit) async for one in azure.usage.list("eastus")}
        world.seven.power = "deallocated"
        after = {one.name.value: (one.current_value, one.limit) async for one in azure.usage.list("eastus")}
        elsewhere = {one.name.value: one.current_value async for one in azure.usage.list("westus2")}
    assert before == {"cores": (8, 10), "standardDDSv5Family": (8, 100)}
    assert after == {"cores": (4, 10), "standardDDSv5Family": (4, 100)}
    assert elsewhere == {"cores": 0}


@pytest.mark.parametrize(("scale_set", "instance"), [("other", "7"), (_SET, "8")])
async def test_what_does_not_exist_is_missing(world: Machinery, scale_set: str, instance: str) -> None:
    async with world.azure() as azure:
        with pytest.raises(ResourceNotFoundError):
            await azure.virtual_machine_scale_set_vms.get_instance_view(_GROUP, scale_set, instance)
    with pytest.raises(MissingError):
        await world.machines.state(_TARGET, f"azure://{_BELOW}/{scale_set}/virtualMachines/{instance}")


async def test_a_busy_azure_is_no_answer_about_a_machine(world: Machinery) -> None:
    world.emulator.faults.order(Fault(path="*/instanceView", status=429, code="TooManyRequests", retry_after=1))
    with pytest.raises(UnreachableError, match="429"):
        await world.machines.state(_TARGET, _ID)
