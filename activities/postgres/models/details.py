"""What a run of a PostgreSQL procedure has found out and done."""

from __future__ import annotations

from activities.postgres.models.plan import Loss
from activities.postgres.models.post_promotion import Evicted, Reconnected, Redundancy, Verified
from activities.postgres.models.survey import Survey
from activities.postgres.models.transfer import Proof, Quiet, Routed, Settlement
from activities.run.models.report import Details
from gate.api import Adopted, Fenced, Promoted


class PostgresDetails(Details):
    """Filled in as the steps answer."""

    survey: Survey | None = None
    settlement: Settlement | None = None
    epoch: int | None = None
    fenced: Fenced | None = None
    loss: Loss | None = None
    """Discard: what has been given up, or would have been when the caps forbade it; counted after the last write."""
    proof: Proof | None = None
    promoted: Promoted | None = None
    routed: Routed | None = None
    adopted: Adopted | None = None
    verified: Verified | None = None
    evicted: Evicted | None = None
    reconnected: tuple[Reconnected, ...] = ()
    redundancy: Redundancy | None = None
    quiet: Quiet | None = None
