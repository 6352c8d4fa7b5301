"""Sends one request for a change, and keeps with the step's heartbeat that it may have left.

A worker may die, or stand still for a while, at any line. So that a request may have left is told to Temporal before it
leaves: the next attempt then knows that a change may come which nobody has seen yet. The lever is looked at directly before
the request. If the worker has stood still since, or the step was cancelled, nothing is sent: the look is out of date, and
the run may be over.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.clients.ports import BusyError, ForbiddenError, MissingError, RequestRefusedError, UnreachableError
from activities.clients.traffic_ports import Levers
from activities.run.errors import Refusal, refuse
from activities.run.heartbeat import keep_details
from activities.run.polling import sleep
from activities.traffic.models import SUCCEEDED, Change, ChangeOrder, LeverFact

SAYS_NO = (ForbiddenError, MissingError, RequestRefusedError)
"""Azure's answers after which it is certain that nothing was done."""
SETTLED = {SUCCEEDED, "Failed", "Canceled"}
"""States of a lever that Azure does not change just now."""
_TOLD_WITHIN = timedelta(seconds=1.3)
"""A heartbeat is on its way after this time: Temporal's client holds one back for 0.8 of the heartbeat's timeout."""
_STALE = timedelta(seconds=5)
"""Longest time between a look and its request. A lever's answer takes less than 1 s; reading it must not time out."""


class Sent:
    """What the attempts of this step have sent."""

    def __init__(self) -> None:
        """Read what earlier attempts have kept."""
        told = activity.info().heartbeat_details
        self._kept: dict[str, str] = dict(told[0]) if told else {}
        keep_details(self._kept)

    @property
    def maybe(self) -> bool:
        """Whether a request may have left."""
        return "sent" in self._kept

    @property
    def operation(self) -> str:
        """Where Azure tells how the newest request goes; empty: not known."""
        return self._kept.get("sent", "")

    def note(self, operation: str) -> None:
        """Keep that a request may have left, and what it was answered with."""
        self._kept["sent"] = operation
        activity.heartbeat(dict(self._kept))

    def take_back(self, earlier: str | None) -> None:
        """Keep that the newest request has not left: what was known before holds again."""
        if earlier is None:
            self._kept.pop("sent", None)
        else:
            self._kept["sent"] = earlier
        activity.heartbeat(dict(self._kept))

    async def ask(self, levers: Levers, order: ChangeOrder) -> str:
        """Ask once for the change; return its operation.

        Raises:
            ApplicationError: ``ChangedByAnother``; nothing was sent.
            BusyError, ForbiddenError, MissingError, RequestRefusedError: nothing was done.
            UnreachableError: the request may have left, as ``maybe`` says.

        """
        earlier = self._kept.get("sent")
        self.note("")
        try:
            await sleep(_TOLD_WITHIN.total_seconds())
            await _looked_at(levers, order)
        except BaseException:
            self.take_back(earlier)
            raise
        try:
            operation = await levers.set(order.target, order.change)
        except (BusyError, *SAYS_NO):
            self.take_back(earlier)
            raise
        self.note(operation)
        return operation


async def _looked_at(levers: Levers, order: ChangeOrder) -> None:
    """Return if the lever may be asked to change now."""
    began = now()
    fact = await levers.lever(order.target, order.change)
    must_be_as_before(order.change, fact)
    if fact.state not in SETTLED:
        raise BusyError(f"Azure is changing {fact.lever} {fact.name} ({fact.state})")
    if activity.is_cancelled():  # somewhere on the way the cancel was swallowed
        raise asyncio.CancelledError
    if now() - began > _STALE:
        raise UnreachableError(f"{order.change}: the worker stood still after its look; nothing was sent")


def must_be_as_before(change: Change, fact: LeverFact) -> None:
    """Return if the lever has the old setting, or has not taken the new one. ApplicationError: ``ChangedByAnother``."""
    not_taken = fact.setting == change.after and fact.state != SUCCEEDED
    if fact.setting != change.before and not not_taken:
        words = f"{change.lever.side} {change.lever} {change.name} was {change.before}, and is {fact.setting} now"
        raise refuse(Refusal.CHANGED_BY_ANOTHER, f"{words}: somebody else has changed it, and it was left so")


def now() -> datetime:
    """Return the wall clock's time, which goes on while a machine is suspended."""
    return datetime.now(UTC)
