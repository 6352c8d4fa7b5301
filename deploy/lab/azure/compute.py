"""Virtual machine scale sets: their instances, how each one's power stands, its deallocation, and the location's quota.

An instance may have something real behind it: ``Instance.off`` is awaited when it is deallocated. Without it only the power
state changes. What Azure does not document is decided here for the emulator alone; nothing that uses it may rely on these:

* how long a deallocation takes (60 s here), when the state turns ``deallocating`` (at the 202), and that one of an instance
  that is deallocated already is accepted and changes nothing;
* what an instance in a dead region shows: what it showed before, unless a test sets ``Instance.power``;
* which families a quota lists: here ``cores`` and those of the instances, at the limits of ``Compute.limits``.

Scale sets and instances are not created or deleted here: their number is given by ``add``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy.lab.azure.errors import no_resource
from deploy.lab.azure.flexible_quotas import family_and_cores
from deploy.lab.azure.links import Link, Style
from deploy.lab.azure.operations import Operations, Plan
from deploy.lab.azure.routing import Answer, Call, Route

NAMESPACE = "Microsoft.Compute"
VERSIONS = ("2024-07-01", "2025-04-01", "2026-04-01")
_KIND = f"{NAMESPACE}/virtualMachineScaleSets"
_DEALLOCATE_SECONDS, _LIMIT = 60, 100
COMPUTE = Style(
    (Link("azure-asyncoperation", "locations/{location}/operations/{operation}"),),
    told=lambda one: {"name": one.id, "status": one.status, "startTime": one.start_time, **one.error},
    headers={"azure-asyncnotification": "Enabled"},
)


@dataclass
class Instance:
    """One machine of a scale set; ``power`` is ``running``, ``stopped``, ``deallocated`` or what lies between."""

    id: str
    size: str = "Standard_D4ds_v5"
    power: str = "running"
    off: Callable[[], Awaitable[None]] | None = None
    """Ends what runs on it."""


@dataclass
class ScaleSet:
    """A scale set, and its instances by their ids."""

    name: str
    group: str
    location: str
    instances: dict[str, Instance] = field(default_factory=dict)


class Compute:
    """The provider. ``add`` scale sets, then ``Emulator.serve`` it."""

    namespace = NAMESPACE
    versions: Sequence[str] = VERSIONS
    styles: Sequence[Style] = (COMPUTE,)

    def __init__(self, subscription: str) -> None:
        self._subscription = subscription
        self._sets: list[ScaleSet] = []
        self.limits: dict[tuple[str, str], int] = {}
        """Location without spaces in lower case, name of the quota → limit; 100 for others."""
        self.routes: Sequence[Route] = self._table()

    def add(self, name: str, group: str, location: str, *instances: Instance) -> ScaleSet:
        """Let a scale set exist."""
        self._sets.append(ScaleSet(name, group, location, {one.id: one for one in instances}))
        return self._sets[-1]

    def has_group(self, group: str) -> bool:
        """Whether a scale set is in the group."""
        return any(one.group.lower() == group.lower() for one in self._sets)

    async def start(self, operations: Operations) -> None:
        """Begin nothing: all that happens here is asked for."""

    async def stop(self) -> None:
        """End nothing."""

    def _table(self) -> tuple[Route, ...]:
        machines, right = "virtualMachineScaleSets/{set}/virtualMachines", f"{_KIND}/virtualMachines"
        one, usages = f"{machines}/{{instance}}", f"{NAMESPACE}/locations/usages/read"
        return (
            Route("GET", machines, f"{right}/read", self._list),
            Route("GET", one, f"{right}/read", self._get),
            Route("GET", f"{one}/instanceView", f"{right}/instanceView/read", self._view),
            Route("POST", f"{one}/deallocate", f"{right}/deallocate/action", self._deallocate),
            Route("GET", "locations/{location}/usages", usages, self._usages, in_group=False),
        )

    async def _list(self, call: Call) -> Answer:
        found = self._set(call)
        with_view = call.query.get("$expand", "").lower() == "instanceview"
        return Answer(body={"value": [self._body(found, one, with_view=with_view) for one in found.instances.values()]})

    async def _get(self, call: Call) -> Answer:
        found, one = self._instance(call)
        return Answer(body=self._body(found, one, with_view=call.query.get("$expand", "").lower() == "instanceview"))

    async def _view(self, call: Call) -> Answer:
        return Answer(body=_instance_view(self._instance(call)[1]))

    async def _deallocate(self, call: Call) -> Answer:
        found, one = self._instance(call)
        before = one.power
        if call.acts and before != "deallocated":
            one.power = "deallocating"

        async def work() -> None:
            if before != "deallocated" and one.off is not None:
                await one.off()

        def done() -> None:
            if call.acts:
                one.power = "deallocated"

        return call.begin(Plan("deallocate", found.location, _DEALLOCATE_SECONDS, work, done, COMPUTE))

    async def _usages(self, call: Call) -> Answer:
        location = call.names["location"].lower()
        used: dict[str, int] = {"cores": 0}
        for one in self._sets:
            for machine in one.instances.values() if one.location.replace(" ", "").lower() == location else ():
                family, cores = family_and_cores(machine.size)
                counted = cores if machine.power != "deallocated" else 0
                used["cores"] += counted
                used[family] = used.get(family, 0) + counted
        return Answer(body={"value": [self._usage(location, name, number) for name, number in used.items()]})

    def _usage(self, location: str, name: str, used: int) -> dict[str, Any]:
        limit = self.limits.get((location, name), _LIMIT)
        return {
            "limit": limit, "unit": "Count", "currentValue": used, "name": {"value": name, "localizedValue": name},
        }  # fmt: skip

    def _set(self, call: Call) -> ScaleSet:
        name, group = call.names["set"], call.target.group
        for one in self._sets:
            if (one.name.lower(), one.group.lower()) == (name.lower(), group.lower()):
                return one
        raise no_resource(_KIND, name, group)

    def _instance(self, call: Call) -> tuple[ScaleSet, Instance]:
        found, wanted = self._set(call), call.names["instance"]
        if (one := found.instances.get(wanted)) is None:
            raise no_resource(f"{_KIND}/virtualMachines", f"{found.name}/{wanted}", found.group)
        return found, one

    def _body(self, found: ScaleSet, one: Instance, *, with_view: bool) -> dict[str, Any]:
        group = f"/subscriptions/{self._subscription}/resourceGroups/{found.group}/providers/{_KIND}/{found.name}"
        view = {"instanceView": _instance_view(one)} if with_view else {}
        return {
            "name": f"{found.name}_{one.id}",
            "instanceId": one.id,
            "id": f"{group}/virtualMachines/{one.id}",
            "type": f"{_KIND}/virtualMachines",
            "location": found.location.replace(" ", "").lower(),
            "sku": {"name": one.size, "tier": "Standard"},
            "properties": {"latestModelApplied": True, "provisioningState": _provisioning(one).capitalize(), **view},
        }


def _provisioning(one: Instance) -> str:
    return "updating" if one.power.endswith("ing") and one.power != "running" else "succeeded"


def _instance_view(one: Instance) -> dict[str, Any]:
    codes = (f"ProvisioningState/{_provisioning(one)}", f"PowerState/{one.power}")
    shown = (f"Provisioning {_provisioning(one)}", f"VM {one.power}")
    return {
        "platformUpdateDomain": 0,
        "platformFaultDomain": 0,
        "statuses": [
            {"code": code, "level": "Info", "displayStatus": words} for code, words in zip(codes, shown, strict=True)
        ],
    }
