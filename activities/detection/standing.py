"""How the watches of this task queue stand, by the memos of their workflows: no worker is asked."""

from __future__ import annotations

from typing import Any

from temporalio.client import Client

from activities.detection.models import Standing
from activities.run.models.wire import read
from activities.run.watches import OPEN_WATCHES, WATCH_MEMO


async def standing_on(client: Client, queue: str) -> dict[str, Standing]:
    """Return watch → what it said last, of all that run on ``queue``, sorted."""
    found = {}
    async for one in client.list_workflows(OPEN_WATCHES):
        if one.task_queue == queue:
            said: Any = await one.memo_value(WATCH_MEMO, None)
            found[one.id] = read(Standing, said) if said else Standing()
    return dict(sorted(found.items()))


def cause_in(databases: dict[str, Standing]) -> str:
    """Return what is the matter with the databases of a workload, by what their watches say; empty: nothing."""
    down = [name for name, said in databases.items() if said.gone or said.open]
    if not down:
        return ""
    names = ", ".join(f"{name.rpartition('/')[2]} is down ({name})" for name in down)
    return f"the cause: {names}; the pods come back with it"
