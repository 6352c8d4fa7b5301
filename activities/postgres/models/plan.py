"""What a PostgreSQL procedure is going to do, and what it may cost."""

from __future__ import annotations

from typing import Any

from activities.run.models.plan import Candidate, Plan
from activities.run.models.wire import Wire
from estate.postgres import Application


class Loss(Wire):
    """What has been written since a promotion, and is lost when that promotion is given up.

    An upper bound: WAL that carries no write counts too, and so does a transaction that was rolled back.
    """

    bytes: int
    transactions: int
    """Without those of ``failover`` itself, as far as they were counted (``SqlFact.own_transactions``)."""


class GiveUp(Wire):
    """Discard: what is given up, from where on, and how much of it may be."""

    timeline: int
    """The new primary's, which is given up."""
    history: tuple[tuple[int, str], ...]
    """Its earlier timelines and where each was left, oldest first."""
    promoted_xid: int
    """Transactions from this one on were begun after the promotion."""
    own: int = 0
    """How many of them were writes of ``failover`` itself, which nobody misses: a run measures, and verifies the route."""
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


class PostgresPlan(Plan):
    """Which member leads next, and from which record the plan was made."""

    decided_by = (*Plan.decided_by, "timeline", "system_identifier", "sync", "applications")

    epoch: int = 0
    """Epoch of the record that the plan was made from; the claim takes the next one."""
    timeline: int = 0
    system_identifier: str = ""
    sync: str = ""
    candidates: tuple[Candidate, ...] = ()
    applications: tuple[Application, ...] = ()
    idle: tuple[str, ...] = ()
    """Applications that were not seen to write before: nothing is waited for that they did not do."""
    weak_commits: tuple[str, ...] = ()
    """Forced: whose commits are acknowledged without waiting for a standby, and may be lost."""
    keeps_what_waited: bool = False
    """Forced: every commit that waited for a standby is provably kept; with ``weak_commits`` that is not every commit."""
    other_wal: tuple[str, ...] = ()
    """Forced: standbys whose positions say nothing of what the candidate lacks: theirs is WAL of another history."""
    left_behind: tuple[str, ...] = ()
    """What the candidate will not have although every acknowledged write is kept, one sentence a kind."""
    give_up: GiveUp | None = None
    """Discard: what is given up."""

    def about(self) -> tuple[str, ...]:
        """Return what else an approver must know."""
        lines = [f"timeline {self.timeline}, epoch {self.epoch} → {self.epoch + 1}, synchronous standby: {self.sync}"]
        if self.give_up is not None:
            lines += [f"loss: {self.loss}"] if self.loss else []
            own = self.give_up.own
            lines += [f"not in that loss: {own} transactions of failover itself (it measured, and verified)"] if own else []
            lines += [f"the data of the lost transactions is kept in {self.give_up.kept}"]
        lines += [f"not carried over: {what}" for what in self.left_behind]
        return tuple(lines) if self.timeline else ()

    def warned(self) -> tuple[str, ...]:
        """Return who could not lead, what would not be carried over, and what hinders the applications."""
        unfit = (f"{one.name} could not lead: {one.reason}" for one in self.candidates if not one.eligible)
        return (*unfit, *(one for one in self.remarks if one not in self._always_said))

    @property
    def _always_said(self) -> tuple[str, ...]:
        """What ``about`` says of every plan."""
        return self.about()[: len(self.about()) - len(self.left_behind)]

    def decisions(self) -> dict[str, Any]:
        """Return what an approver agrees to; a loss only where there may be one."""
        decisions = super().decisions()
        if not self.lossless:
            decisions["lossless"] = False
        if self.weak_commits:
            decisions["weak_commits"] = list(self.weak_commits)
        if self.other_wal:
            decisions["other_wal"] = list(self.other_wal)
        if self.give_up is not None:
            decisions["give_up"] = self.give_up.model_dump(mode="json", exclude={"so_far", "kept", "own"})
        return decisions
