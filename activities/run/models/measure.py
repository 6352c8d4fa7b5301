"""What the measuring writer saw: the outage and the loss of a client."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import Field

from activities.run.models.wire import RunId, Wire
from estate.postgres import PostgresTarget
from estate.reference import Named


class MeasureRequest(Wire):
    """Write through the write Service until cancelled."""

    target: Named[PostgresTarget]
    run: RunId
    interval: timedelta = timedelta(milliseconds=20)


class Measurement(Wire):
    """The outage and the loss that a real client saw, a new connection for every write."""

    acknowledged: int = 0
    failed: int = 0
    lost: int | None = None
    """Acknowledged rows that the new primary does not have; ``None`` when it could not be asked."""
    last_before: datetime | None = None
    """Last acknowledgement before the gap that counts as the outage."""
    first_after: datetime | None = None
    outage_seconds: float | None = None
    """That gap's length: the widest around the switch; ``None`` without an acknowledgement on each side."""
    widest: tuple[tuple[datetime, datetime], ...] = ()
    """The widest gaps between two acknowledgements, widest first."""
    usual_gap_seconds: float | None = None
    """Median gap, to compare with."""
    errors: dict[str, int] = Field(default_factory=dict)
    """SQLSTATE or exception name → how often."""
    note: str = ""

    def with_outage(self, gap: tuple[datetime, datetime]) -> Measurement:
        """Return the measurement with ``gap`` as the outage."""
        before, after = gap
        seconds = (after - before).total_seconds()
        return self.model_copy(update={"last_before": before, "first_after": after, "outage_seconds": seconds})

    def around(self, stopped: datetime, moved: datetime) -> Measurement:
        """Return the measurement with the widest gap that touches the time from ``stopped`` to ``moved`` as the outage.

        A busy machine can make a client wait longer later on, and that is not the switch.
        """
        touching = [gap for gap in self.widest if gap[0] <= moved and stopped <= gap[1]]
        return self.with_outage(touching[0]) if touching else self
