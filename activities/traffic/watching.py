"""Waits for the end of a change of a lever: by its operation where one is known, and by the lever itself.

Azure does not document whether a lever shows a change before its operation has ended. So where a request may have been heard
and no operation is known, the old setting proves nothing until the longest time of such a change has passed.
"""

from __future__ import annotations

import contextlib

from activities.clients.operation_facts import OperationState
from activities.clients.ports import BusyError, UnreachableError
from activities.clients.traffic_ports import Levers
from activities.run.polling import sleep
from activities.traffic.models import SUCCEEDED, Applied, AwaitChange, ChangeOrder, Ended, LeverFact, Side
from activities.traffic.sending import SAYS_NO, SETTLED, now

_MISSES = 5
"""Looks in a row at which Azure does not know the operation until it is given up: it may not be visible everywhere yet."""
_IDLE = 15
"""Looks at a lever that has its old setting after its operation has ended, until the change counts as undone since."""
SHOWN_WITHIN = {Side.FRONT_DOOR: 75, Side.TRAFFIC_MANAGER: 15}
"""Looks until a change is seen of which no operation is known: 150 s and 30 s. A change of a route took 62 s (recorded);
Traffic Manager answers when it has made the change."""
_BADLY = {OperationState.FAILED: Ended.FAILED, OperationState.BUSY: Ended.BUSY}


async def as_it_is(levers: Levers, order: ChangeOrder, *, looks: int) -> LeverFact:
    """Return the lever; where a request before may have been heard, once that had the time of ``looks`` to show."""
    fact = await levers.lever(order.target, order.change)
    for _ in range(looks):
        if fact.setting != order.change.before or fact.state not in SETTLED:
            return fact
        await sleep(levers.poll.total_seconds())
        fact = await levers.lever(order.target, order.change)
    return fact


async def heard_or_not(levers: Levers, wait: AwaitChange) -> None:
    """Return when the lever tells whether a change was made that may have been asked for."""
    ended = await Watch(levers, wait).operation_ends()
    side = wait.order.change.lever.side
    await as_it_is(levers, wait.order, looks=0 if ended else SHOWN_WITHIN[side])


class Watch:
    """One wait for one change."""

    def __init__(self, levers: Levers, wait: AwaitChange) -> None:
        """Look through ``levers``."""
        self._levers, self._order, self._until, self._operation = levers, wait.order, wait.until, wait.operation
        self._misses, self._idle, self._said = 0, 0, ""
        self._pause = levers.poll

    async def operation_ends(self) -> bool:
        """Wait until Azure works on the change no more; return whether that is known."""
        while self._operation and now() < self._until:
            self._pause = self._levers.poll
            with contextlib.suppress(UnreachableError, BusyError):
                if (await self._of_operation())[0] is not OperationState.RUNNING:
                    return True
            await sleep(self._pause.total_seconds())
        return False

    async def end(self) -> Applied:
        """Wait until the change has ended, or the time is up; return how."""
        while True:
            try:
                self._pause = self._levers.poll
                if (ended := await self._look()) is not None:
                    return ended
            except (UnreachableError, BusyError, *SAYS_NO) as error:
                self._said = str(error)[:500]
                self._pause = (error.after if isinstance(error, BusyError) else None) or self._pause
            if now() >= self._until:
                return Applied(ended=Ended.LATE, at=now(), message=self._said or "Azure has not ended it in time")
            await sleep(self._pause.total_seconds())

    async def _look(self) -> Applied | None:
        state, said = await self._of_operation()
        change = self._order.change
        fact = None if state is OperationState.RUNNING else await self._levers.lever(self._order.target, change)
        if fact is None or fact.state not in SETTLED:
            return None
        if fact.setting == change.after and fact.state == SUCCEEDED:
            rest_changed = bool(change.rest) and fact.rest != change.rest
            return Applied(ended=Ended.DONE, at=now(), rest_changed=rest_changed)
        if fact.setting not in {change.before, change.after}:
            return Applied(ended=Ended.OVERTAKEN, at=now(), message=f"it is {fact.setting} now")
        return self._unmade(state, said, fact)

    def _unmade(self, state: OperationState | None, said: str, fact: LeverFact) -> Applied | None:
        """Return how a change ended of which nothing is seen; ``None``: it may be seen a moment later."""
        if state in _BADLY:
            return Applied(ended=_BADLY[state], at=now(), message=said)
        self._idle += 1
        if self._idle < (SHOWN_WITHIN[self._order.change.lever.side] if state is None else _IDLE):
            return None
        if fact.setting == self._order.change.after:
            return Applied(ended=Ended.BUSY, at=now(), message=f"it is {fact.setting}, in state {fact.state}")
        unseen = Ended.BUSY if state is None else Ended.OVERTAKEN
        return Applied(ended=unseen, at=now(), message=f"it is {fact.setting} still, or again")

    async def _of_operation(self) -> tuple[OperationState | None, str]:
        """Return how the operation stands; ``None``: the lever itself must tell."""
        if not self._operation:
            return None, ""
        try:
            fact = await self._levers.operation(self._order.target, self._operation)
        except SAYS_NO as error:
            self._misses += 1
            self._operation = "" if self._misses >= _MISSES else self._operation
            raise UnreachableError(str(error)) from error
        self._misses = 0
        self._pause = fact.after or self._pause
        return fact.state, f"{fact.code}: {fact.message}" if fact.code else ""
