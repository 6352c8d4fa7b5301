"""Send each target of the estate a text that only shows that it can be reached."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.notices.models import Message, SendRequest, TargetsRequest
from activities.notices.steps import NoticesActivities
from workflows.notices.models import CHECK, Checked, CheckRequest
from workflows.notices.texts import test_text
from workflows.run.inputs import parse, taken
from workflows.run.outcome import cause_of, was_cancelled
from workflows.run.steps import step


@workflow.defn(name=CHECK)
class NoticesCheck:
    """One check."""

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Read the input here, so that a bad one fails the run instead of wedging it."""
        self._request, self._bad_input = parse(CheckRequest, args)

    @workflow.run
    async def run(self, *_: Any) -> Checked:  # noqa: ANN401
        """Return the targets, and why those that have not taken the text have not."""
        request = taken(self._request, self._bad_input)
        try:
            settings = await step(NoticesActivities.targets, TargetsRequest(target=request.target))
        except ActivityError as error:
            if was_cancelled(error):
                raise
            kind, message = cause_of(error)
            raise ApplicationError(message, type=kind, non_retryable=True) from error
        names = sorted(settings.targets)
        if not request.send:
            return Checked(targets=dict.fromkeys(names, ""))
        answers = await asyncio.gather(*(_sent(name) for name in names))
        return Checked(targets=dict(zip(names, answers, strict=True)))


async def _sent(target: str) -> str:
    """Return why the target has not taken a text; empty: it has."""
    title, body = test_text(target)
    message = Message(number=0, event="test", title=title, body=body, queued_at=workflow.now())
    try:
        sent = await step(NoticesActivities.send, SendRequest(target=target, messages=(message,)))
    except ActivityError as error:
        if was_cancelled(error):
            raise
        return cause_of(error)[1]
    return sent.why
