r"""Watch a target through several witnesses, and do what the estate says once a majority of them finds it gone.

    resolve -> (every witness looks, all the time) -> verdict -> notify | ask | automatic -> rest or cool-down -> ...

Each witness looks by itself and speaks when it changes its mind (``activities.detection.witness``); this workflow only
counts voices (``workflows.detection.quorum``). A witness that dies is silent until it is back, and silence is no vote. What
follows (``workflows.detection.policy``) is the same failover that a person would start, under the same lock: a child that
outlives the watch. With *ask* it makes its plan and waits for people; the watch withdraws it when a majority says that the
target is well before they have decided. With *automatic* it waits for nobody, and a cool-down follows: another one waits
until it is over or a person acknowledges it.

It never ends by itself. Its history is begun anew before it grows too long, whenever no failover of its own is open: a
finding that stands, a rest and a cool-down go on in the next one. ``failover detection start`` makes it read the estate
again. What a person starts is never held up by it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.detection.models import Kind, LastRequest, Sighting, Watched, WatchedRequest
from activities.detection.steps import WatchActivities
from activities.run.errors import Refusal, refuse
from activities.run.watches import WATCH_MEMO
from workflows.detection import steps
from workflows.detection.advice import told_of
from workflows.detection.models import Acknowledgement, WatchInput, WatchState, WatchStatus, watch_id
from workflows.detection.policy import Reactions
from workflows.detection.quorum import Votes
from workflows.detection.requests import failover_lock
from workflows.run import outcome
from workflows.run.inputs import parse, said, taken
from workflows.run.state import PHASE, TARGET
from workflows.run.steps import step

_LONGEST_HISTORY = 5000
"""Events; Temporal warns at 10,240."""
_AGAIN_SECONDS = 2


class Watch:
    """What the watches of all kinds do."""

    kind: Kind

    def __init__(self, args: tuple[Any, ...]) -> None:
        """Read the input; a bad one is told by ``keep_watch``."""
        self._input, self._bad_input = parse(WatchInput, args)
        self._votes = Votes(())
        self._reactions: Reactions | None = None
        self._read_again = self._ends = False
        self._shown = ""

    @workflow.query(description="What the witnesses say, what goes on, and whether a cool-down holds.")
    def watch_status(self) -> WatchStatus:
        """Return the watch as it stands."""
        reactions = self._reactions
        return WatchStatus(
            target=self._input.target if self._input else "",
            policy=reactions.target.watching.policy.value if reactions else "",
            witnesses=tuple(self._votes.lines()),
            silent=tuple(self._votes.silent_lines()),
            gone=told_of(reactions.target, self._votes.verdicts()) if reactions else (),
            advice=reactions.advice if reactions else (),
            open=tuple(reactions.open.values()) if reactions else (),
            cooling=reactions.cooling if reactions else None,
            tries_again_at=reactions.tries_again_at if reactions else None,
            cause=reactions.cause if reactions else "",
            last_words=reactions.state.last_words if reactions else "",
        )

    @workflow.update(description='End the cool-down: {"by": "dana"}')
    def acknowledge(self, *args: Any) -> WatchStatus:  # noqa: ANN401 - anything can be typed into a form
        """Let the next failover be automatic again, and return the status after it."""
        word, reactions = self._acknowledgement(args)
        reactions.acknowledge(word.by)
        return self.watch_status()

    @acknowledge.validator
    def _may_acknowledge(self, *args: Any) -> None:  # noqa: ANN401
        self._acknowledgement(args)

    def _acknowledgement(self, args: tuple[Any, ...]) -> tuple[Acknowledgement, Reactions]:
        """Return the word. Raises ValueError when it does not count."""
        word = said(Acknowledgement, args)
        if self._reactions is None or self._reactions.cooling is None:
            message = "no cool-down holds this detection; there is nothing to re-arm"
            raise ValueError(message)
        target = self._reactions.target
        if not target.knows(word.by):
            people = ", ".join(sorted(target.people)) or "nobody"
            message = f"by: {word.by} cannot re-arm; the estate's people are {people}"
            raise ValueError(message)
        return word, self._reactions

    @workflow.signal(description="Read the estate again, once no failover of its own is open.")
    def read_again(self, *_: Any) -> None:  # noqa: ANN401
        """Begin a new history with the estate as it is then."""
        self._read_again = True

    async def keep_watch(self) -> None:
        """Watch until cancelled."""
        asked = self._checked_input()
        watched = await self._resolved(asked)
        state = asked.state or WatchState()
        self._votes = Votes(watched.witnesses, state.last, state.silent_since)
        by_majority = workflow.patched("withdraw-by-majority")
        reactions = self._reactions = Reactions(self.kind, watched.target, self._votes, state, self._show, by_majority)
        await self._remember(asked, reactions)
        self._show()
        listening = [asyncio.create_task(self._listen_to(one, watched, reactions)) for one in watched.witnesses]
        try:
            await workflow.wait_condition(self._may_begin_anew)
        finally:
            self._ends = True
            reactions.end()
            for task in listening:
                task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
        workflow.continue_as_new(WatchInput(target=asked.target, state=reactions.to_carry))

    def _checked_input(self) -> WatchInput:
        own, asked = workflow.info().workflow_id, taken(self._input, self._bad_input)
        wanted = watch_id(self.kind, asked.target)
        workflow.upsert_search_attributes([TARGET.value_set(wanted), PHASE.value_set("watching")])
        if own != wanted:
            raise refuse(
                Refusal.WRONG_WORKFLOW_ID, f"workflow ID: {own} is not this detection's; start it again as {wanted}"
            )
        return asked

    async def _resolved(self, asked: WatchInput) -> Watched:
        try:
            return await step(WatchActivities.resolve, WatchedRequest(kind=self.kind, name=asked.target))
        except ActivityError as error:
            if outcome.was_cancelled(error):
                raise
            kind, message = outcome.cause_of(error)
            raise ApplicationError(message, type=kind, non_retryable=True) from error

    async def _remember(self, asked: WatchInput, reactions: Reactions) -> None:
        """Find out whether an earlier watch, which was ended, has left a cool-down."""
        lock = failover_lock(self.kind, asked.target)
        if asked.state is not None or not lock:
            return
        last = await step(WatchActivities.last, LastRequest(lock=lock, watch=workflow.info().workflow_id))
        if last.closed_at is not None:
            reactions.cool(asked.target, last.closed_at + reactions.target.watching.cooldown)

    async def _listen_to(self, witness: str, watched: Watched, reactions: Reactions) -> None:
        """Ask one witness again and again, count what it says, and react.

        A witness whose process is ended reports its look as cancelled, as if this watch had asked for it. And the end of
        this watch is not heard where a look is done at the same moment: it is over all the same.
        """
        while not self._ends:
            (told, heard), since = self._votes.told(witness), self._votes.silent_since.get(witness)
            try:
                said: Sighting = await steps.look(watched.target, witness, told, heard=heard, silent_since=since)
            except ActivityError as error:
                if self._ends:
                    raise
                self._votes.silence(witness, f"is silent: {outcome.cause_of(error)[1]}", workflow.now())
                self._show()
                await workflow.sleep(_AGAIN_SECONDS)
            else:
                if self._ends:  # the next history asks anew
                    return
                self._votes.count(said)
                reactions.begin()
                self._show()

    def _may_begin_anew(self) -> bool:
        """Whether a new history is due, and nothing would be cut short by it."""
        info = workflow.info()
        too_long = info.is_continue_as_new_suggested() or info.get_current_history_length() > _LONGEST_HISTORY
        reactions = self._reactions
        if reactions is None or not (self._read_again or too_long):
            return False
        if reactions.by_majority:
            return not reactions.busy
        return not self._votes.verdicts() and not reactions.open

    def _show(self) -> None:
        """Let the UI and ``failover status`` show how things stand, where that has changed."""
        status = self.watch_status()
        if (text := status.model_dump_json()) == self._shown:
            return
        self._shown = text
        workflow.upsert_memo({WATCH_MEMO: status.model_dump(mode="json")})
        workflow.set_current_details(
            "\n\n".join([f"**{status.headline}**", *(f"- {line}" for line in status.witnesses), status.last_words])
        )
