"""Questions to Temporal that several commands ask."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.client import Client, WorkflowHandle, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from activities.run.pollers import polls
from starters.client.answers import CommandError, UnknownRunError, is_no_namespace
from starters.client.targets import Place
from starters.history.parse import Chronicle
from workflows.run.models import TASK_QUEUE, Status

NO_WORKER = "no worker polls the task queue {queue}; start one (failover worker, or scale up the Deployment failover-worker)"
_LOOKS, _BETWEEN_LOOKS = 3, 0.3


def task_queue() -> str:
    """Return the queue that workers serve; the worker reads the same variable."""
    return os.environ.get("FAILOVER_TASK_QUEUE") or TASK_QUEUE


async def has_worker(client: Client) -> bool:
    """Whether a worker has asked for work lately. Looks a few times: a restarted server learns it again."""
    for look in range(_LOOKS):
        if look:
            await asyncio.sleep(_BETWEEN_LOOKS)
        if await polls(client, task_queue(), TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW):
            return True
    return False


async def read_run(client: Client, place: Place) -> Chronicle:
    """Return what the run's history says up to now.

    Raises:
        CommandError: there is no such run.

    """
    try:
        run_id = (await place.handle(client).describe()).run_id
        for look in range(1, _LOOKS + 1):
            chronicle = Chronicle(workflow_id=place.workflow_id, run_id=run_id)
            try:
                async for event in Place(place.workflow_id, run_id).handle(client).fetch_history_events():
                    chronicle.add(event)
                break
            except RPCError as error:
                if look == _LOOKS or not refuses_its_page(error, chronicle):
                    raise
    except RPCError as error:
        raise unknown_run(error, place) from None
    return chronicle


def refuses_its_page(error: RPCError, chronicle: Chronicle) -> bool:
    """Whether the server refuses the token of a page that it handed out itself; the history must be read anew.

    It does so when it drops a worker's turn that it had counted: seen in a watch on a loaded machine.
    """
    return error.status is RPCStatusCode.INVALID_ARGUMENT and chronicle.last_event > 0


def unknown_run(error: RPCError, place: Place) -> CommandError | RPCError:
    """Return the sentence for a run that does not exist, or ``error`` itself if it is about something else."""
    if error.status is not RPCStatusCode.NOT_FOUND or is_no_namespace(error):
        return error
    return UnknownRunError(place.name)


async def ask_status(handle: WorkflowHandle[object, object], within: timedelta = timedelta(seconds=3)) -> Status | None:
    """Return what the run says of itself; ``None`` when no worker answers or the workflow has no such query."""
    try:
        answer = await handle.query("status", result_type=Status, rpc_timeout=within)
    except (RPCError, WorkflowQueryFailedError):
        return None
    return answer if isinstance(answer, Status) else None
