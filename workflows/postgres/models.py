"""What people send to PostgreSQL procedures."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import ByteSize, Field

from workflows.run.durations import Duration
from workflows.run.models import FailoverMode, Input, Person, Reason, Request, Run, ShortName, lock_of

SUBJECT = "postgres"
LONGEST_PAUSE = timedelta(days=7)
"""A pause that is forgotten leaves a cluster without redundancy."""


class _OfCluster(Request):
    """What concerns one PostgreSQL cluster."""

    subject = SUBJECT
    names = "cluster"

    cluster: ShortName


class FailoverRequest(_OfCluster):
    """Input of ``postgres-failover``."""

    modes = ("planned", "forced")
    instead: ClassVar = {"member": "use --to to say who is to lead"}

    mode: FailoverMode
    to: ShortName | None = None
    """Member that is to lead; ``None`` chooses the best standby."""
    attest: bool = False
    """Forced: ``by`` says that the old primary is stopped, or is to be stopped at any price."""


class RollbackMode(StrEnum):
    """What becomes of the writes made since the promotion."""

    LOSSLESS = "lossless"
    """Kept: the member that led before catches up first."""
    DISCARD = "discard"
    """Given up, within the caps: the member that led before leads again as it is."""


class RollbackRequest(_OfCluster):
    """Input of ``postgres-rollback``."""

    modes = ("lossless", "discard")
    instead: ClassVar = dict.fromkeys(("member", "to"), "leave it out: writes go back to who led before")

    mode: RollbackMode = RollbackMode.LOSSLESS
    max_bytes: ByteSize | None = Field(default=None, ge=0)
    """Discard: WAL written since the promotion that may be given up, for example ``1MiB``."""
    max_transactions: int | None = Field(default=None, ge=0)
    """Discard: transactions begun since the promotion that may be given up."""

    @property
    def fault(self) -> str | None:
        """What is wrong with the request as a whole."""
        caps = (self.max_bytes, self.max_transactions)
        only_looks = self.run is Run.PLAN and caps == (None, None)
        if self.mode is RollbackMode.DISCARD and None in caps and not only_looks:
            return "max_bytes, max_transactions: mode discard needs both; how much may be lost?"
        if self.mode is not RollbackMode.DISCARD and caps != (None, None):
            return "max_bytes, max_transactions: only for mode discard; lossless loses nothing"
        return super().fault


class RejoinRequest(_OfCluster):
    """Input of ``postgres-rejoin``."""

    kind = "rejoin"
    instead: ClassVar = {"to": "use --member to say whom to bring back"}

    member: ShortName | None = None
    """Member to bring back; ``None`` means every member that does not follow the leader."""


class AdoptRequest(_OfCluster):
    """Input of ``postgres-adopt``."""

    kind = "adopt"
    options: ClassVar = {"to": "leader"}
    instead: ClassVar = {"member": "use --to to say who was the primary"}

    leader: ShortName | None = None
    """Member that was the primary; ``None`` takes the one whose directory is no standby's."""


def _missing(request: Input, *names: str, why: str) -> str | None:
    """Return the first of the fields ``names`` that is empty, and ``why`` it is needed; ``None`` when all are given."""
    missing = [name for name in names if not (getattr(request, name) or "").strip()]
    return f"{missing[0]}: missing; {why}" if missing else None


class PauseRequest(Input):
    """Input of ``postgres-pause``."""

    cluster: ShortName

    lasts: Duration | None = None
    """How long from now on: ``2h``, ``1d``, ``PT90M``."""
    off: bool = False
    """End the pause."""
    by: Person = ""
    reason: Reason = ""

    @property
    def fault(self) -> str | None:
        """What is wrong with the request as a whole, field first; ``None`` when nothing is."""
        if self.off:
            return None if self.lasts is None else "lasts: a pause is ended by off: give one of the two"
        if self.lasts is None:
            return 'lasts: missing; give it, for example {"lasts": "2h"}, or {"off": true} to end the pause'
        if not timedelta(0) < self.lasts <= LONGEST_PAUSE:
            return f"lasts: {self.lasts} is no pause; more than nothing, and at most {LONGEST_PAUSE.days} days"
        return _missing(self, "by", "reason", why="who finds the pause must know who asked and why")


class RepairRequest(Input):
    """Input of ``postgres-repair``."""

    cluster: ShortName
    leader: ShortName | None = None
    """Where nobody runs as primary: the member that led last."""
    dry_run: bool = False
    """Only say what would be changed."""
    by: Person = ""
    reason: Reason = ""

    @property
    def fault(self) -> str | None:
        """What is wrong with the request as a whole, field first; ``None`` when nothing is."""
        if self.dry_run:
            return None
        return _missing(self, "by", "reason", why="it says who leads: give your name and why")


class KeptRequest(Input):
    """Input of ``postgres-kept``: what members keep aside; with ``remove`` one thing is removed first."""

    cluster: ShortName
    member: ShortName | None = None
    remove: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """Its name, as the list has it."""
    by: Person = ""
    reason: Reason = ""

    @property
    def fault(self) -> str | None:
        """What is wrong with the request as a whole, field first; ``None`` when nothing is."""
        if self.remove is None:
            return None
        why = "it is removed for good: say whose it is, who you are and why"
        return _missing(self, "member", "by", "reason", why=why)


def kept_id(cluster: str) -> str:
    """Return the workflow ID of a look through what ``cluster`` keeps aside. It is no lock on anything else."""
    return f"kept/{lock_id(cluster)}"


def repair_id(cluster: str) -> str:
    """Return the workflow ID of a repair of ``cluster``'s leader record. It is no lock on anything else."""
    return f"repair/{lock_id(cluster)}"


def lock_id(cluster: str) -> str:
    """Return the workflow ID of a run that changes ``cluster``."""
    return lock_of(SUBJECT, cluster)


def pause_id(cluster: str) -> str:
    """Return the workflow ID of a change of ``cluster``'s pause. It is no lock on anything else."""
    return f"pause/{lock_id(cluster)}"
