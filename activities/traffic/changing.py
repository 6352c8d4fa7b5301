"""Moves a lever, once, and sees that it stays; puts it back the same way.

Azure has no etag for these, and its answer may be lost after it was obeyed. So each attempt looks first: a lever that has
the new setting is done, one that has the old setting is asked for, and one with a third setting was changed by somebody
else: then nothing is asked for. A request after the first waits a moment before it asks, since the one before may have been
heard although nobody was told. A lever that Azure is changing is waited for.

Between the look and the request another one's change can still slip in and be overwritten: Azure offers nothing against
that. The look after the end tells whether the lever has kept what this run has set.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.clients.operation_facts import OperationState
from activities.clients.ports import BusyError, ForbiddenError, MissingError, RequestRefusedError, UnreachableError
from activities.clients.traffic_ports import Levers, TrafficClients
from activities.run.declare import step
from activities.run.errors import Refusal, refuse, retry_in
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

_HEARD_WITHIN = timedelta(seconds=5)
"""How long Azure may take to show that it has accepted a change. Not documented."""
_LOOKS_FOR_IT = 5
_MISSES = 5
"""Looks in a row at which Azure does not know the operation until it is given up: it may not be visible everywhere yet."""
_IDLE = 15
"""Looks at a lever that has its old setting, with no operation under way, until the change counts as not made."""
_BADLY = {OperationState.FAILED: Ended.FAILED, OperationState.BUSY: Ended.BUSY}
_ENDS = {SUCCEEDED, "Failed", "Canceled"}
_SOON = lasting(CHANGE, attempt=timedelta(minutes=2), within=timedelta(minutes=5))
_LONG = lasting(CHANGE, attempt=timedelta(hours=12), within=timedelta(hours=13))
_ONE_ATTEMPT = timedelta(hours=1)
_BACK = lasting(COMPENSATE, attempt=_ONE_ATTEMPT, within=timedelta(hours=3))
_NO = (ForbiddenError, MissingError, RequestRefusedError)


class TrafficChangeActivities:
    """The changing half of ``dns-failover``."""

    def __init__(self, clients: TrafficClients) -> None:
        """Ask by ``clients``."""
        self._clients = clients

    @step("traffic.change", _SOON, lambda order: str(order.change))
    async def change(self, order: ChangeOrder) -> Begun:
        """Have the change begin. Safe to repeat: a lever that is so already is not asked for again.

        Raises:
            ApplicationError: ``ChangedByAnother``, the lever has neither the old setting nor the new one;
                ``NotAvailable``, Azure said no. Nothing was done. Else it is tried again.

        """
        levers, asked = self._clients.of(order.change.lever.side), order.again or activity.info().attempt > 1
        try:
            fact = await _as_it_is(levers, order, looks=_LOOKS_FOR_IT if asked else 0)
            if fact.setting == order.change.after:
                return Begun(at=_now(), already=not asked)
            if fact.state not in _ENDS:
                return Begun(at=_now(), busy=f"Azure is changing {fact.lever} {fact.name} ({fact.state})")
            _must_be_as_before(order.change, fact)
            return Begun(at=_now(), operation=await levers.set(order.target, order.change))
        except BusyError as error:
            return Begun(at=_now(), busy=str(error)[:500], after_seconds=_seconds(error.after))
        except _NO as error:
            raise refuse(Refusal.NOT_AVAILABLE, str(error)) from error
        except UnreachableError as error:
            raise retry_in(timedelta(seconds=1), str(error)) from error

    @step("traffic.await_change", _LONG, lambda wait: f"wait for {wait.order.change}")
    async def await_change(self, wait: AwaitChange) -> Applied:
        """Return how the change ended; changes nothing. Silence is waited out until the time is up."""
        return await _Watch(self._clients.of(wait.order.change.lever.side), wait).end()

    @step("traffic.restore", _BACK, lambda request: f"put back: {request.order.change.backwards}")
    async def restore(self, request: RestoreOrder) -> Restored:
        """Put the lever back as it was, exactly. Safe to repeat; a lever that somebody else has changed is left alone.

        Raises:
            ApplicationError: ``ChangedByAnother``, names how it is now; ``NotAvailable``, Azure said no.

        """
        order = request.order
        levers, back = self._clients.of(order.change.lever.side), order.model_copy(update={"change": order.change.backwards})
        until = _now() + _ONE_ATTEMPT - timedelta(minutes=1)
        try:
            await _Watch(levers, AwaitChange(order=order, operation=request.operation, until=until)).operation_ends()
            await _as_it_is(levers, order, looks=_LOOKS_FOR_IT)  # the change may have been heard
            again = activity.info().attempt > 1
            fact = await _as_it_is(levers, back, looks=_LOOKS_FOR_IT if again else 0)
            moved = again or fact.state not in _ENDS or fact.setting != back.change.after
            while fact.state not in _ENDS or fact.setting != back.change.after:
                if fact.state in _ENDS:
                    await self._put_back(levers, back, fact, until)
                await asyncio.sleep(levers.poll.total_seconds())
                fact = await levers.lever(order.target, order.change)
        except BusyError as error:
            raise retry_in(error.after or levers.poll, str(error)) from error
        except _NO as error:
            raise refuse(Refusal.NOT_AVAILABLE, str(error)) from error
        except UnreachableError as error:
            raise retry_in(timedelta(seconds=1), str(error)) from error
        told = f"{back.change.lever.side} {back.change.lever} {back.change.name}: {back.change.after}"
        return Restored(message=told, moved=moved)

    async def _put_back(self, levers: Levers, back: ChangeOrder, fact: LeverFact, until: datetime) -> None:
        _must_be_as_before(back.change, fact)
        operation = await levers.set(back.target, back.change)
        ended = await _Watch(levers, AwaitChange(order=back, operation=operation, until=until)).end()
        if ended.ended not in {Ended.DONE, Ended.OVERTAKEN}:
            raise BusyError(f"{back.change}: {ended.ended.value} {ended.message}")


async def _as_it_is(levers: Levers, order: ChangeOrder, *, looks: int) -> LeverFact:
    """Return the lever; where a request before may have been heard, once that had time to show."""
    fact = await levers.lever(order.target, order.change)
    for _ in range(looks):
        if fact.setting != order.change.before or fact.state not in _ENDS:
            return fact
        await asyncio.sleep(_HEARD_WITHIN.total_seconds() / _LOOKS_FOR_IT)
        fact = await levers.lever(order.target, order.change)
    return fact


def _must_be_as_before(change: Change, fact: LeverFact) -> None:
    if fact.setting != change.before:
        words = f"{change.lever.side} {change.lever} {change.name} was {change.before}, and is {fact.setting} now"
        raise refuse(Refusal.CHANGED_BY_ANOTHER, f"{words}: somebody else has changed it, and it was left so")


class _Watch:
    """One wait for one change."""

    def __init__(self, levers: Levers, wait: AwaitChange) -> None:
        self._levers, self._order, self._until, self._operation = levers, wait.order, wait.until, wait.operation
        self._misses, self._idle, self._said = 0, 0, ""
        self._pause = levers.poll

    async def operation_ends(self) -> None:
        """Wait until Azure works on the change no more, as far as that can be known."""
        while self._operation and _now() < self._until:
            self._pause = self._levers.poll
            with contextlib.suppress(UnreachableError, BusyError):
                if (await self._of_operation())[0] is not OperationState.RUNNING:
                    return
            await asyncio.sleep(self._pause.total_seconds())

    async def end(self) -> Applied:
        while True:
            try:
                self._pause = self._levers.poll
                if (ended := await self._look()) is not None:
                    return ended
            except (UnreachableError, BusyError, *_NO) as error:
                self._said = str(error)[:500]
                self._pause = (error.after if isinstance(error, BusyError) else None) or self._pause
            if _now() >= self._until:
                return Applied(ended=Ended.LATE, at=_now(), message=self._said or "Azure has not ended it in time")
            await asyncio.sleep(self._pause.total_seconds())

    async def _look(self) -> Applied | None:
        state, said = await self._of_operation()
        change = self._order.change
        fact = None if state is OperationState.RUNNING else await self._levers.lever(self._order.target, change)
        if fact is None or fact.state not in _ENDS:
            return None
        if fact.setting == change.after:
            rest_changed = bool(change.rest) and fact.rest != change.rest
            return Applied(ended=Ended.DONE, at=_now(), rest_changed=rest_changed)
        if fact.setting != change.before:
            return Applied(ended=Ended.OVERTAKEN, at=_now(), message=f"it is {fact.setting} now")
        return self._unmade(state, said, fact)

    def _unmade(self, state: OperationState | None, said: str, fact: LeverFact) -> Applied | None:
        """Return how a change ended of which nothing is seen; ``None``: it may be seen a moment later."""
        if state in _BADLY:
            return Applied(ended=_BADLY[state], at=_now(), message=said)
        self._idle += 1
        if self._idle < _IDLE:
            return None
        unseen = Ended.BUSY if state is None else Ended.OVERTAKEN
        return Applied(ended=unseen, at=_now(), message=f"it is {fact.setting} still, or again")

    async def _of_operation(self) -> tuple[OperationState | None, str]:
        """Return how the operation stands; ``None``: the lever itself must tell."""
        if not self._operation:
            return None, ""
        try:
            fact = await self._levers.operation(self._order.target, self._operation)
        except _NO as error:
            self._misses += 1
            self._operation = "" if self._misses >= _MISSES else self._operation
            raise UnreachableError(str(error)) from error
        self._misses = 0
        self._pause = fact.after or self._pause
        return fact.state, f"{fact.code}: {fact.message}" if fact.code else ""


def _seconds(after: timedelta | None) -> float | None:
    return after.total_seconds() if after is not None else None


def _now() -> datetime:
    return datetime.now(UTC)
