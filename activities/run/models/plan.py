"""What a run is going to do, and what it may cost."""

from __future__ import annotations

from activities.run.models.diagnosis import Diagnosis
from activities.run.models.wire import Wire
from estate.postgres import Application
from gate.record import Mode


class Candidate(Wire):
    """Why a standby may or may not be promoted."""

    name: str
    eligible: bool
    reason: str
    receive_lsn: str | None = None
    lag_bytes: int | None = None
    lag_seconds: float | None = None


class Loss(Wire):
    """What has been written since a promotion, and is lost when that promotion is given up.

    An upper bound: WAL that carries no write counts too, and so does a transaction that was rolled back.
    """

    bytes: int
    transactions: int


class GiveUp(Wire):
    """Discard: what is given up, from where on, and how much of it may be."""

    timeline: int
    """The new primary's, which is given up."""
    history: tuple[tuple[int, str], ...]
    """Its earlier timelines and where each was left, oldest first."""
    promoted_xid: int
    """Transactions from this one on were begun after the promotion."""
    so_far: Loss
    """As surveyed; counted again once nobody can write any more."""
    at_most: Loss
    """As asked for, and approved: more ends in an undo."""
    kept: str
    """Where the given-up data is kept."""

    @property
    def fork_lsn(self) -> str:
        """Where the given-up timeline began."""
        return self.history[-1][1]


class Plan(Wire):
    """What would be done, and the decisions that an approval is bound to."""

    cluster: str
    mode: Mode
    primary: str
    candidate: str
    epoch: int = 0
    """PostgreSQL: epoch of the record that the plan was made from; the claim takes the next one."""
    timeline: int = 0
    system_identifier: str = ""
    sync: str = ""
    candidates: tuple[Candidate, ...] = ()
    applications: tuple[Application, ...] = ()
    steps: tuple[str, ...] = ()
    """What will happen, one sentence a step, in order."""
    diagnosis: Diagnosis | None = None
    """Forced: what has become of the old primary."""
    lossless: bool = True
    """Everything that was acknowledged is provably on the candidate."""
    loss: str = ""
    """Why, or how much may be lost."""
    attestation: str = ""
    """What ends the wait for an old primary that does not answer, or must be said of one that does; empty: nothing."""
    give_up: GiveUp | None = None
    """Discard: what is given up."""
    digest: str
    """Short hash of the decisions above, never of drifting numbers (LSN, lag)."""
