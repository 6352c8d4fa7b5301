"""The steps that move writes, and their undo."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from activities.postgres.models.plan import PostgresPlan
from activities.run.models.lease import Unrenewed
from activities.run.models.plan import Orders
from activities.run.models.wire import RunId, Wire
from estate.postgres import PostgresTarget, ProofKind
from estate.reference import Named
from gate.api import Fenced


class SettleRequest(Wire):
    """Finish or undo what an earlier run left."""

    target: Named[PostgresTarget]
    run: RunId


class Settled(StrEnum):
    """What was found and done about an earlier run's intent."""

    NOTHING = "nothing"
    UNDONE = "undone"
    FINISHED = "finished"


class ClaimRequest(Wire):
    """Write the intent into the leader record."""

    target: Named[PostgresTarget]
    plan: PostgresPlan
    run: RunId


class Switch(Wire):
    """A claimed switch: what every later step is told."""

    target: Named[PostgresTarget]
    plan: Orders[PostgresPlan]
    epoch: int
    run: RunId

    def of(self, target: PostgresTarget) -> Switch:
        """Return the same switch with all that this run knows of its ``target``: a step answers with a reference."""
        return self.model_copy(update={"target": target})


class Settlement(Wire):
    """The outcome of looking for what an earlier run left."""

    settled: Settled
    run: str = ""
    """The run that had left it."""
    message: str = ""
    switch: Switch | None = None
    """The earlier run's switch when it was ``finished``: its route has moved; verify and the rest are still to do."""


class Quiet(Wire):
    """Whether endpoints stood still before writes were stopped."""

    reached: bool
    seconds: float
    """How long was waited."""


class ProveRequest(Wire):
    """Find proof that the old primary of a forced ``switch`` is stopped."""

    switch: Switch
    attested_by: str = ""
    """Who says so, if the policy accepts that and somebody does."""
    unrenewed: Unrenewed | None = None
    """For how long the Lease had not been renewed when a watch began the run."""
    node: str = ""
    """That the old primary's pod was on when the plan was made; empty where nobody said so."""


class Proof(Wire):
    """The old primary cannot acknowledge a write any more."""

    kind: ProofKind
    words: str
    """One sentence: who says so, or what has passed."""
    seconds: float
    """How long it took to have."""
    fenced: Fenced | None = None
    """``gate``: its gate's answer."""
    at_least_lsn: str | None = None
    """The candidate must have received WAL up to here, which another standby has."""

    @property
    def wanted_lsn(self) -> str | None:
        """Where the old primary's WAL ends, if that is known: the candidate should have it.

        To lack some of it is no loss where commits waited for a standby. A server that came back after its death has written
        such WAL while no standby was connected.
        """
        return self.fenced.end_lsn if self.fenced and self.fenced.clean else None


class PromoteRequest(Wire):
    """Promote the candidate of ``switch`` once it has everything up to ``end_lsn``; if it comes, up to ``wanted_lsn``."""

    switch: Switch
    end_lsn: str | None = None
    wanted_lsn: str | None = None


class RouteRequest(Wire):
    """Let the write Service point at the promoted candidate."""

    switch: Switch
    epoch: int
    """At least the epoch at which the candidate was promoted or sealed."""


class Routed(Wire):
    """The record names the new leader."""

    epoch: int
    leader: str
    routed_at: datetime


class GiveBackRequest(Wire):
    """Undo a claim and a fence: writes go back to the old primary."""

    switch: Switch
    never_sent: bool
    """No promote request of this claim can have left: then a candidate that cannot be reached need not be sealed."""
    claim_may_come: bool = False
    """Nobody knows how the claim ended: it may still be on its way and must not succeed any more."""


class GaveBack(StrEnum):
    """How an undo ended."""

    GIVEN_BACK = "given back"
    CANDIDATE_LEADS = "candidate leads"
    """The promotion has happened: only forward is safe."""
    TAKEN_OVER = "taken over"
    """Another run has written the record since; nothing of ours is left to undo."""


class GiveBackResult(Wire):
    """Whether the old primary has its writes back, or the promotion turned out to have happened."""

    outcome: GaveBack
    epoch: int
    message: str
