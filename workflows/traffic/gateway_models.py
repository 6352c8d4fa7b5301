"""What people send to ``gateway-failover``."""

from __future__ import annotations

from typing import ClassVar

from workflows.run.models import Request, ShortName, lock_of


class GatewayFailoverRequest(Request):
    """Input of ``gateway-failover``."""

    subject = "gateway"
    names = "gateway"
    options: ClassVar = {"member": "backend"}
    instead: ClassVar = dict.fromkeys(
        ("mode", "to", "pod", "attest"), "leave it out: unhealthy backends are found; --member ADDRESS looks at one only"
    )

    gateway: ShortName
    """A gateway of the estate."""
    backend: ShortName | None = None
    """The only backend that is taken out or put back; ``None``: whichever needs it."""


def gateway_lock_id(gateway: str) -> str:
    """Return the workflow ID of a run that changes ``gateway``."""
    return lock_of(GatewayFailoverRequest.subject, gateway)
