"""Asks Azure Resource Manager about the instances of scale sets, as the identity that the worker runs with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from activities.clients.azure.access import AzureAccess
from activities.clients.azure.answers import translated
from activities.clients.azure.subscriptions import Subscriptions
from activities.clients.ports import BusyError, MissingError, RequestRefusedError, UnreachableError
from activities.nodes.machine_models import MachineState, ScaleSetMachine, scale_set_machine
from estate.nodes import NodeTarget

_PROVIDER = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines"
_READ, _DEALLOCATE = f"{_PROVIDER}/instanceView/read", f"{_PROVIDER}/deallocate/action"
_SECONDS = 8.0
_STATES = {
    "PowerState/running": MachineState.RUNNING,
    "PowerState/stopped": MachineState.STOPPED,
    "PowerState/deallocated": MachineState.DEALLOCATED,
    "PowerState/starting": MachineState.CHANGING,
    "PowerState/stopping": MachineState.CHANGING,
    "PowerState/deallocating": MachineState.CHANGING,
}


class AzureMachines:
    """Instances of any number of scale sets and subscriptions."""

    def __init__(self, access: AzureAccess | None = None) -> None:
        """Reach Azure by ``access``."""
        self._clients = Subscriptions(access or AzureAccess(), "azure.mgmt.compute.aio", "ComputeManagementClient")

    async def close(self) -> None:
        """Let go of all connections."""
        await self._clients.close()

    async def state(self, target: NodeTarget, provider_id: str) -> MachineState:
        """Return the instance's power state. MissingError: it is gone, or the provider id names no instance."""
        machine = _machine(target, provider_id)
        async with self._asked(machine, target, _READ) as scale_sets:
            view = await scale_sets.get_instance_view(machine.group, machine.scale_set, machine.instance)
        return _state([status.code or "" for status in view.statuses or []])

    async def end(self, target: NodeTarget, provider_id: str) -> None:
        """Ask for the instance's deallocation; returns once it is accepted. Safe to repeat."""
        machine = _machine(target, provider_id)
        async with self._asked(machine, target, _DEALLOCATE) as scale_sets:
            await scale_sets.begin_deallocate(machine.group, machine.scale_set, machine.instance, polling=False)

    @asynccontextmanager
    async def _asked(self, machine: ScaleSetMachine, target: NodeTarget, permission: str) -> AsyncIterator[Any]:
        """Hand over the operations on instances; say no, gone and silence as the ports do."""
        try:
            with translated(f"Azure, asked for the machine of {target.name}", permission):
                async with asyncio.timeout(_SECONDS):
                    yield (await self._clients.of(machine.subscription)).virtual_machine_scale_set_vms
        except (BusyError, RequestRefusedError) as error:  # the step asks again, and then a person is asked
            raise UnreachableError(str(error)) from error


def _machine(target: NodeTarget, provider_id: str) -> ScaleSetMachine:
    machine = scale_set_machine(provider_id)
    if machine is None:
        raise MissingError(f"{target.name}: its providerID {provider_id!r} names no instance of a scale set")
    return machine


def _state(codes: list[str]) -> MachineState:
    return next((_STATES[code] for code in codes if code in _STATES), MachineState.UNKNOWN)
