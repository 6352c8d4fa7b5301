"""What a run is going to do: what every procedure's plan has in common, and the digest that an approval is bound to."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import PlainSerializer

from activities.run.models.diagnosis import Diagnosis
from activities.run.models.wire import Wire
from gate.record import Mode

_DIGEST_LENGTH = 8


class Candidate(Wire):
    """Why a standby may or may not be promoted."""

    name: str
    eligible: bool
    reason: str
    receive_lsn: str | None = None
    lag_bytes: int | None = None
    lag_seconds: float | None = None


def near(candidates: tuple[Candidate, ...], limit: int) -> tuple[str, ...]:
    """Return a sentence for each candidate that may be promoted, and lags by more than half of ``limit`` bytes."""
    return tuple(
        f"{one.name} lags {one.lag_bytes} bytes, more than half of the limit of {limit} (thresholds.planned_lag)"
        for one in candidates
        if one.eligible and 2 * (one.lag_bytes or 0) > limit
    )


class Plan(Wire):
    """What would be done. Each procedure's own plan has more fields."""

    decided_by: ClassVar[tuple[str, ...]] = ("cluster", "mode", "primary", "candidate")
    """Fields that an approver agrees to, never drifting numbers (LSN, lag). One that is added changes the digest of plans
    that wait for approval at that moment."""

    cluster: str
    """Name of the target."""
    mode: Mode
    primary: str = ""
    """Who leads now; empty where nobody does, or nothing is led."""
    candidate: str = ""
    """Who would lead."""
    steps: tuple[str, ...] = ()
    """What will happen, one sentence a step, in order."""
    diagnosis: Diagnosis | None = None
    """Forced: what has become of the old leader."""
    lossless: bool = True
    """Everything that was acknowledged is provably kept."""
    loss: str = ""
    """Why, or how much may be lost."""
    attestation: str = ""
    """What ends the wait for an old leader that does not answer, or must be said of one that does; empty: nothing."""
    headline: str = ""
    """What changes, in a few words."""
    remarks: tuple[str, ...] = ()
    """What else an approver must know."""
    digest: str = ""
    """Short hash of the decisions."""

    def decisions(self) -> dict[str, Any]:
        """Return what an approver agrees to."""
        return self.model_dump(mode="json", include=set(self.decided_by))

    @property
    def suspect(self) -> str:
        """What an attestation is about: the old leader, or the node."""
        return self.primary

    @property
    def attested(self) -> str:
        """What a person has said who attests."""
        return f"{self.suspect} is stopped"

    def sealed(self) -> Self:
        """Return the plan with its digest, and with what readers who know only this class show."""
        told = {"headline": self.heading(), "remarks": self.about()}
        return self.model_copy(update={"digest": digest_of(self.decisions()), **told})

    def of_run(self, first_run_id: str) -> Self:
        """Return the same plan with the digest of one run: an approval of another run's equal plan does not fit it."""
        bound = digest_of({"plan": self.digest, "run": first_run_id})
        return self.model_copy(update={"digest": bound})

    def heading(self) -> str:
        """Return what changes, in a few words."""
        return f"{self.primary or 'nobody'} → {self.candidate}"

    def about(self) -> tuple[str, ...]:
        """Return what else an approver must know."""
        return ()

    def warned(self) -> tuple[str, ...]:
        """Return what should be mended before the procedure is needed: it would go on all the same."""
        return ()


_PROSE = {"steps", "loss", "headline", "remarks", "candidates", "left_behind"}


def _orders(plan: Plan) -> dict[str, Any]:
    return plan.model_dump(mode="json", exclude=_PROSE, exclude_none=True)


P = TypeVar("P", bound=Plan)
Orders = Annotated[P, PlainSerializer(_orders)]
"""A plan as a step needs it: what is decided, without what only people read. It is in a run's history a dozen times."""

NOTHING_OF_POSTGRES: dict[str, Any] = {"timeline": 0, "system_identifier": "", "sync": "", "applications": []}
"""In the digests of Redis and pod plans since their first version: a vote that is given, or recorded, must still fit."""


def digest_of(decisions: dict[str, Any]) -> str:
    """Return the short hash of decisions."""
    return hashlib.sha256(json.dumps(decisions, sort_keys=True).encode()).hexdigest()[:_DIGEST_LENGTH]
