"""``history``: past runs, found by the search attributes that every run sets, newest first."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from rich.console import RenderableType
from rich.text import Text
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from starters.client.answers import Answer, CommandError, Exit, Output, respond
from starters.client.requests import ours
from starters.client.targets import Place, find
from starters.commands import arguments as arg
from starters.history.parse import Chronicle, target_of
from starters.render.tables import Rows
from starters.render.words import duration, moment, who
from workers.connection import connect
from workflows.run.state import MODE, OUTCOME, PHASE, RUN


class PastRun(BaseModel):
    """One line of the history."""

    workflow: str
    workflow_id: str
    run_id: str
    cluster: str
    mode: str
    run: str
    by: str
    reason: str
    outcome: str
    """The run's own word for its end; else its phase, else how Temporal closed it."""
    started_at: datetime
    seconds: float | None
    """``None`` while it is open."""


def history_command(
    target: arg.OnlyCluster = None,
    *,
    limit: arg.Limit = 20,
    plans: arg.Plans = False,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """List runs, newest first: when, who, outcome, duration."""
    respond(output, history(target, limit, plans=plans))


async def history(target: str | None, limit: int, *, plans: bool) -> Answer:
    """List at most ``limit`` runs."""
    client = await connect()
    query = ours() if plans else f"{ours()} AND {RUN.name} != 'plan'"
    if target:
        query += f" AND WorkflowId = '{(await find(client, target)).workflow_id}'"
    found = await _listed(client, query, limit)
    runs = await asyncio.gather(*(_past_run(client, one) for one in found))
    text = _table(runs) if runs else Text(f"no run{f' of {target}' if target else ''} is kept here")
    return Answer(Exit.DONE, {"runs": [run.model_dump(mode="json") for run in runs]}, text)


async def _listed(client: Client, query: str, limit: int) -> list[WorkflowExecution]:
    try:
        return [one async for one in client.list_workflows(query, limit=limit)]
    except RPCError as error:
        if error.status is not RPCStatusCode.INVALID_ARGUMENT:
            raise
        raise CommandError(
            Exit.FAILED, f"this namespace lacks our search attributes ({error.message}); start a worker once, it makes them"
        ) from error


async def _past_run(client: Client, one: WorkflowExecution) -> PastRun:
    labels = one.typed_search_attributes
    asked = await _asked(client, Place(one.id, one.run_id))
    closed = one.status.name.lower().replace("_", " ") if one.status else ""
    return PastRun(
        workflow=one.workflow_type,
        workflow_id=one.id,
        run_id=one.run_id,
        cluster=target_of(asked),
        mode=labels.get(MODE) or str(asked.get("mode", "")),
        run=labels.get(RUN) or str(asked.get("run", "")),
        by=str(asked.get("by", "")),
        reason=str(asked.get("reason", "")),
        outcome=labels.get(OUTCOME) or (closed if one.close_time else labels.get(PHASE) or closed),
        started_at=one.start_time,
        seconds=(one.close_time - one.start_time).total_seconds() if one.close_time else None,
    )


async def _asked(client: Client, place: Place) -> dict[str, Any]:
    """Return the request, which only the first event holds; empty when it is gone."""
    chronicle = Chronicle()
    try:
        async for event in place.handle(client).fetch_history_events(page_size=1):
            chronicle.add(event)
            break
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    return chronicle.asked


def _table(runs: list[PastRun]) -> RenderableType:
    table = Rows("when", "what", "target", "mode", "by", "outcome", "took", "run", key=-1, indent=0)
    for run in runs:
        kind = run.workflow if run.run == "real" else f"{run.run} of {run.workflow}"
        took = duration(run.seconds) if run.seconds is not None else "open"
        table.add_row(moment(run.started_at), kind, run.cluster, run.mode, who(run.by), run.outcome, took, run.run_id)
    return table
