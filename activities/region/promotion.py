"""Asks Azure to promote the replica, once, and waits for the end of what it began.

Azure's interface has no key that makes a repeated request harmless, and its answer may be lost after it was obeyed. So each
attempt looks first: a server that leads is done, one that is not ready is busy, and only one that is ready and
follows is asked for. An attempt after the first waits a moment before it asks, since the one before may have been
heard although nobody was told.

The wait needs no memory but the operation's address. Without it, or once Azure has forgotten the operation, the server
itself tells: its role and its state.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from functools import partial

from temporalio import activity

from activities.clients.asking import NO_ANSWER, patiently
from activities.clients.flexible_ports import FlexibleServers, FlexibleSql
from activities.clients.operation_facts import OperationFact, OperationState
from activities.clients.ports import BusyError, ForbiddenError, MissingError, RequestRefusedError, UnreachableError
from activities.region.models import READY, Await, AzureFact, Begun, Ended, Follow, Followed, PromoteOrder, Promotion, Role
from activities.region.operation_watch import IDLE, OperationWatch
from activities.run.declare import step
from activities.run.errors import Refusal, refuse, retry_in
from activities.run.polling import NotYetError, sleep, until
from activities.run.postures import FORWARD, READ_LONG, lasting

_HEARD_WITHIN = timedelta(seconds=5)
"""How long Azure may take to show that it has accepted a promotion. Not documented; it answers the request itself only after
it has begun the operation."""
_LOOKS_FOR_IT = 5
_FRESH = timedelta(seconds=2)
"""So old a look at the old primary is believed. Workers' clocks are compared with Temporal's."""
_UNHEARD = (UnreachableError, BusyError)
_SOON = lasting(FORWARD, attempt=timedelta(minutes=2), within=timedelta(minutes=15))
"""Nobody can cancel meanwhile. A person may start again: that asks for nothing twice."""
_LONG = lasting(FORWARD, attempt=timedelta(hours=12), within=timedelta(days=1))


class PromotionActivities:
    """The changing half of ``postgres-region-failover``."""

    def __init__(self, servers: FlexibleServers, sql: FlexibleSql) -> None:
        """Ask Azure by ``servers``, and the old primary itself by ``sql``."""
        self._servers, self._sql = servers, sql

    @step("region.promote", _SOON, lambda order: f"promote {order.server} ({order.mode.value} switchover)")
    async def promote(self, order: PromoteOrder) -> Begun:
        """Have the promotion begin. Safe to repeat: a server that leads already, or is not Ready, is not asked for again.

        Raises:
            ApplicationError: ``PromotionRefused``, Azure said no to the first request and has done nothing; else it is
                tried again. ``PrimaryAlive``, the old primary was given up as silent and answers again; nothing is asked.

        """
        try:
            fact = await self._as_it_is(order)
            if (found := _found(order, fact)) is not None:
                return found
            await self._must_be_silent(order)
            operation = await self._servers.promote(order.target, order.server, order.old, order.mode)
        except BusyError as error:
            return Begun(at=_now(), busy=str(error)[:500], after=error.after)
        except (ForbiddenError, MissingError, RequestRefusedError) as error:
            if activity.info().attempt > 1:  # an earlier attempt may have been heard: both servers' roles will tell
                return Begun(at=_now(), going_on=True)
            raise refuse(Refusal.PROMOTION_REFUSED, str(error)) from error
        except UnreachableError as error:
            raise retry_in(timedelta(seconds=1), str(error)) from error
        return Begun(at=_now(), operation=operation)

    async def _must_be_silent(self, order: PromoteOrder) -> None:
        """Look at the old primary again, where time has passed since it was seen to be silent: it may be back."""
        if order.silent_at is None or (activity.info().attempt == 1 and _now() - order.silent_at < _FRESH):
            return
        try:
            answers = (await self._sql.facts(order.target, order.old)).in_recovery is False
        except UnreachableError as error:
            answers = error.silence.is_answer
        if answers:
            words = f"{order.old} was silent and answers again: nothing was promoted; start again"
            raise refuse(Refusal.PRIMARY_ALIVE, words)

    async def _as_it_is(self, order: PromoteOrder) -> AzureFact:
        """Return the server; where a request before this one may have been heard, once that had time to show.

        Each look bears a moment of silence: the whole row of them would begin anew otherwise, and never end while Azure
        throttles.
        """
        ask = partial(self._servers.server, order.target, order.server)
        fact = await patiently(ask, self._servers.poll)
        looks = _LOOKS_FOR_IT if order.again or activity.info().attempt > 1 else 0
        for _ in range(looks):
            if fact.role is Role.PRIMARY or fact.state != READY:
                return fact
            await sleep(_HEARD_WITHIN.total_seconds() / _LOOKS_FOR_IT)
            fact = await patiently(ask, self._servers.poll)
        return fact

    @step("region.await_promotion", _LONG, lambda wait: f"wait until {wait.order.server} leads")
    async def await_promotion(self, wait: Await) -> Promotion:
        """Return how the promotion ended; changes nothing. Silence is waited out until the time is up."""
        watch = _Watch(self._servers, wait)
        while (ended := await watch.look()) is None:
            if _now() >= wait.until:
                return watch.told(Ended.LATE, "it has not ended in time")
            await sleep(watch.pause.total_seconds())
        return ended

    @step("region.await_replica", lasting(READ_LONG, attempt=timedelta(hours=1), within=timedelta(hours=2)),
          lambda wait: f"wait until {wait.order.old} follows")  # fmt: skip
    async def await_replica(self, wait: Follow) -> Followed:
        """Return whether the old primary follows the new one ``within`` the time, by Azure's word. Changes nothing."""
        order, every = wait.order, self._servers.poll.total_seconds()

        async def follows() -> Followed | None:
            fact = await self._servers.server(order.target, order.old)
            if fact.role is Role.REPLICA and fact.source == order.server and fact.state == READY:
                return Followed(name=order.old, follows=True, words=f"replica of {order.server}, Ready")
            raise NotYetError(f"Azure says {fact.role.value}, {fact.state or 'no state'}")

        try:
            return await until(follows, every=every, within=max(wait.within.total_seconds(), 0.5), bears=_UNHEARD)
        except (NotYetError, *NO_ANSWER) as error:
            return Followed(name=order.old, follows=False, words=str(error) or "Azure has not answered in time")


