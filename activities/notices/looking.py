"""Looks at runs from outside: Temporal's list of them, and what each open one answers.

The list may be late, and clocks differ: what has closed shortly before the last look is listed again, and a run that was
known as open and is on no list is asked for by its ID. A run that does not answer in time is passed over until the next
look; one that has ended is told of all the same, by what Temporal knows. Reads only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from activities.notices.models import Facts, Said
from activities.notices.reading import DRILL, facts_of

_AT_A_TIME = 4
_ANSWERS_WITHIN = timedelta(seconds=2)
_QUERY = "TaskQueue = '{queue}' AND FailoverRun IN ('real', '{drill}') AND ({open} OR CloseTime >= '{since}')"
_OPEN = "ExecutionStatus = 'Running'"


class Runs:
    """The runs of one task queue."""

    def __init__(self, client: Client, queue: str) -> None:
        """Ask ``client``."""
        self._client, self._queue = client, queue
        self._few = asyncio.Semaphore(_AT_A_TIME)

    async def other_than(self, known: dict[str, Facts], since: datetime) -> tuple[list[Facts], list[str]]:
        """Return the facts that are new or other than ``known`` (by run ID), and the run IDs that nobody knows any more.

        Raises:
            RPCError: Temporal does not list.

        """
        listed = [run async for run in self._listed(since)]
        missing = [one for one in known.values() if not one.ended and one.run_id not in {run.run_id for run in listed}]
        found = await asyncio.gather(*map(self._described, missing))
        listed += [run for run in found if run is not None]
        gone = [one.run_id for one, run in zip(missing, found, strict=True) if run is None]
        wanted = [run for run in listed if not (run.run_id in known and known[run.run_id].ended)]
        facts = await asyncio.gather(*(self._facts(run, known.get(run.run_id)) for run in wanted))
        return [one for one in facts if one is not None and one != known.get(one.run_id)], gone

    async def _listed(self, since: datetime) -> AsyncIterator[WorkflowExecution]:
        query = _QUERY.format(queue=self._queue, drill=DRILL, open=_OPEN, since=since.isoformat())
        async for run in self._client.list_workflows(query):
            if run.status is not WorkflowExecutionStatus.CONTINUED_AS_NEW:
                yield run

    async def _described(self, one: Facts) -> WorkflowExecution | None:
        try:
            return await self._client.get_workflow_handle(one.workflow_id, run_id=one.run_id).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise

    async def _facts(self, run: WorkflowExecution, known: Facts | None) -> Facts | None:
        """Return the facts; ``None``: it is open and does not answer."""
        async with self._few:
            said = await self._said(run)
        if said is not None:
            return facts_of(run, said)
        if run.status is WorkflowExecutionStatus.RUNNING:
            return None
        bare = facts_of(run, None)
        if known is None:
            return bare
        told = {"by": known.by, "reason": known.reason, "headline": known.headline, "forward_only": known.forward_only}
        return bare.model_copy(update=told)

    async def _said(self, run: WorkflowExecution) -> Said | None:
        handle = self._client.get_workflow_handle(run.id, run_id=run.run_id)
        try:
            return Said.of(await handle.query("status", rpc_timeout=_ANSWERS_WITHIN))
        except (RPCError, WorkflowQueryFailedError):
            return None
