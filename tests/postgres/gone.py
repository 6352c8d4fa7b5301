"""The ways in which a primary is gone, and how it comes back from each."""

from __future__ import annotations

from enum import StrEnum

from tests.fakes.member import Member
from tests.fakes.world import A, World

POLICY = {"proof": ["gate", "attested"], "isolation_timeout": "PT1S", "proof_within": "PT10S", "redundancy_within": "PT0.3S"}
"""Of a cluster whose people attest."""
ISOLATING = {**POLICY, "proof": ["gate", "isolation"], "proof_within": "PT20S"}
"""Of a cluster that waits for the old primary's own watchdog."""


class Gone(StrEnum):
    """What has happened to the primary."""

    DEAD = "its pod is dead"
    FROZEN = "its container stands still"
    CUT_OFF = "nobody reaches it, and it reaches nobody"


def take_away(world: World, how: Gone) -> Member:
    """Let the primary be gone."""
    old = world.members[A]
    if how is Gone.DEAD:
        old.die()
    old.frozen, old.reachable = how is Gone.FROZEN, how is not Gone.CUT_OFF
    return old


def bring_back(world: World) -> None:
    """Let the old primary return, in whatever way it was gone; its gate does the rest."""
    old = world.members[A]
    old.alive = old.reachable = True
    if old.frozen:
        world.thaw(old)
