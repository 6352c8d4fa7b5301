r"""Tell people of all runs, from outside them: no run has a step for it, so none waits for it or fails by it.

    look (until something is other than known) -> what is new -> boxes of the targets -> send, target by target -> look ...

One workflow tells of all runs; its ID is its name. What it has told it remembers, so that each thing is told once, but for
two cases: a worker that dies after it has sent and before that is recorded sends again (at least once), and a wait for
people is told again and again, from some time on to more of them. What a target does not take is tried again with growing
pauses and at last written down as lost (``workflows.notices.outbox``); each target has a loop of its own, so that one which
hangs delays neither the looks nor the other targets.

It never ends by itself. Its history is begun anew before it grows too long. The estate is read at every look.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.notices.models import Looked, LookRequest, Message, SendRequest, Sent
from activities.notices.standing import NOTICES
from activities.notices.steps import NoticesActivities
from activities.run.errors import Refusal, refuse
from estate.notices import Event
from workflows.notices import deciding
from workflows.notices.models import (
    Notice,
    NoticesInput,
    NoticesState,
    NoticesStatus,
    TargetStatus,
    Tracked,
)
from workflows.notices.outbox import Outbox
from workflows.notices.texts import text_of
from workflows.run import outcome
from workflows.run.inputs import parse, taken
from workflows.run.steps import begin, step

_LONGEST_HISTORY = 4000
"""Events; Temporal warns at 10,240."""
_PATIENCE_SECONDS = 600.0
_AFTER_A_FAULT = timedelta(seconds=5)


@workflow.defn(name=NOTICES)
class Notices:
    """Tells people of runs until it is cancelled."""

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Read the input here, so that a bad one fails the run instead of wedging it."""
        self._input, self._bad_input = parse(NoticesInput, args)
        state = (self._input.state if self._input else None) or NoticesState()
        self._state = state
        self._runs = {run.facts.run_id: run for run in state.runs}
        self._box = Outbox(state.boxes, state.lost, state.number)
        self._loops: dict[str, asyncio.Task[None]] = {}
        self._ends = self._anew = False
        self._shown = ""

    @workflow.query(description="Which targets take what they are sent, and what was lost.")
    def notices_status(self) -> NoticesStatus:
        """Return how the targets stand."""
        settings, boxes = self._state.settings, self._box.boxes
        targets = {}
        for name, events in (settings.targets if settings else {}).items():
            box = boxes.get(name)
            why, since = (box.why, box.failing_since) if box else ("", None)
            waiting = len(box.messages) if box and why else 0
            targets[name] = TargetStatus(events=events, waiting=waiting, failing_since=since, why=why)
        return NoticesStatus(targets=targets, lost=self._box.lost)

    @workflow.signal(description="Begin another history, with the code that the worker has now.")
    def begin_anew(self, *_: Any) -> None:  # noqa: ANN401
        """Begin another history; what was told, and what waits to be sent, goes on in it."""
        self._anew = True

    @workflow.run
    async def run(self, *_: Any) -> None:  # noqa: ANN401
        """Tell until cancelled."""
        taken(self._input, self._bad_input)
        if (own := workflow.info().workflow_id) != NOTICES:
            raise refuse(Refusal.WRONG_WORKFLOW_ID, f"workflow ID: {own} is not {NOTICES}; start it again as {NOTICES}")
        self._serve()
        self._show()
        try:
            while not self._is_over():
                await self._look()
        finally:
            self._ends = True
        await asyncio.gather(*self._loops.values())
        workflow.continue_as_new(NoticesInput(state=self._to_carry()))

    async def _look(self) -> None:
        """Wait until there is something to tell, and put it into the boxes."""
        looking = begin(NoticesActivities.look, self._question())
        try:
            await workflow.wait_condition(lambda: looking.done() or self._anew)
            looking.cancel()
            looked = await looking
        except ActivityError as error:
            if workflow.cancellation_reason() is not None:  # a worker that is ended reports its look as cancelled, too
                raise
            if not self._anew:
                workflow.logger.warning("Cannot look at runs: %s", outcome.cause_of(error)[1])
                await self._rest(_AFTER_A_FAULT)
            return
        self._take(looked)
        self._remind()
        self._serve()
        self._show()

    def _question(self) -> LookRequest:
        state, now = self._state, workflow.now()
        since = max(state.begun_at, state.looked_at - deciding.OVERLAP) if state.begun_at and state.looked_at else None
        dues = [due for run in self._runs.values() if state.settings and (due := deciding.due_at(run, state.settings))]
        patience = min([(due - now).total_seconds() for due in dues], default=_PATIENCE_SECONDS)
        return LookRequest(
            known=tuple(run.facts for run in self._runs.values()),
            settings=state.settings,
            since=since,
            patience_seconds=min(max(patience, 0.0), _PATIENCE_SECONDS),
        )

    def _take(self, looked: Looked) -> None:
        """Remember what was seen, and tell what is new of it."""
        begun_at = self._state.begun_at or looked.at
        self._state = self._state.model_copy(
            update={"begun_at": begun_at, "looked_at": looked.at, "settings": looked.settings}
        )
        self._box.drop_targets(set(looked.settings.targets if looked.settings else ()), workflow.now())
        for facts in sorted(looked.changed, key=lambda one: one.started_at):
            run, notices = deciding.news(self._runs.get(facts.run_id), facts, workflow.now(), begun_at)
            self._runs[facts.run_id] = run
            self._take_back(run)
            for notice in notices:
                self._tell(notice)
        left = deciding.kept(self._runs.values(), looked.gone, looked.at)
        self._runs = {run.facts.run_id: run for run in left}

    def _remind(self) -> None:
        """Tell again what still waits for people."""
        if (settings := self._state.settings) is None:
            return
        for run_id, run in self._runs.items():
            self._runs[run_id], notice = deciding.again(run, settings, workflow.now())
            if notice is not None:
                self._tell(notice)

    def _tell(self, notice: Notice) -> None:
        """Put a notice into the boxes of those who hear it."""
        settings = self._state.settings
        if settings is None:
            return
        title, body = text_of(notice, settings.ui, workflow.info().namespace)
        message = Message(
            number=0,
            event=notice.event.value,
            run_id=notice.facts.run_id,
            title=title,
            body=body,
            queued_at=workflow.now(),
        )
        for target in deciding.hears(settings, notice):
            if not (notice.waited_minutes and self._box.has(target, message.run_id, message.event)):
                self._box.put(target, message)

    def _take_back(self, run: Tracked) -> None:
        """Forget what waits to be sent and would ask for what is not needed any more."""
        asking = {Event.APPROVAL.value, Event.WAITING.value}
        wanted = run.facts.need.event.value if run.facts.need else ""
        self._box.take_back(lambda one: one.run_id == run.facts.run_id and one.event in asking and one.event != wanted)

    def _serve(self) -> None:
        """Have a loop for every target that has a box."""
        for target in sorted(self._box.boxes):
            if target not in self._loops or self._loops[target].done():
                self._loops[target] = asyncio.create_task(self._deliver(target))

    async def _deliver(self, target: str) -> None:
        """Send what waits for one target, until this history ends or the target is not listed any more."""
        while True:
            await workflow.wait_condition(lambda: bool(self._box.batch(target)) or self._closes or self._is_gone(target))
            if self._closes or self._is_gone(target):
                return
            await self._send(target, self._box.batch(target))
            self._show()
            if pause := self._box.pause(target):
                await self._rest(pause)

    async def _send(self, target: str, batch: tuple[Message, ...]) -> None:
        try:
            sent = await step(NoticesActivities.send, SendRequest(target=target, messages=batch))
        except ActivityError as error:
            if workflow.cancellation_reason() is not None:
                raise
            sent = Sent(count=0, why=outcome.cause_of(error)[1])
        settings = self._state.settings
        if settings and not self._is_gone(target):
            self._box.settle(target, batch, sent, workflow.now(), settings.give_up_after)

    async def _rest(self, pause: timedelta) -> None:
        try:
            await workflow.wait_condition(lambda: self._closes, timeout=pause)
        except TimeoutError:
            return

    @property
    def _closes(self) -> bool:
        """Whether nothing more is begun in this history."""
        return self._ends or self._anew

    def _is_gone(self, target: str) -> bool:
        return target not in self._box.boxes

    def _is_over(self) -> bool:
        """Whether another history is due."""
        info = workflow.info()
        return self._anew or info.is_continue_as_new_suggested() or info.get_current_history_length() > _LONGEST_HISTORY

    def _to_carry(self) -> NoticesState:
        runs, box = tuple(self._runs.values()), self._box
        return self._state.model_copy(update={"runs": runs, "boxes": box.boxes, "lost": box.lost, "number": box.number})

    def _show(self) -> None:
        """Let the UI and ``failover notices status`` show how the targets stand, where that has changed."""
        status = self.notices_status()
        if (text := status.model_dump_json()) == self._shown:
            return
        self._shown = text
        workflow.upsert_memo({NOTICES: status.model_dump(mode="json")})
        lines = [f"- {name}: {one.why or 'takes what it is sent'}" for name, one in status.targets.items()]
        workflow.set_current_details("\n".join([*lines, *(f"- lost: {one.title} for {one.target}" for one in status.lost)]))
