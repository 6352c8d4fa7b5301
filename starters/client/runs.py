"""The one place where the command starts workflows, sends them updates, and explains what went wrong.

A workflow ID is a lock: what holds it is named, never replaced, unless ``Start.if_open`` says otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import BaseModel
from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError, FailureError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.run.errors import Refusal
from activities.run.models.doctor import DoctorReport
from activities.run.models.report import Outcome
from activities.run.models.wire import read
from starters.client.answers import CommandError, Exit, UnknownRunError
from starters.client.following import again
from starters.client.server import NO_WORKER, has_worker, read_run, task_queue
from starters.client.targets import Place
from starters.history.model import facts_of
from starters.history.parse import Chronicle
from workflows.run.models import TASK_TIMEOUT

M = TypeVar("M", bound=BaseModel)

_ANSWER_WITHIN = timedelta(seconds=15)
LOOK_WITHIN_SECONDS = 3.0
"""How long a brief look may take: ``status`` must be quick when everything else is slow."""
_LOOK_AT_MOST = timedelta(seconds=10)
_LONGEST_SUMMARY = 200
_CODES = {Refusal.BAD_INPUT.value: Exit.USAGE, Refusal.UNREACHABLE.value: Exit.FAILED}


@dataclass(frozen=True)
class Start:
    """A workflow to start."""

    workflow: str
    request: object
    workflow_id: str
    summary: str = ""
    """One line for the Temporal UI."""
    at_most: timedelta | None = None
    """How long it may run."""
    if_open: WorkflowIDConflictPolicy = WorkflowIDConflictPolicy.FAIL
    memo: dict[str, Any] | None = None
    task_timeout: timedelta = TASK_TIMEOUT
    signal: str = ""
    """Sent with the start, also to the one that is open."""


async def must_be_served(client: Client, undone: str = "nothing was started") -> None:
    """Return if a worker is there. CommandError: none is, so that ``undone``."""
    if not await has_worker(client):
        raise CommandError(Exit.WAITING, f"{undone}: {no_worker()}")


def no_worker() -> str:
    """Return what is wrong when no worker is there, and the remedy."""
    return NO_WORKER.format(queue=task_queue())


async def begin(client: Client, start: Start) -> Place:
    """Start a run and return at once.

    Raises:
        CommandError: another run holds the lock.

    """
    handle = await _started(client, start)
    return Place(start.workflow_id, handle.result_run_id or handle.first_execution_run_id or "")


async def answer_to(client: Client, start: Start, model: type[M], *, otherwise: Exit = Exit.REFUSED) -> M:
    """Start a workflow that answers soon and return its answer.

    Raises:
        CommandError: it failed; ``otherwise`` is the exit code of a refusal that has none of its own.

    """
    handle = await _started(client, start, model)
    try:
        return read(model, await handle.result())
    except WorkflowFailureError as error:
        raise _failure(error, start, otherwise) from error


async def _started(client: Client, start: Start, model: type[BaseModel] | None = None) -> WorkflowHandle[Any, Any]:
    try:
        return await client.start_workflow(
            start.workflow,
            start.request,
            id=start.workflow_id,
            task_queue=task_queue(),
            id_conflict_policy=start.if_open,
            task_timeout=start.task_timeout,
            execution_timeout=start.at_most,
            memo=start.memo,
            static_summary=start.summary[:_LONGEST_SUMMARY] or None,
            start_signal=start.signal or None,
            result_type=model,
        )
    except WorkflowAlreadyStartedError as error:
        raise await _held(client, Place(start.workflow_id)) from error


async def _held(client: Client, place: Place) -> CommandError:
    """Return the refusal that points to the lock's holder."""
    holder = await read_run(client, place)
    since = f"{holder.started_at:%H:%M:%S} UTC" if holder.started_at else "?"
    return CommandError(
        Exit.REFUSED,
        f"{place.name} is held by {holder.workflow}, started {since} by {holder.asked.get('by') or 'nobody named'},"
        f" now {holder.phase or 'waiting for a worker'}; see it: {again(place)}",
    )


