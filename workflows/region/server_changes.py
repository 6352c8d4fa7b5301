"""One change of one Flexible Server: asked for once, awaited in a step of its own; again only where Azure has not begun.

Neither step refuses: what Azure says is kept, and the run decides what it means.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio import workflow

from activities.region.changing import ServerActivities
from activities.region.models import Ended
from activities.region.returning_models import Asked, AwaitServer, ServerChanged, ServerOrder
from workflows.run.steps import step

_BUSY = timedelta(seconds=5)
_MOST = 3
"""Requests of which Azure has shown nothing; then a person is needed."""


async def change_server(order: ServerOrder, within: timedelta) -> ServerChanged:
    """Have the server changed; return how it ended. ActivityError: Azure was silent for as long as the step insists."""
    began, requests = workflow.now(), 0
    until = began + within
    while True:
        asked = await step(ServerActivities.change, order)
        requests += _was_sent(asked)
        words, again = asked.refused or asked.busy, bool(asked.busy)
        if asked.needless:
            return _told(order, began, requests, "it was so already", done=True)
        if not words:
            reached = await step(
                ServerActivities.await_server, AwaitServer(order=order, operation=asked.operation, until=until)
            )
            if reached.ended is Ended.SUCCEEDED:
                return _told(order, began, requests, f"Azure says {reached.state}", done=True)
            words = f"Azure has not done it ({reached.ended.value}): {reached.message or reached.state}"
            again = reached.ended is Ended.BUSY or (reached.ended is Ended.UNSEEN and requests < _MOST)
        if not again or workflow.now() >= until:
            return _told(order, began, requests, words, done=False)
        await workflow.sleep(asked.after or _BUSY, summary="Azure was busy with something else")


def _was_sent(asked: Asked) -> bool:
    return not (asked.needless or asked.going_on or asked.refused or asked.busy)


def _told(order: ServerOrder, began: datetime, requests: int, words: str, *, done: bool) -> ServerChanged:
    return ServerChanged(
        server=order.server, goal=order.goal, words=words, done=done, asked_at=began, at=workflow.now(), requests=requests
    )
