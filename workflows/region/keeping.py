"""What goes on beside a region's failover: its Lease is renewed, and the objective's clock is watched.

The run itself renews the Lease: a run that Temporal does not carry on any more lets it expire, and a break-glass run
elsewhere may begin. A renewal that fails is no fault: the run looks at the Lease before each change. One that shows that
another run has the Lease ends what goes on, as long as nothing is promoted.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

from activities.region.failover_models import RegionDetails, RegionOrder
from activities.region.lease import LeaseActivities
from activities.run.errors import Refusal
from workflows.run import outcome
from workflows.run.cancelling import cancel_and_wait
from workflows.run.phases import Phase
from workflows.run.recovering import seconds_within
from workflows.run.state import RunState
from workflows.run.steps import step
from workflows.run.uncancellable import uncancellable

RENEWED_EVERY = timedelta(seconds=100)
"""A third of what a Lease lasts: two renewals may fail."""
_WARNED_AT = 0.75
"""Part of the objective after which the run warns."""


class Clock:
    """How much of the objective is left. The time in which people were asked, or held the run, does not count."""

    def __init__(self, state: RunState[RegionDetails], since: datetime, rto: timedelta) -> None:
        """Count from ``since``."""
        self._state, self.since, self._rto = state, since, rto

    @property
    def left(self) -> timedelta:
        """What is left; negative once it is missed."""
        now = workflow.now()
        held_since = self._state.control.held_since
        spans = (*self._state.waited_for_people, *(((held_since, now),) if held_since else ()))
        people = seconds_within(spans, self.since, now)
        return self._rto - (now - self.since) + timedelta(seconds=people)

    def told(self, words: str) -> str:
        """Return ``words`` with what is left."""
        left, rto = self.left, _minutes(self._rto)
        if left < timedelta(0):
            return f"{words}; the objective of {rto} is missed by {_minutes(-left)}"
        return f"{words}; {_minutes(left)} of {rto} are left"

    def warn(self) -> None:
        """Say in the run's status that the objective is about to be missed, or is."""
        if self.left > self._rto * (1 - _WARNED_AT):
            return
        self._state.remark = self.told("OBJECTIVE AT RISK")
        self._state.show()


def _minutes(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    if not hours and not minutes:
        return f"{seconds} s"
    return f"{hours} h {minutes} min" if hours and minutes else f"{hours} h" if hours else f"{minutes} min"


class Keeping:
    """``async with Keeping(state, order, clock)``: the Lease is renewed while the block lasts.

    A run that has lost its Lease before the point of no return is cancelled where it is, a child that promotes included: the
    block then ends with ``Superseded``.
    """

    def __init__(self, state: RunState[RegionDetails], order: RegionOrder, clock: Clock) -> None:
        """Renew for ``order``."""
        self._state, self._order, self._clock = state, order, clock
        self._lost: FailureError | None = None

    async def __aenter__(self) -> Self:
        """Begin."""
        self._block = asyncio.current_task()
        self._task = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End. A run that a worker forgets ends in another way, and must do nothing more."""
        if error is None or isinstance(error, asyncio.CancelledError | FailureError):
            await uncancellable(cancel_and_wait(self._task))
        if error is not None and self._lost is not None and outcome.cause_of(error)[0] != Refusal.ROLLBACK_INCOMPLETE:
            raise self._lost from error

    async def _keep(self) -> None:
        while True:
            await workflow.sleep(RENEWED_EVERY, summary="renew the Lease")
            self._clock.warn()
            try:
                await step(LeaseActivities.hold, self._order)
            except FailureError as error:
                if is_cancelled_exception(error):
                    raise
                workflow.logger.warning("The Lease was not renewed", exc_info=error)
                if outcome.cause_of(error)[0] == Refusal.SUPERSEDED and self._may_stop:
                    self._lost = error
                    self._block.cancel()  # type: ignore[union-attr]
                    return

    @property
    def _may_stop(self) -> bool:
        return not self._state.forward_only and self._state.phase is not Phase.UNDOING
