"""A Lease that nobody renews."""

from __future__ import annotations

from activities.run.models.wire import Wire


class Unrenewed(Wire):
    """The record's Lease, and how long it has certainly stood unchanged: so long has the API server vouched for nobody."""

    version: str
    """Its ``resourceVersion``."""
    epoch: int
    """Of the record that its leader had read when it renewed it."""
    seconds: float = 0.0
    """By the clock of whoever saw it; what lies between its word and the next look is not counted."""
