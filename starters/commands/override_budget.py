"""``override-budget``: a person's decision that a drain evicts pods in spite of their disruption budget."""

from __future__ import annotations

from rich.text import Text

from starters.client.answers import Answer, Exit, Output, must_be_named, respond_about_run
from starters.client.following import again
from starters.client.results import shape_of
from starters.client.runs import must_be_open, send
from starters.client.signing import Signing, to_paste
from starters.client.targets import Place, target_name
from starters.commands import arguments as arg
from workers.connection import connect
from workflows.nodes.models import Insistence, node_lock_id
from workflows.nodes.specs import SPECS as NODES
from workflows.run.models import Status


def override_budget_command(  # noqa: PLR0913 - one parameter an option
    target: arg.Node,
    *,
    by: arg.By = "",
    note: arg.Note = "",
    key: arg.Key = None,
    printed: arg.Printed = False,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Override the disruption budgets that block a drain.

    The blocked pods are deleted anyway. Accepted only while a disruption budget blocks the run. Your name is
    in the report.
    """
    respond_about_run(output, override_budget(target, by, note, Signing(key, printed)))


async def override_budget(target: str, by: str, note: str, signing: Signing) -> Answer:
    """Send the decision and say what the run makes of it."""
    must_be_named(by)
    node = target_name(NODES[0], target)
    client, place = await connect(), Place(node_lock_id(node))
    chronicle = await must_be_open(client, place)
    insistence = await signing.sign("override-budget", Insistence(by=by, node=node, note=note), place, chronicle)
    if signing.printed:
        return to_paste(insistence)
    status = await send(client, place.of(chronicle.run_id), "insist", insistence, model=Status, what="the override")
    text = f"{by} overrides the disruption budgets on {node}: the blocked pods are deleted; it goes on: {again(place)}"
    return Answer(Exit.DONE, {"insisted": node, **shape_of(chronicle, status)}, Text(text))
