"""How each detection stands, by the memo of its workflow: nobody needs a worker for that."""

from __future__ import annotations

from typing import Any

from temporalio.client import Client

from activities.run.models.wire import read
from activities.run.watches import OPEN_WATCHES, WATCH_MEMO
from workflows.detection.models import WatchStatus


async def standing(client: Client) -> dict[str, WatchStatus]:
    """Return watch → what it said last, of all that run, sorted."""
    found = {}
    async for one in client.list_workflows(OPEN_WATCHES):
        said: Any = await one.memo_value(WATCH_MEMO, None)
        found[one.id] = read(WatchStatus, said) if said else WatchStatus(target=one.id, policy="", witnesses=())
    return dict(sorted(found.items()))
