"""Looking a target up."""

from __future__ import annotations

from activities.run.models.wire import Wire


class ResolveRequest(Wire):
    """Which target to look up in the estate."""

    cluster: str
    """Name of the target, whatever it is."""
    by: str | None = None
    """Person who asks: refused if the estate lists people, and not this one. ``None``: nobody is named."""