class _Watch(OperationWatch[Promotion]):
    """One wait for one promotion."""

    def __init__(self, servers: FlexibleServers, wait: Await) -> None:
        order = self._order = wait.order
        super().__init__(servers, order.target, order.server, wait.operation)
        self._old, self._was_busy = AzureFact(name=order.old), False

    async def judged(self, operation: OperationFact | None) -> Promotion | None:
        """Return how it ended; in a lost region nobody may answer for the old primary."""
        if self.fact.role is Role.PRIMARY and self.fact.state == READY:
            return self.told(Ended.SUCCEEDED)
        self.said = f"{operation.code}: {operation.message}" if operation is not None and operation.code else self.said
        if self.fact.state != READY:
            self._was_busy = True
            return None
        with contextlib.suppress(*NO_ANSWER):
            self._old = await self.servers.server(self._order.target, self._order.old)
        if operation is not None:
            ends = {OperationState.FAILED: Ended.FAILED, OperationState.BUSY: Ended.BUSY}
            return self.told(ends[operation.state]) if operation.state in ends else None
        self.idle += 1
        if self._was_busy or self.idle >= IDLE:
            return self.told(Ended.UNSEEN, "no operation is known, and it is a replica still")
        return None

    def told(self, ended: Ended, message: str = "") -> Promotion:
        """Return what was seen last."""
        fact, old = self.fact, self._old
        words = "; ".join(said for said in (message, self.said) if said)
        return Promotion(
            ended=ended, at=_now(), role=fact.role, state=fact.state, old_role=old.role, message=words, looks=self.looks
        )


def _found(order: PromoteOrder, fact: AzureFact) -> Begun | None:
    """Return what is so without asking; ``None``: it is Ready, and follows the old primary.

    Raises:
        RequestRefusedError: it is neither a primary nor that one's replica.

    """
    if fact.state != READY:
        return Begun(at=_now(), going_on=True)
    if fact.role is Role.PRIMARY:
        return Begun(at=_now(), already=True)
    if fact.role is not Role.REPLICA or fact.source != order.old:
        words = (
            f"{fact.name} is {fact.role.value}{f' of {fact.source}' if fact.source else ''}, and no replica of {order.old}"
        )
        raise RequestRefusedError(words, "NoReplica")
    return None


def _now() -> datetime:
    return datetime.now(UTC)
