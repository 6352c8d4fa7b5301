"""What there is to check, as the estate and its clusters tell it."""

from __future__ import annotations

from datetime import timedelta

from activities.run.models.wire import Wire


class InventoryRequest(Wire):
    """Ask for all that the estate lists."""


class Checkable(Wire):
    """One target, as the procedures for it name it."""

    subject: str
    """First part of its lock: ``postgres``, ``node``, …"""
    name: str
    to: tuple[str, ...] = ()
    """A public name: regions that its traffic can be led to."""
    starts_first: tuple[str, ...] = ()
    """Of these the regions where a region's failover starts the application before it leads the traffic there."""
    unlisted: str = ""
    """A pool whose nodes nobody could list, and why: ``name`` is the pool's then."""


class Inventoried(Wire):
    """All that is checked in one pass, and how."""

    targets: tuple[Checkable, ...] = ()
    every: timedelta
    at_once: int
