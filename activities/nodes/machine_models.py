"""What the control plane of a node's machine says of it, and the proof that this makes."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum

from activities.run.models.wire import Wire
from estate.nodes import NodeTarget
from estate.reference import Named

_INSTANCE = re.compile(
    r"azure:///subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)/providers/Microsoft\.Compute"
    r"/virtualMachineScaleSets/(?P<scale_set>[^/]+)/virtualMachines/(?P<instance>[^/]+)",
    re.IGNORECASE,
)


class MachineState(StrEnum):
    """A machine by its control plane's word."""

    RUNNING = "running"
    STOPPED = "stopped"
    """Its power is off; it is still ours, and anybody may start it."""
    DEALLOCATED = "deallocated"
    """Its power is off, and its place is given back."""
    CHANGING = "changing"
    UNKNOWN = "unknown"

    @property
    def runs_nothing(self) -> bool:
        """Whether nothing runs on the machine at this moment.

        A stopped one counts as a deallocated one does. Either may be started again by anybody; it then meets the taint
        out-of-service, which keeps its pods off it, and cannot mount volumes that are attached elsewhere by then.
        """
        return self in {MachineState.STOPPED, MachineState.DEALLOCATED}


class StoppedRequest(Wire):
    """Wait until a node's machine does not run."""

    target: Named[NodeTarget]
    provider_id: str
    end: bool = False
    """Ask for its end, where the estate lets a run do so."""


class NodeProof(Wire):
    """Why a silent node counts as stopped."""

    kind: str = "machine"
    """``attested``: a person's word; ``machine``: its control plane's."""
    words: str
    at: datetime


class ScaleSetMachine(Wire):
    """One instance of an Azure scale set."""

    subscription: str
    group: str
    scale_set: str
    instance: str


def scale_set_machine(provider_id: str) -> ScaleSetMachine | None:
    """Return the instance that a node's ``spec.providerID`` names; ``None`` when it names none."""
    found = _INSTANCE.fullmatch(provider_id)
    return ScaleSetMachine(**found.groupdict()) if found else None