def _failure(error: WorkflowFailureError, start: Start, otherwise: Exit) -> CommandError:
    cause = error.cause
    while isinstance(cause, FailureError) and not isinstance(cause, ApplicationError) and cause.cause is not None:
        cause = cause.cause
    if isinstance(cause, ApplicationError):
        return CommandError(_CODES.get(cause.type or "", otherwise), cause.message)
    within = f" within {start.at_most.total_seconds():g} s" if start.at_most else ""
    return CommandError(
        Exit.FAILED, f"{start.workflow} did not come to its end{within}: {cause or error}; see the worker: failover doctor"
    )


async def brief_look(client: Client) -> DoctorReport:
    """Return what a worker sees of every cluster, and what the estate lists.

    Raises:
        CommandError: the worker cannot say.
        TimeoutError: none has answered within ``LOOK_WITHIN_SECONDS``.

    """
    # One look serves all who ask at the same moment.
    start = Start(
        "doctor",
        {"brief": True},
        f"doctor/standing/{task_queue()}",
        at_most=_LOOK_AT_MOST,
        if_open=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    async with asyncio.timeout(LOOK_WITHIN_SECONDS):
        return await answer_to(client, start, DoctorReport)


@asynccontextmanager
async def explaining(client: Client) -> AsyncIterator[None]:
    """Say of a run that does not exist whether its target does, as far as a worker can tell."""
    try:
        yield
    except UnknownRunError as error:
        raise CommandError(Exit.USAGE, await _why_unknown(client, error)) from error


async def _why_unknown(client: Client, error: UnknownRunError) -> str:
    name = error.name
    try:
        listed = (await brief_look(client)).targets if await has_worker(client) else ()
    except (CommandError, TimeoutError):
        listed = ()
    if name in listed:
        return f"target: nothing has run for {name} yet; see what there is: failover status"
    if listed and "/" not in name:
        known = f"it lists {', '.join(listed)}; a node is named node/NODE"
        return f"target: nothing has ever run for {name!r}, and the estate does not list it; {known}"
    return str(error)


async def must_be_open(client: Client, place: Place) -> Chronicle:
    """Return the run.

    Raises:
        CommandError: it has ended.

    """
    async with explaining(client):
        chronicle = await read_run(client, place)
    if chronicle.close:
        raise CommandError(Exit.REFUSED, _ended(chronicle, place))
    return chronicle


def _ended(chronicle: Chronicle, place: Place) -> str:
    facts = facts_of(chronicle)
    if facts.outcome is Outcome.WITHDRAWN:
        ago = (datetime.now(UTC) - (chronicle.closed_at or facts.started_at)).total_seconds()
        return f"{place.name}: {facts.reason} ({ago:.0f} s ago); nothing waits; failover report {place.name}"
    at = f" at {chronicle.closed_at:%H:%M:%S} UTC" if chronicle.closed_at else ""
    why = f": {facts.reason}" if facts.reason else ""
    return (
        f"{place.name} has ended{at} ({facts.outcome or chronicle.close}{why}); nothing waits; failover report {place.name}"
    )


async def send(  # noqa: PLR0913 - one argument a part of the update
    client: Client, place: Place, update: str, message: BaseModel, *, model: type[M], what: str
) -> M:
    """Send an update and return its answer; ``what`` names the message in sentences.

    Raises:
        CommandError: it does not count, or nobody answered.

    """
    try:
        async with asyncio.timeout(_ANSWER_WITHIN.total_seconds()):
            answer = await place.handle(client).execute_update(update, message, result_type=model)
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        why = cause.message if isinstance(cause, ApplicationError) else str(cause)
        raise CommandError(Exit.REFUSED, f"{what} does not count: {why}") from error
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        raise CommandError(Exit.REFUSED, _ended(await read_run(client, place), place)) from error
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
        silent = await why_silent(client)
        sentence = f"{place.name} has not answered ({silent}); {what} may still count: failover status {place.name}"
        raise CommandError(Exit.FAILED, sentence) from error
    return read(model, answer)


async def why_silent(client: Client) -> str:
    """Return why a run does not answer."""
    return "its worker is busy or has just died" if await has_worker(client) else no_worker()
