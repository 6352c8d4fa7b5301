"""Asks Azure Resource Manager about the instances of scale sets, as the identity that the worker runs with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from activities.clients.azure.answers import translated
from activities.clients.ports import BusyError, MissingError, RequestRefusedError, UnreachableError
from activities.nodes.machine_models import MachineState, ScaleSetMachine, scale_set_machine
from estate.nodes import NodeTarget

if TYPE_CHECKING:
    from azure.mgmt.compute import ComputeManagementClient

T = TypeVar("T")
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


def _compute(subscription: str) -> ComputeManagementClient:
    """Return a client that gives up soon: the step that asks tries again.

    The SDK is imported here: it takes a third of a second, which a worker that takes over elsewhere does not have.
    """
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415
    from azure.mgmt.compute import ComputeManagementClient  # noqa: PLC0415

    limits: dict[str, Any] = {"connection_timeout": 3, "read_timeout": 5, "retry_total": 0}
    return ComputeManagementClient(DefaultAzureCredential(**limits), subscription, **limits)


class AzureMachines:
    """Instances of any number of scale sets and subscriptions."""

    def __init__(self, make: Callable[[str], ComputeManagementClient] = _compute) -> None:
        """Make one client per subscription with ``make``, when it is first asked for."""
        self._make = make
        self._clients: dict[str, ComputeManagementClient] = {}

    async def state(self, target: NodeTarget, provider_id: str) -> MachineState:
        """Return the instance's power state. MissingError: it is gone, or the provider id names no instance."""
        machine = _machine(target, provider_id)

        def ask() -> MachineState:
            scale_sets = self._of(machine).virtual_machine_scale_set_vms
            view = scale_sets.get_instance_view(machine.group, machine.scale_set, machine.instance)
            return _state([status.code or "" for status in view.statuses or []])

        return await _asked(ask, target, _READ)

    async def end(self, target: NodeTarget, provider_id: str) -> None:
        """Ask for the instance's deallocation; returns once it is accepted. Safe to repeat."""
        machine = _machine(target, provider_id)

        def ask() -> None:
            scale_sets = self._of(machine).virtual_machine_scale_set_vms
            scale_sets.begin_deallocate(machine.group, machine.scale_set, machine.instance, polling=False)

        await _asked(ask, target, _DEALLOCATE)

    def _of(self, machine: ScaleSetMachine) -> ComputeManagementClient:
        if machine.subscription not in self._clients:
            self._clients[machine.subscription] = self._make(machine.subscription)
        return self._clients[machine.subscription]


def _machine(target: NodeTarget, provider_id: str) -> ScaleSetMachine:
    machine = scale_set_machine(provider_id)
    if machine is None:
        raise MissingError(f"{target.name}: its providerID {provider_id!r} names no instance of a scale set")
    return machine


def _state(codes: list[str]) -> MachineState:
    return next((_STATES[code] for code in codes if code in _STATES), MachineState.UNKNOWN)


async def _asked(ask: Callable[[], T], target: NodeTarget, permission: str) -> T:
    """Return the answer of ``ask``, which blocks; say no, gone and silence as the ports do."""
    try:
        with translated(f"Azure, asked for the machine of {target.name}", permission):
            async with asyncio.timeout(_SECONDS):
                return await asyncio.to_thread(ask)
    except (BusyError, RequestRefusedError) as error:  # the step asks again, and then a person is asked
        raise UnreachableError(str(error)) from error
