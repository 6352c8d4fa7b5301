"""What people and other runs send to the procedures that follow a region's failover."""

from __future__ import annotations

from typing import ClassVar

from gate.record import Mode
from workflows.run.models import FailoverMode, Request, ShortName, lock_of


class RegionFenceRequest(Request):
    """Input of ``region-fence``."""

    subject = "region-fence"
    names = "region"
    modes = ("forced", "planned")
    instead: ClassVar = dict.fromkeys(("to", "member", "pod", "attest"), "leave it out: the estate says what is fenced")

    region: ShortName
    """The region that was left: an entry of the estate's ``region_failovers``."""
    mode: FailoverMode = Mode.FORCED
    """Of the failover: whose policy says who must approve."""


class RegionRecoveryRequest(Request):
    """Input of ``region-recovery``."""

    subject = "region"
    names = "region"
    kind = "recovery"
    instead: ClassVar = dict.fromkeys(
        ("mode", "to", "member", "pod", "attest"), "leave it out: the failover that is repaired says what is restored"
    )

    region: ShortName
    """The region that was left: an entry of the estate's ``region_failovers``."""
    repairs: ShortName
    """Run ID of the ``region-failover`` that is repaired."""


def fence_lock_id(region: str) -> str:
    """Return the workflow ID of a run that fences ``region`` when it returns."""
    return lock_of(RegionFenceRequest.subject, region)
