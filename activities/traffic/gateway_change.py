"""Has Azure change a gateway, once, and waits until the change has ended and the gateway is healthy.

Azure's interface has no key that makes a repeated PUT harmless, and its answer may be lost after it was obeyed. So each
attempt looks first, and only asks for what is not so yet. An attempt after the first waits a moment before it looks, since
the one before may have been heard although nobody was told; it also says that it is not the first, so that the run undoes
what may have been done.

"Updating" is no sign that a change goes on: Azure drops it early. So the operation is asked, and where it is not known the
gateway's own account of its backends, which follows what it works with.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.clients.gateway_ports import Gateways
from activities.clients.operation_facts import OperationState
from activities.clients.ports import (
    BusyError,
    ConflictError,
    ForbiddenError,
    MissingError,
    RequestRefusedError,
    UnreachableError,
)
from activities.run.declare import step
from activities.run.errors import retry_in
from activities.run.polling import sleep
from activities.run.postures import COMPENSATE, FORWARD, lasting
from activities.traffic.gateway_models import (
    READY,
    Await,
    AwaitHealth,
    BackendFact,
    Begun,
    Changed,
    Ended,
    GatewayOrder,
    Health,
    Routed,
)
from activities.traffic.gateway_survey import NO_ANSWER

_HEARD_WITHIN = timedelta(seconds=2)
"""How long Azure may take to show a change that it has accepted. Not documented: it answers with the changed gateway."""
_MISSES = 5
"""Looks in a row at which Azure does not know the operation until it is given up: it may not be visible everywhere yet."""
_IDLE = 5
"""Looks at a gateway that is ready, with no operation known, until the change counts as ended."""
_SOON = lasting(FORWARD, attempt=timedelta(minutes=1), within=timedelta(minutes=5))
_LONG = lasting(FORWARD, attempt=timedelta(hours=2), within=timedelta(hours=4))
_NO = (ForbiddenError, MissingError, RequestRefusedError)


class GatewayChangeActivities:
    """The changing half of ``gateway-failover``."""

    def __init__(self, gateways: Gateways) -> None:
        """Ask Azure by ``gateways``."""
        self._gateways = gateways

    @step("gateway.change", _SOON, lambda order: "; ".join(edit.words for edit in order.edits))
    async def change(self, order: GatewayOrder) -> Begun:
        """Have the change begin. Safe to repeat: what is so already, or was changed by others since, is not asked for."""
        return await self._begun(order)

    @step("gateway.undo", COMPENSATE, lambda order: "; ".join(edit.words for edit in order.edits))
    async def undo(self, order: GatewayOrder) -> Begun:
        """Have the undo begin, of every place that still is as this run has made it. Safe to repeat."""
        return await self._begun(order)

    async def _begun(self, order: GatewayOrder) -> Begun:
        """Ask once. ApplicationError: nobody can tell whether it was heard; it is tried again."""
        unsure = activity.info().attempt > 1
        if unsure:
            await sleep(_HEARD_WITHIN.total_seconds())
        try:
            accepted = await self._gateways.change(order)
        except BusyError as error:
            return Begun(at=_now(), busy=str(error)[:500], after=error.after, unsure=unsure)
        except ConflictError as error:
            return Begun(at=_now(), differs=(str(error)[:500],), unsure=unsure)
        except _NO as error:
            return Begun(at=_now(), refused=str(error)[:1000], unsure=unsure)
        except UnreachableError as error:
            raise retry_in(timedelta(seconds=1), str(error)) from error
        return Begun(
            at=_now(), already=accepted.already, differs=accepted.differs, asked=not accepted.already,
            operation=accepted.operation, unsure=unsure,
        )  # fmt: skip

    @step("gateway.await_change", _LONG, lambda wait: f"wait for the end of the change of {wait.target.name}")
    async def await_change(self, wait: Await) -> Changed:
        """Return how the change ended; changes nothing. Silence is waited out until the time is up."""
        watch = _Watch(self._gateways, wait)
        while (ended := await watch.look()) is None:
            if _now() >= wait.until:
                return watch.told(Ended.LATE, "it has not ended in time")
            await sleep(watch.pause.total_seconds())
        return ended

    @step("gateway.await_health", _LONG, lambda wait: f"wait until {wait.target.name} is healthy")
    async def await_health(self, wait: AwaitHealth) -> Routed:
        """Return what the gateway says of its backends, once all is as it is to be or time is up. Changes nothing."""
        looks, up, words = 0, tuple[str, ...](), "Azure has not answered"
        while True:
            looks, pause = looks + 1, self._gateways.poll
            try:
                found = await self._gateways.health(wait.target)
                up, words = tuple(one.address for one in found if one.health is Health.UP), _amiss(wait, found)
                if not words:
                    return Routed(at=_now(), healthy=True, up=up, looks=looks)
            except NO_ANSWER as error:
                pause = (error.after if isinstance(error, BusyError) else None) or pause
                words = str(error) or words
            if _now() >= wait.until:
                return Routed(at=_now(), healthy=False, up=up, words=words, looks=looks)
            await sleep(pause.total_seconds())


class _Watch:
    """One wait for one change."""

    def __init__(self, gateways: Gateways, wait: Await) -> None:
        self._gateways, self._wait, self._operation = gateways, wait, wait.operation
        self._looks, self._misses, self._idle, self._state, self._said = 0, 0, 0, "", ""
        self.pause = gateways.poll

    async def look(self) -> Changed | None:
        """Return how it ended; ``None``: it goes on, or nobody can tell. What is silent or forbidden may change."""
        self._looks, self.pause = self._looks + 1, self._gateways.poll
        try:
            return await (self._of_operation() if self._operation else self._of_gateway())
        except NO_ANSWER as error:
            self.pause = (error.after if isinstance(error, BusyError) else None) or self.pause
            self._said = str(error)
            return None

    async def _of_operation(self) -> Changed | None:
        try:
            fact = await self._gateways.operation(self._wait.target, self._operation)
        except _NO:
            self._misses += 1
            self._operation = "" if self._misses >= _MISSES else self._operation
            raise
        self._misses, self.pause = 0, fact.after or self.pause
        ends = {
            OperationState.SUCCEEDED: Ended.SUCCEEDED,
            OperationState.FAILED: Ended.FAILED,
            OperationState.BUSY: Ended.SUPERSEDED,
        }
        words = f"{fact.code}: {fact.message}" if fact.code else ""
        return self.told(ends[fact.state], words) if fact.state in ends else None

    async def _of_gateway(self) -> Changed | None:
        """Judge by the gateway's state, which is Succeeded for a part of every operation: several times in a row."""
        self._state = (await self._gateways.gateway(self._wait.target)).state
        settled = self._state in {READY, "Failed", "Canceled"}
        self._idle = self._idle + 1 if settled else 0
        if self._idle < _IDLE:
            return None
        return self.told(Ended.SUCCEEDED if self._state == READY else Ended.FAILED, "no operation is known")

    def told(self, ended: Ended, message: str = "") -> Changed:
        """Return what was seen last."""
        words = "; ".join(said for said in (message, self._said) if said)
        return Changed(ended=ended, at=_now(), state=self._state, message=words, looks=self._looks)


def _amiss(wait: AwaitHealth, found: tuple[BackendFact, ...]) -> str:
    """Return what is not as it is to be, in words; empty: all is."""
    listed = {one.address.casefold(): one for one in found}
    missing = [one for one in wait.goal if one.casefold() not in listed]
    ill = [listed[one.casefold()] for one in wait.goal if one.casefold() in listed]
    words = [f"{one} is not listed" for one in missing]
    words += [f"{one.address} is {one.health.value if one.health else 'unknown'} {one.log}".strip() for one in ill
              if one.health is not Health.UP]  # fmt: skip
    return "; ".join(words + [f"{one} is listed still" for one in wait.gone if one.casefold() in listed])


def _now() -> datetime:
    return datetime.now(UTC)
