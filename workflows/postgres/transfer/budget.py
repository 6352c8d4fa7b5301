"""The outage budget of a planned switch: how long clients may wait for writes before it is undone, whatever the cause.

A planned switch is a choice, and the old primary is intact. So what does not come to its end soon, or fails in a way that
another try might mend, is no reason to keep writes stopped. The budget begins with the fence. What is left of it is all the
time that the fence and the promotion have, all their attempts included; then writes go back (``postgres.give_back``).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.postgres.models.transfer import Switch
from activities.run.errors import Refusal, refuse
from activities.run.postures import Posture, lasting
from gate.record import Mode
from workflows.run.outcome import cause_of, is_answer, was_cancelled

_LEAST = timedelta(seconds=0.5)
"""A promotion that has begun late still gets so long: it needs a tenth of that, and the undo more."""


class OutageBudget:
    """Of one switch; without a limit for those that are forced, or that lose something."""

    def __init__(self, switch: Switch) -> None:
        """Take the limit from the target's thresholds."""
        self._allowed = switch.target.cluster.thresholds.outage_budget if switch.plan.mode is Mode.PLANNED else None
        self._began: datetime | None = None

    def begin(self) -> None:
        """From here on writes are stopped."""
        self._began = workflow.now()

    def within(self, usual: Posture) -> Posture:
        """Return how long to insist on a step: as it says itself (``usual``), but within what is left of the budget."""
        if self._allowed is None:
            return usual
        left = max(self._left, _LEAST)
        return lasting(
            usual,
            attempt=min(usual["start_to_close_timeout"], left),
            within=min(usual["schedule_to_close_timeout"], left),
        )

    def named(self, error: BaseException) -> BaseException:
        """Return ``error``, or a sentence with the budget where another attempt might have come to the end of the step."""
        if self._allowed is None or self._began is None or not isinstance(error, FailureError):
            return error
        if was_cancelled(error) or is_answer(error):
            return error
        why = f"not done within the outage budget of {self._allowed.total_seconds():g} s"
        return refuse(Refusal.BUDGET_SPENT, f"{why}: {cause_of(error)[1]}")

    @property
    def _left(self) -> timedelta:
        if self._allowed is None or self._began is None:
            return timedelta.max
        return self._allowed - (workflow.now() - self._began)
