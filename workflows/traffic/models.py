"""What people send to ``dns-failover``."""

from __future__ import annotations

from typing import ClassVar

from workflows.run.models import Request, ShortName, lock_of


class DnsFailoverRequest(Request):
    """Input of ``dns-failover``."""

    subject = "traffic"
    names = "traffic"
    kind = "planned"
    instead: ClassVar = {
        "mode": "leave it out: the way is the same whether the old region lives or not",
        "member": "use --to REGION",
        "attest": "leave it out: nobody must vouch for a region, since it is asked",
    }

    traffic: ShortName
    """An entry of the estate's ``traffic``."""
    to: ShortName
    """The region that is to have the traffic."""


def traffic_lock_id(traffic: str) -> str:
    """Return the workflow ID of a run that moves ``traffic``."""
    return lock_of(DnsFailoverRequest.subject, traffic)
