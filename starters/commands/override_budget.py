"""``insist``: a person's word that what a disruption budget protects is to leave a node all the same."""

from __future__ import annotations

from rich.text import Text

from starters.client.answers import Answer, Exit, must_be_named
from starters.client.following import again
from starters.client.targets import Place, target_name
from starters.commands.decide import must_be_open, send_word
from workers.connection import connect
from workflows.nodes.models import Insistence, node_lock_id
from workflows.nodes.specs import SPECS as NODES


async def insist(target: str, by: str, note: str) -> Answer:
    """Send the word and say what the run makes of it."""
    must_be_named(by)
    node = target_name(NODES[0], target)
    client, place = await connect(), Place(node_lock_id(node))
    await must_be_open(client, place)
    status = await send_word(client, place, "insist", Insistence(by=by, node=node, note=note))
    text = f"{by} insists: what disruption budgets protect on {node} is deleted; it goes on: {again(place)}"
    return Answer(Exit.DONE, {"insisted": node, "status": status.model_dump(mode="json")}, Text(text))
