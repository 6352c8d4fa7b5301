"""``watch``: follow a run to its end. Leaving early never affects the run."""

from __future__ import annotations

import asyncio

from temporalio.client import Client

from starters.client.answers import Answer, Exit, Output
from starters.client.following import Display, again, follow
from starters.client.results import answer_of
from starters.client.targets import Place, find
from starters.history.model import facts_of
from starters.render.live import display_for
from workers.connection import connect


async def watch(target: str, output: Output) -> Answer:
    """Follow what ``target`` names, or show the end of a run that is over."""
    client = await connect()
    return await watch_run(client, await find(client, target), display_for(output))


async def watch_run(client: Client, place: Place, display: Display) -> Answer:
    """Follow one run; on Ctrl-C say that it goes on, and how to come back."""
    try:
        return answer_of(facts_of(await follow(client, place, display)))
    except asyncio.CancelledError:
        data = {"workflow_id": place.workflow_id, "run_id": place.run_id, "watch_again": again(place)}
        return Answer(
            Exit.INTERRUPTED, data, complaint=f"{place.name} goes on without you; pick it up again: {again(place)}"
        )
