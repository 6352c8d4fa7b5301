"""What people send to ``dns-failover``."""

from __future__ import annotations

from typing import ClassVar

from workflows.run.models import Request, Run, ShortName, lock_of


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
    serves_later: bool = False
    """Plan: the region need not be healthy yet. A region's failover asks so: it starts the application there first."""

    @property
    def fault(self) -> str | None:
        """What is wrong with the request as a whole, field first."""
        if self.serves_later and self.run is not Run.PLAN:
            return "serves_later: only with run plan: a run that moves the traffic needs a healthy region; leave it out"
        return super().fault


def traffic_lock_id(traffic: str) -> str:
    """Return the workflow ID of a run that moves ``traffic``."""
    return lock_of(DnsFailoverRequest.subject, traffic)
