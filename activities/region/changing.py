"""Asks Azure to stop a server, to start one or to give one a standby, once, and waits for the end of what it began.

As with a promotion, an answer may be lost after it was obeyed: each attempt looks first, and one after the first gives Azure
a moment to show what it has heard. Which server leads is part of that look: an old primary is stopped only while the other
one leads, only a replica is started, and only what leads gets a standby.
"""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from functools import partial

from temporalio import activity

from activities.clients.asking import patiently
from activities.clients.flexible_ports import FlexibleServers, FlexibleSql
from activities.clients.operation_facts import OperationFact, OperationState
from activities.clients.ports import BusyError, ForbiddenError, MissingError, RequestRefusedError, UnreachableError
from activities.region.models import READY, AzureFact, Ended, FlexibleSurvey, Role
from activities.region.operation_watch import IDLE, OperationWatch
from activities.region.returning_models import Asked, AwaitServer, Goal, Old, Reached, ServerOrder
from activities.region.standing import STOPPED, leads, standing_of, why_unknown
from activities.region.survey import FlexibleLookActivities
from activities.run.declare import step
from activities.run.errors import retry_in
from activities.run.polling import sleep
from activities.run.postures import FORWARD, lasting

_HEARD_WITHIN = timedelta(seconds=5)
_LOOKS_FOR_IT = 5
_SOON = lasting(FORWARD, attempt=timedelta(minutes=2), within=timedelta(minutes=15))
_LONG = lasting(FORWARD, attempt=timedelta(hours=4), within=timedelta(hours=12))
_NEEDED = {Goal.STOPPED: READY, Goal.STARTED: STOPPED, Goal.HIGHLY_AVAILABLE: READY}
"""State that a server must be in to be asked for."""
_HEALTHY = "Healthy"
_STOPPABLE = {Old.WRITES, Old.ANSWERS}


class ServerActivities:
    """Changes of one server besides its promotion."""

    def __init__(self, servers: FlexibleServers, sql: FlexibleSql) -> None:
        """Ask Azure by ``servers``, the databases by ``sql``."""
        self._servers, self._look = servers, FlexibleLookActivities(servers, sql)

    @step("region.change_server", _SOON, lambda order: f"{order.server} is to be {order.goal.value}")
    async def change(self, order: ServerOrder) -> Asked:
        """Have the change begin. Safe to repeat: what is so, or is being changed, is not asked for again. Never refuses."""
        again = activity.info().attempt > 1
        try:
            if (found := await self._found(order, again=again)) is not None:
                return found
            operation = await self._sent(order)
        except BusyError as error:
            return Asked(at=_now(), busy=str(error)[:500], after=error.after)
        except (ForbiddenError, MissingError, RequestRefusedError) as error:
            if again:  # an earlier attempt may have been heard: the server itself will tell
                return Asked(at=_now(), going_on=True)
            return Asked(at=_now(), refused=str(error)[:500])
        except UnreachableError as error:
            raise retry_in(timedelta(seconds=1), str(error)) from error
        return Asked(at=_now(), operation=operation)

    async def _found(self, order: ServerOrder, *, again: bool) -> Asked | None:
        """Return what is so without asking; ``None``: it is to be asked for."""
        for _ in range(_LOOKS_FOR_IT if again else 0):
            fact = await patiently(partial(self._servers.server, order.target, order.server), self._servers.poll)
            if is_reached(order, fact) or fact.state != _NEEDED[order.goal]:
                break
            await sleep(_HEARD_WITHIN.total_seconds() / _LOOKS_FOR_IT)
        return found_of(order, await self._look.pair(order.target))

    def _sent(self, order: ServerOrder) -> Awaitable[str]:
        target, server = order.target, order.server
        if order.goal is Goal.STOPPED:
            return self._servers.stop(target, server)
        if order.goal is Goal.STARTED:
            return self._servers.start(target, server)
        return self._servers.stand_by(target, server, order.mode)

    @step("region.await_server", _LONG, lambda wait: f"wait until {wait.order.server} is {wait.order.goal.value}")
    async def await_server(self, wait: AwaitServer) -> Reached:
        """Return how the change ended; changes nothing. Silence is waited out until the time is up."""
        watch = _Watch(self._servers, wait)
        while (ended := await watch.look()) is None:
            if _now() >= wait.until:
                return watch.told(Ended.LATE)
            await sleep(watch.pause.total_seconds())
        return ended


class _Watch(OperationWatch[Reached]):
    """One wait for one change."""

    def __init__(self, servers: FlexibleServers, wait: AwaitServer) -> None:
        self._order = wait.order
        super().__init__(servers, wait.order.target, wait.order.server, wait.operation)

    async def judged(self, operation: OperationFact | None) -> Reached | None:
        """Return how it ended, once the server is what it is to be, or Azure has said no."""
        if is_reached(self._order, self.fact):
            return self.told(Ended.SUCCEEDED)
        if operation is not None and operation.state in {OperationState.FAILED, OperationState.BUSY}:
            self.said = f"{operation.code}: {operation.message}"
            return self.told(Ended.BUSY if operation.state is OperationState.BUSY else Ended.FAILED)
        if operation is None and self.fact.state == _NEEDED[self._order.goal]:
            self.idle += 1
        return self.told(Ended.UNSEEN) if self.idle >= IDLE else None

    def told(self, ended: Ended) -> Reached:
        """Return what was seen last."""
        return Reached(ended=ended, at=_now(), state=self.fact.state, message="" if ended is Ended.SUCCEEDED else self.said)


def is_reached(order: ServerOrder, fact: AzureFact) -> bool:
    """Whether the server is what it is to be."""
    if order.goal is Goal.STOPPED:
        return fact.state == STOPPED
    if order.goal is Goal.STARTED:
        return fact.state == READY
    return fact.state == READY and fact.high_availability.rpartition(" ")[2] == _HEALTHY


def found_of(order: ServerOrder, survey: FlexibleSurvey) -> Asked | None:
    """Return what is so without asking; ``None``: it is to be asked for."""
    fact, now = survey.azure_of(order.server), survey.at
    if is_reached(order, fact):
        return Asked(at=now, needless=True)
    if fact.error:
        return Asked(at=now, busy=fact.error)
    if fact.state != _NEEDED[order.goal] or _is_getting_a_standby(order, fact):
        return Asked(at=now, going_on=True)
    if not leads(survey, order.leader):
        return Asked(at=now, refused=why_unknown(order.target, survey, order.leader))
    if words := _why_not(order, survey):
        return Asked(at=now, refused=words)
    return None


def _is_getting_a_standby(order: ServerOrder, fact: AzureFact) -> bool:
    return order.goal is Goal.HIGHLY_AVAILABLE and bool(fact.high_availability)


def _why_not(order: ServerOrder, survey: FlexibleSurvey) -> str:
    """Return why the change would be wrong; empty: it would not."""
    fact = survey.azure_of(order.server)
    if order.goal is Goal.HIGHLY_AVAILABLE:
        return "" if order.server == order.leader else f"{order.server} does not lead"
    if order.server == order.leader:
        return f"{order.server} leads: it is not {order.goal.value} here"
    if order.goal is Goal.STARTED:
        follows = fact.role is Role.REPLICA and fact.source == order.leader
        return "" if follows else f"{order.server} is no replica of {order.leader}: started, it would take writes"
    standing = standing_of(order.target, survey, order.leader)
    return "" if standing.old in _STOPPABLE else f"it needs no stop any more: {standing.words}"


def _now() -> datetime:
    return datetime.now(UTC)
