"""What a watch does about what a majority of its witnesses finds gone: notify, ask, or act and then cool down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.detection.models import CauseRequest, Condition, Kind
from activities.detection.steps import WatchActivities
from activities.run.errors import Refusal
from estate.base import Target
from estate.watching import Policy
from workflows.detection.advice import advice_on
from workflows.detection.models import Cooling, Rest, WatchState
from workflows.detection.quorum import Verdict, Votes
from workflows.detection.requests import failover_for, hand_over_for
from workflows.detection.running import carried_out
from workflows.run import outcome
from workflows.run.automatic import Found
from workflows.run.steps import step

_RESTS, _RESTS_LONGEST = timedelta(seconds=10), timedelta(minutes=5)
"""After a failover that was refused: what is tried again at once is refused again."""
_NO_REFUSAL = {Refusal.WITHDRAWN}
"""It was right when it was begun: when a majority finds the subject down again, the next one begins at once."""
_RELIEVES_AGAIN = timedelta(seconds=3)
"""A leader that is asked to end waits for half a minute."""
_CAUSE_AGAIN = timedelta(seconds=10)
"""While another watch knows the cause: how long until it is asked again."""
_MAY_HAVE_CHANGED = {Refusal.STRANDED, Refusal.ROLLBACK_INCOMPLETE, Refusal.ROLLED_BACK}


@dataclass
class Reactions:
    """One at a time for each subject."""

    kind: Kind
    target: Target
    votes: Votes
    state: WatchState
    show: Callable[[], None]
    """Called whenever there is something new to see."""
    by_majority: bool
    """Whether only a majority that says *well* withdraws a run; false in a history that an older version began."""
    open: dict[str, str] = field(default_factory=dict)
    """Subject → workflow ID of the failover that goes on for it."""
    cause: str = ""
    """Why the subject is gone, where another watch knows it."""

    def __post_init__(self) -> None:
        """Go on with the rest that an earlier history began, if any."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._relieved: set[str] = set()
        self._relieving: dict[str, asyncio.Task[None]] = {}
        self._failing_over: set[str] = set()
        rest = self.state.rest or Rest(until=workflow.now(), following=_RESTS)
        self._rests, self._rests_until = rest.following, rest.until

    @property
    def busy(self) -> bool:
        """Whether a failover is being begun, goes on, or has just ended."""
        return bool(self._failing_over or self._relieved)

    @property
    def to_carry(self) -> WatchState:
        """What the next history must know."""
        rest = Rest(until=self._rests_until, following=self._rests)
        carried = {"rest": rest, "last": self.votes.last, "silent_since": self.votes.silent_since}
        return self.state.model_copy(update=carried)

    @property
    def advice(self) -> tuple[str, ...]:
        """What people are to do, as long as a majority finds a reason."""
        return tuple(dict.fromkeys(advice for one in self.votes.verdicts() if (advice := self._advice(one))))

    @property
    def cooling(self) -> Cooling | None:
        """The cool-down that holds now."""
        cooling = self.state.cooling
        return cooling if cooling is not None and workflow.now() < cooling.until else None

    @property
    def tries_again_at(self) -> datetime | None:
        """When a rest is over that holds the next run back; unknown in a history that an older version began."""
        if not self.by_majority or self.target.watching.policy is Policy.NOTIFY or workflow.now() >= self._rests_until:
            return None
        return self._rests_until

    def begin(self) -> None:
        """React to every verdict that nothing is done about yet."""
        for verdict in self.votes.verdicts():
            running = self._tasks.get(verdict.subject)
            if running is None or running.done():
                self._tasks[verdict.subject] = asyncio.create_task(self._react(verdict))
        for member in self.votes.leaving():
            running = self._relieving.get(member)
            if running is None or running.done():
                self._relieving[member] = asyncio.create_task(self._relieve(member))

    def end(self) -> None:
        """Stop; failovers that were begun go on."""
        for task in (*self._tasks.values(), *self._relieving.values()):
            task.cancel()

    def cool(self, after: str, until: datetime) -> None:
        """Let the next failover wait for a person until then."""
        self.state = self.state.model_copy(update={"cooling": Cooling(until=until, after=after)})
        self.show()

    def acknowledge(self, by: str) -> None:
        """End the cool-down."""
        after = self.state.cooling.after if self.state.cooling else "nothing"
        self.state = self.state.model_copy(update={"cooling": None})
        self.say(f"{by} has acknowledged the failover of {after}")

    def say(self, words: str) -> None:
        """Keep what was done last, and show it."""
        workflow.logger.warning("Watch: %s", words)
        self.state = self.state.model_copy(update={"last_words": f"{workflow.now():%Y-%m-%d %H:%M:%S} UTC: {words}"})
        self.show()

    async def _react(self, verdict: Verdict) -> None:
        """Do what the policy says for as long as the subject is gone."""
        subject, policy = verdict.subject, self.target.watching.policy
        while (now := self.votes.verdict_on(subject)) is not None:
            verdict, left = now, self._rests_until - workflow.now()
            if policy is Policy.NOTIFY or self._advice(verdict):
                await self._tell(verdict)
            elif left > timedelta(0):
                if self.by_majority:
                    self.show()
                await self._while_gone(subject, left, "rest before the next attempt")
            elif policy is Policy.AUTOMATIC and (cooling := self.cooling) is not None:
                self.say(f"{verdict.words}; the cool-down after {cooling.after} holds until {cooling.until:%H:%M:%S} UTC")
                await self._while_gone(subject, cooling.until - workflow.now(), "cool-down", lambda: self.cooling is None)
            else:
                self._failing_over.add(subject)
                try:
                    if not await self._has_another_cause():
                        await self._fail_over(verdict)
                finally:
                    self._failing_over.discard(subject)
                if self.cause:
                    await self._while_gone(subject, _CAUSE_AGAIN, "the cause is elsewhere")
        self.cause = ""

    async def _tell(self, verdict: Verdict) -> None:
        """Say what people are to do, until that is another thing or nothing."""
        advice = self._advice(verdict)
        self.say(f"{verdict.words}; {advice or 'the policy is to notify'}")
        await workflow.wait_condition(
            lambda: (now := self.votes.verdict_on(verdict.subject)) is None or self._advice(now) != advice
        )

    def _advice(self, verdict: Verdict) -> str:
        return advice_on(self.target, verdict, self.votes.verdicts(), self.state.taken_out)

    async def _has_another_cause(self) -> bool:
        """Whether a workload is broken because its database is: another pod would be broken, too."""
        if self.kind is not Kind.PODS or not workflow.patched("look-for-the-cause"):
            return False
        before = self.cause
        try:
            found = await step(WatchActivities.cause, CauseRequest(name=self.target.name))
            self.cause = found.message
        except ActivityError as error:
            if outcome.was_cancelled(error):
                raise
            self.cause = ""
        if self.cause and self.cause != before:
            self.say(f"{self.target.name} is broken; {self.cause}; nothing is begun")
        return bool(self.cause)

    async def _while_gone(
        self, subject: str, at_most: timedelta, why: str, or_when: Callable[[], bool] = lambda: False
    ) -> None:
        """Return once the subject is healthy again, the time is over, or something else is so."""
        try:
            await workflow.wait_condition(
                lambda: or_when() or self.votes.verdict_on(subject) is None, timeout=at_most, timeout_summary=why
            )
        except TimeoutError:
            return

    async def _fail_over(self, verdict: Verdict) -> None:
        """Start the failover and see how it ends; rest after one that changed nothing, else cool down."""
        subject = verdict.subject
        request = failover_for(self.kind, self.target.name, verdict)
        found = Found(member=subject, since=verdict.since, unrenewed=verdict.unrenewed)
        ended = await carried_out(self, request, found, verdict)
        if ended is None:
            if subject in self._relieved:  # by our own planned run, which ends soon
                await self._while_gone(subject, _RESTS, "the hand-over ends", lambda: subject not in self._relieved)
            else:
                self._rest()
            return
        kind, words = ended
        self.say(f"{request.workflow} {request.lock}: {words}")
        if kind and kind not in _MAY_HAVE_CHANGED:
            if not (self.by_majority and kind in _NO_REFUSAL):
                self._rest()
            return
        if not kind:
            self._note_service(verdict)
        if self.target.watching.policy is Policy.AUTOMATIC:
            self.cool(subject, workflow.now() + self.target.watching.cooldown)
        if self.target.watching.seen_after:
            await self._while_gone(subject, self.target.watching.seen_after, "what the witnesses see may be from before")

    def _note_service(self, verdict: Verdict) -> None:
        """Remember what is out of service by a run of this watch."""
        before = [one for one in self.state.taken_out if one != verdict.subject]
        if self.kind is Kind.GATEWAY:
            now = before if verdict.condition is Condition.RETURNED else [*before, verdict.subject]
            self.state = self.state.model_copy(update={"taken_out": tuple(now)})

    async def _relieve(self, member: str) -> None:
        """Have ``member`` relieved for as long as it waits for that; another run may hold the lock, or find no standby."""
        while member in self.votes.leaving():
            request = hand_over_for(self.kind, self.target.name, member)
            self._relieved.add(member)
            try:
                ended = await carried_out(self, request, Found(member=member), None)
            finally:
                self._relieved.discard(member)
            again: timedelta | None = _RELIEVES_AGAIN
            if ended is not None:
                self.say(f"{request.workflow} {request.lock}: {ended[1]}")
                again = None if ended[0] in _MAY_HAVE_CHANGED else again  # it has stopped writes once, and would again
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: member not in self.votes.leaving(), timeout=again, timeout_summary="hand over again"
                )

    def is_over(self, subject: str) -> bool:
        """Whether what was found is over: blind is not well."""
        return self.votes.is_well(subject) if self.by_majority else self.votes.verdict_on(subject) is None

    def _rest(self) -> None:
        """Begin nothing for a while: what was refused a moment ago is refused again, and flapping is no reason to hurry."""
        now = workflow.now()
        if now - self._rests_until > _RESTS_LONGEST:
            self._rests = _RESTS
        self._rests_until, self._rests = now + self._rests, min(2 * self._rests, _RESTS_LONGEST)
