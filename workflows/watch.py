r"""Watch a target through several witnesses, and do what the estate says once a majority of them finds it gone.

    resolve -> (every witness looks, all the time) -> verdict -> notify | ask | automatic -> rest or cool-down -> ...

Each witness looks by itself and speaks when it changes its mind (``activities.witness``); this workflow only counts voices
(``workflows.verdict``). A witness that dies is silent until it is back, and silence is no vote. What follows is the same
failover that a person would start, under the same lock: a child that outlives the watch. With *ask* it makes its plan and
waits for people; the watch withdraws it when the target is well again before they have decided. With *automatic* it waits
for nobody, and a cool-down follows: the next one is asked for, or waits, until it is over or a person acknowledges it.

It never ends by itself. Its history is begun anew while all is well; ``failover watchers start`` makes it read the estate
again. What a person starts is never held up by it.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from activities.errors import Refusal, refuse
from activities.models.watch import Kind, Sighting, Watched
from estate.watching import Policy
from workflows import endings, watch_steps
from workflows.inputs import parse
from workflows.journal import PHASE, TARGET
from workflows.models import (
    TASK_TIMEOUT,
    Acknowledgement,
    Cooling,
    WatchInput,
    WatchState,
    WatchStatus,
    watch_id,
)
from workflows.verdict import Verdict, Votes
from workflows.watch_requests import failover_for

_LONGEST_HISTORY = 5000
"""Events; Temporal warns at 10,240."""
_RESTS, _RESTS_LONGEST = timedelta(seconds=10), timedelta(minutes=5)
"""After a failover that was refused: what is tried again at once is refused again."""
_AGAIN = timedelta(seconds=2)


class Watch:
    """What the watches of all kinds do."""

    kind: Kind

    def __init__(self, args: tuple[Any, ...]) -> None:
        """Read the input; a bad one is told by ``keep_watch``."""
        self._input, self._bad_input = parse(WatchInput, args)
        self._state = (self._input.state if self._input else None) or WatchState()
        self._watched: Watched | None = None
        self._votes = Votes(())
        self._reactions: dict[str, asyncio.Task[None]] = {}
        self._open: dict[str, str] = {}
        """Subject → workflow ID of the failover that goes on for it."""
        self._rests = _RESTS
        self._read_again = False
        self._shown = ""

    @workflow.query(description="What the witnesses say, what goes on, and whether a cool-down holds.")
    def watch_status(self) -> WatchStatus:
        """Return the watch as it stands."""
        policy = self._watched.target.watching.policy.value if self._watched else ""
        return WatchStatus(
            target=self._input.target if self._input else "",
            policy=policy,
            witnesses=tuple(self._votes.lines()),
            silent=tuple(self._votes.silent_lines()),
            gone=tuple(verdict.words for verdict in self._votes.verdicts()),
            open=tuple(self._open.values()),
            cooling=self._cooling,
            last_words=self._state.last_words,
        )

    @workflow.update(description='End the cool-down: {"by": "dana"}')
    def acknowledge(self, *args: Any) -> WatchStatus:  # noqa: ANN401 - anything can be typed into a form
        """Let the next failover be automatic again, and return the status after it."""
        word, _ = parse(Acknowledgement, args)
        if word is not None:
            self._say(f"{word.by} has acknowledged the failover of {self._cooling.after if self._cooling else '?'}")
            self._state = self._state.model_copy(update={"cooling": None})
            self._show()
        return self.watch_status()

    @acknowledge.validator
    def _may_acknowledge(self, *args: Any) -> None:  # noqa: ANN401
        word, fault = parse(Acknowledgement, args)
        if word is None:
            raise ValueError(fault.message if fault else "input: missing")
        if self._watched is not None and not self._watched.target.knows(word.by):
            people = ", ".join(sorted(self._watched.target.people)) or "nobody"
            message = f"by: {word.by} cannot acknowledge; the estate's people are {people}"
            raise ValueError(message)
        if self._cooling is None:
            message = "no cool-down holds this watch; there is nothing to acknowledge"
            raise ValueError(message)

    @workflow.signal(description="Read the estate again, once nothing is the matter.")
    def read_again(self, *_: Any) -> None:  # noqa: ANN401
        """Begin a new history with the estate as it is then."""
        self._read_again = True

    async def keep_watch(self) -> None:
        """Watch until cancelled."""
        asked = self._checked_input()
        try:
            self._watched = await watch_steps.resolve(self.kind, asked.target)
            await self._remember(asked)
        except ActivityError as error:
            if endings.was_cancelled(error):
                raise
            kind, message = endings.cause_of(error)
            raise ApplicationError(message, type=kind, non_retryable=True) from error
        self._votes = Votes(self._watched.witnesses)
        self._show()
        listening = [asyncio.create_task(self._listen_to(witness)) for witness in self._watched.witnesses]
        try:
            await workflow.wait_condition(self._may_begin_anew)
        finally:
            for task in (*listening, *self._reactions.values()):
                task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
        workflow.continue_as_new(WatchInput(target=asked.target, state=self._state))

    def _checked_input(self) -> WatchInput:
        own = workflow.info().workflow_id
        if self._bad_input is not None or self._input is None:
            raise self._bad_input or refuse(Refusal.BAD_INPUT, "input: missing")
        wanted = watch_id(self.kind, self._input.target)
        workflow.upsert_search_attributes([TARGET.value_set(wanted), PHASE.value_set("watching")])
        if own != wanted:
            raise refuse(Refusal.WRONG_WORKFLOW_ID, f"workflow ID: {own} is not this watch's; start it again as {wanted}")
        return self._input

    async def _remember(self, asked: WatchInput) -> None:
        """Find out whether an earlier watch, which was ended, has left a cool-down."""
        watching = self._watching
        if asked.state is not None or self.kind is Kind.NODES:  # the locks of nodes are not known beforehand
            return
        lock = failover_for(self.kind, asked.target, asked.target, "").lock
        last = await watch_steps.last(lock, workflow.info().workflow_id)
        if last.closed_at is not None and last.closed_at + watching.cooldown > workflow.now():
            self._cool(asked.target, last.closed_at + watching.cooldown)

    async def _listen_to(self, witness: str) -> None:
        """Ask one witness again and again, and count what it says."""
        while True:
            try:
                said: Sighting = await watch_steps.look(self._target, witness, self._votes.of(witness))
            except ActivityError as error:
                if endings.was_cancelled(error):
                    raise
                self._votes.silence(witness, f"is silent: {endings.cause_of(error)[1]}")
                self._show()
                await workflow.sleep(_AGAIN)
            else:
                self._votes.count(said)
                self._consider()

    def _consider(self) -> None:
        """Begin to react to every verdict that nothing is done about yet."""
        for verdict in self._votes.verdicts():
            running = self._reactions.get(verdict.subject)
            if running is None or running.done():
                self._reactions[verdict.subject] = asyncio.create_task(self._react(verdict))
        self._show()

    async def _react(self, verdict: Verdict) -> None:
        """Do what the policy says for as long as the subject is gone."""
        subject = verdict.subject
        while (verdict := self._verdict_on(subject) or verdict) and self._votes.is_gone(subject):
            if self._watching.policy is Policy.NOTIFY:
                self._say(f"{verdict.words}; the policy is to notify")
                await workflow.wait_condition(lambda: not self._votes.is_gone(subject))
            elif self._watching.policy is Policy.AUTOMATIC and (cooling := self._cooling) is not None:
                self._say(f"{verdict.words}; the cool-down after {cooling.after} holds until {cooling.until:%H:%M:%S} UTC")
                await self._until_free(subject, cooling)
            else:
                await self._fail_over(verdict)

    async def _until_free(self, subject: str, cooling: Cooling) -> None:
        """Return once the cool-down is over or acknowledged, or the subject is well again."""
        left = max(cooling.until - workflow.now(), timedelta(0))
        try:
            await workflow.wait_condition(
                lambda: self._state.cooling is not cooling or not self._votes.is_gone(subject),
                timeout=left,
                timeout_summary="cool-down",
            )
        except TimeoutError:
            return

    async def _fail_over(self, verdict: Verdict) -> None:
        """Start the failover and see how it ends; rest after one that was refused, cool down after any other."""
        subject = verdict.subject
        request = failover_for(self.kind, self._target.name, subject, verdict.words)
        try:
            run = await workflow.start_child_workflow(
                request.workflow,
                request.input,
                id=request.lock,
                task_timeout=TASK_TIMEOUT,
                parent_close_policy=ParentClosePolicy.ABANDON,
                static_summary=f"real: {verdict.words}"[:200],
            )
        except WorkflowAlreadyStartedError:
            self._say(f"{verdict.words}; {request.lock} is held by another run, which is left alone")
            await self._rest(subject)
            return
        self._open[subject] = request.lock
        self._say(f"{verdict.words}; has begun {request.workflow} {request.lock}")
        try:
            changed, words = await self._how_it_ended(run, subject)
        finally:
            self._open.pop(subject, None)
        self._say(f"{request.workflow} {request.lock}: {words}")
        if not changed:
            await self._rest(subject)
            return
        self._rests = _RESTS
        if self._watching.policy is Policy.AUTOMATIC:
            self._cool(subject, workflow.now() + self._watching.cooldown)

    async def _how_it_ended(self, run: workflow.ChildWorkflowHandle[Any, Any], subject: str) -> tuple[bool, str]:
        """Return (whether it has, or may have, changed anything, words); withdraw it when its reason is gone."""
        await workflow.wait_condition(lambda: run.done() or not self._votes.is_gone(subject))
        try:
            if not run.done():
                await run.signal("withdraw", f"{subject} is well again")
        except FailureError:
            workflow.logger.info("It had ended before it could be withdrawn")
        try:
            await asyncio.shield(run)
        except FailureError as error:
            kind, words = endings.cause_of(error)
            return kind in {Refusal.STRANDED, Refusal.ROLLBACK_INCOMPLETE, Refusal.ROLLED_BACK}, words
        return True, "completed"

    async def _rest(self, subject: str) -> None:
        rests, self._rests = self._rests, min(2 * self._rests, _RESTS_LONGEST)
        try:
            await workflow.wait_condition(
                lambda: not self._votes.is_gone(subject), timeout=rests, timeout_summary="rest before the next attempt"
            )
        except TimeoutError:
            return
        self._rests = _RESTS

    def _may_begin_anew(self) -> bool:
        """Whether a new history is due, and nothing would be cut short by it."""
        info = workflow.info()
        due = self._read_again or info.is_continue_as_new_suggested() or info.get_current_history_length() > _LONGEST_HISTORY
        return due and not self._votes.verdicts() and not self._open

    @property
    def _target(self) -> Any:  # noqa: ANN401 - any kind of target
        assert self._watched is not None  # noqa: S101 - resolved before anybody looks
        return self._watched.target

    @property
    def _watching(self) -> Any:  # noqa: ANN401
        return self._target.watching

    @property
    def _cooling(self) -> Cooling | None:
        cooling = self._state.cooling
        return cooling if cooling is not None and workflow.now() < cooling.until else None

    def _verdict_on(self, subject: str) -> Verdict | None:
        return next((one for one in self._votes.verdicts() if one.subject == subject), None)

    def _cool(self, after: str, until: Any) -> None:  # noqa: ANN401 - a datetime, which the sandbox proxies
        self._state = self._state.model_copy(update={"cooling": Cooling(until=until, after=after)})
        self._show()

    def _say(self, words: str) -> None:
        workflow.logger.warning("Watch: %s", words)
        self._state = self._state.model_copy(update={"last_words": f"{workflow.now():%Y-%m-%d %H:%M:%S} UTC: {words}"})
        self._show()

    def _show(self) -> None:
        """Let the UI and ``failover status`` show how things stand, where that has changed."""
        status = self.watch_status()
        text = status.model_dump_json()
        if text == self._shown:
            return
        self._shown = text
        workflow.upsert_memo({"watch": status.model_dump(mode="json")})
        workflow.set_current_details(
            "\n\n".join([f"**{status.headline}**", *(f"- {line}" for line in status.witnesses), status.last_words])
        )
