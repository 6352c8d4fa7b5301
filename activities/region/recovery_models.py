"""What is seen and done when a region that was left becomes the standby of the one that serves."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from activities.region.models import Lag
from activities.region.returning_models import RegionFenceDetails
from activities.run.models.plan import Plan
from activities.run.models.wire import Wire
from estate.flexible import FlexibleTarget
from estate.reference import Named
from estate.regions import RegionTarget


class FindFailover(Wire):
    """Look up the failover that is repaired."""

    target: Named[RegionTarget]
    run_id: str


class RepairedDatabase(Wire):
    """What that failover has told of one database."""

    name: str
    server: str
    """That was to lead."""
    high_availability: str = ""
    """Mode and state that the old primary had, as Azure words them; empty: none, or Azure did not say."""


class Repaired(Wire):
    """The failover that is repaired."""

    run_id: str
    outcome: str
    ended_at: datetime
    databases: tuple[RepairedDatabase, ...] = ()

    def mode_of(self, database: str) -> str:
        """Return the mode of high availability that the old primary of ``database`` had; empty: none that is known."""
        told = next((one.high_availability for one in self.databases if one.name == database), "")
        return told.partition(" ")[0]


class AwaitFollower(Wire):
    """Wait until the old server follows and has caught up, or until that cannot come by waiting."""

    target: Named[FlexibleTarget]
    server: str
    leader: str
    until: datetime


class Follower(Wire):
    """The old server as it is now."""

    server: str
    at: datetime
    caught_up: bool = False
    stopped: bool = False
    """It is a replica of the new primary, and stopped."""
    broken: bool = False
    """It stands alone, or Azure calls its replication broken: it must be built anew."""
    lags: tuple[Lag, ...] = ()
    """Of two witnesses: the primary, and the replica itself."""
    words: str = ""


class RegionRecoveryPlan(Plan):
    """What is to be whole again."""

    repairs: str = ""
    """Run ID of the failover."""
    servers: tuple[str, ...] = ()
    """Each database's server in the old region."""
    applications: tuple[str, ...] = ()
    standbys: tuple[str, ...] = ()
    """``SERVER: MODE`` of each new primary that gets high availability."""
    warnings: tuple[str, ...] = ()

    decided_by: ClassVar[tuple[str, ...]] = (
        "cluster", "mode", "primary", "candidate", "repairs", "servers", "applications", "standbys",
    )  # fmt: skip

    def heading(self) -> str:
        """Return what changes, in a few words."""
        return f"{self.primary} follows {self.candidate}"

    def about(self) -> tuple[str, ...]:
        """Return what else an approver must know."""
        return self.warnings


class RegionRecoveryDetails(RegionFenceDetails):
    """What a run has found out and done."""

    repaired: Repaired | None = None
    followers: tuple[Follower, ...] = ()
