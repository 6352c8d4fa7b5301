"""Moves a lever, once, and sees that it stays; puts it back the same way.

Azure has no etag for these, and its answer may be lost after it was obeyed. So each attempt looks first: a lever that has
the new setting is done, one that has the old setting is asked for, and one with a third setting was changed by somebody
else: then nothing is asked for. Where a request before may have left and no operation of it is known, the lever is watched
for as long as such a change takes, before it is asked for again, and before it counts as never changed. A lever that Azure
is changing is waited for. A lever in the state *Failed* has not taken its setting: it is asked for again.

Between the look and the request another one's change can still slip in and be overwritten: Azure offers nothing against
that. The look after the end tells whether the lever has kept what this run has set.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio import activity

from activities.clients.ports import BusyError, UnreachableError
from activities.clients.traffic_ports import Levers, TrafficClients
from activities.run.declare import step
from activities.run.errors import Refusal, refuse, retry_in
from activities.run.polling import sleep
from activities.run.postures import CHANGE, COMPENSATE, lasting
from activities.traffic.models import (
    SUCCEEDED,
    Applied,
    AwaitChange,
    Begun,
    Change,
    ChangeOrder,
    Ended,
    LeverFact,
    Restored,
    RestoreOrder,
)
from activities.traffic.sending import SAYS_NO, SETTLED, Sent, must_be_as_before, now
from activities.traffic.watching import SHOWN_WITHIN, Watch, as_it_is, heard_or_not

ATTEMPT = timedelta(minutes=5)
"""Of one request for a change: longer than a change takes that was heard and is not seen yet."""
_SOON = lasting(CHANGE, attempt=ATTEMPT, within=timedelta(minutes=15))
_LONG = lasting(CHANGE, attempt=timedelta(hours=12), within=timedelta(hours=13))
_ONE_ATTEMPT = timedelta(hours=1)
_BACK = lasting(COMPENSATE, attempt=_ONE_ATTEMPT, within=timedelta(hours=3))
_INSISTS = timedelta(minutes=5)
"""How long a no of Azure to an undo is not believed: a role or a token may be missing for a moment."""
_PAUSES = 5
"""Looks' time between two requests for the same undo."""


class TrafficChangeActivities:
    """The changing half of ``dns-failover``."""

    def __init__(self, clients: TrafficClients) -> None:
        """Ask by ``clients``."""
        self._clients = clients

    @step("traffic.change", _SOON, lambda order: str(order.change))
    async def change(self, order: ChangeOrder) -> Begun:
        """Have the change begin, or tell why not. Safe to repeat: a lever that is so already is not asked for again.

        Raises:
            ApplicationError: ``ChangedByAnother``, the lever has neither the old setting nor the new one. Nothing was done.
                Else it is tried again.

        """
        levers, sent = self._clients.of(order.change.lever.side), Sent()
        try:
            return await _begun(levers, order, sent)
        except BusyError as error:
            begun = Begun(at=now(), busy=str(error)[:500], after_seconds=_seconds(error.after))
        except SAYS_NO as error:
            begun = Begun(at=now(), refused=str(error)[:500])
        except UnreachableError as error:
            raise retry_in(timedelta(seconds=1), str(error)) from error
        return begun.model_copy(update={"asked": order.again or sent.maybe})

    @step("traffic.await_change", _LONG, lambda wait: f"wait for {wait.order.change}")
    async def await_change(self, wait: AwaitChange) -> Applied:
        """Return how the change ended; changes nothing. Silence is waited out until the time is up."""
        return await Watch(self._clients.of(wait.order.change.lever.side), wait).end()

    @step("traffic.restore", _BACK, lambda request: f"put back: {request.order.change.backwards}")
    async def restore(self, request: RestoreOrder) -> Restored:
        """Put the lever back as it was, exactly. Safe to repeat; a lever that somebody else has changed is left alone.

        Raises:
            ApplicationError: ``ChangedByAnother``, names how it is now; ``NotAvailable``, Azure said no for some minutes;
                ``Busy``, Azure is still changing it after an hour.

        """
        change = request.order.change
        levers, until = self._clients.of(change.lever.side), now() + _ONE_ATTEMPT - timedelta(minutes=1)
        try:
            moved = await _put_back(levers, request, until)
        except BusyError as error:
            raise retry_in(error.after or levers.poll * _PAUSES, str(error)) from error
        except SAYS_NO as error:
            if now() - activity.info().scheduled_time < _INSISTS:
                raise retry_in(levers.poll * _PAUSES, str(error)) from error
            raise refuse(Refusal.NOT_AVAILABLE, str(error)) from error
        except UnreachableError as error:
            raise retry_in(timedelta(seconds=1), str(error)) from error
        return Restored(message=f"{change.lever.side} {change.lever} {change.name}: {change.before}", moved=moved)


async def _begun(levers: Levers, order: ChangeOrder, sent: Sent) -> Begun:
    doubt = order.unsure or sent.maybe
    fact = await as_it_is(levers, order, looks=SHOWN_WITHIN[order.change.lever.side] if doubt else 0)
    if _is_so(order.change, fact):
        mine = order.again or sent.maybe
        return Begun(at=now(), already=not mine, asked=mine, operation=sent.operation)
    if fact.state not in SETTLED:
        raise BusyError(f"Azure is changing {fact.lever} {fact.name} ({fact.state})")
    must_be_as_before(order.change, fact)
    return Begun(at=now(), operation=await sent.ask(levers, order))


async def _put_back(levers: Levers, request: RestoreOrder, until: datetime) -> bool:
    """Return whether the lever was otherwise, once it is as it was."""
    order, sent = request.order, Sent()
    back = order.model_copy(update={"change": order.change.backwards})
    if sent.maybe:
        await heard_or_not(levers, AwaitChange(order=back, operation=sent.operation, until=until))
    else:
        await heard_or_not(levers, AwaitChange(order=order, operation=request.operation, until=until))
    fact, moved = await levers.lever(order.target, order.change), sent.maybe
    while not _is_so(back.change, fact):
        if now() >= until:
            raise refuse(Refusal.BUSY, f"Azure is still changing it after {_ONE_ATTEMPT} ({fact.state})")
        moved = moved or fact.setting != back.change.after
        if fact.state in SETTLED:
            await _ask_back(levers, back, sent, until)
        await sleep(levers.poll.total_seconds())
        fact = await levers.lever(order.target, order.change)
    return moved or sent.maybe


async def _ask_back(levers: Levers, back: ChangeOrder, sent: Sent, until: datetime) -> None:
    operation = await sent.ask(levers, back)
    ended = await Watch(levers, AwaitChange(order=back, operation=operation, until=until)).end()
    if ended.ended not in {Ended.DONE, Ended.OVERTAKEN}:
        raise BusyError(f"{back.change}: {ended.ended.value} {ended.message}")


def _is_so(change: Change, fact: LeverFact) -> bool:
    """Whether the lever has taken the new setting."""
    return fact.setting == change.after and fact.state == SUCCEEDED


def _seconds(after: timedelta | None) -> float | None:
    return after.total_seconds() if after is not None else None
