"""Follows a run by its history, through restarts of workers and of the server itself.

The server's long poll hands over each event as it happens; asking costs nothing while nothing happens, and needs no
worker. When the server does not answer, the follower asks again until it has been silent for ``_PATIENCE``. What history
does not say until a step has ended (its attempts, why the last one failed) is looked up beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from temporalio.api.workflow.v1 import PendingChildExecutionInfo
from temporalio.client import Client
from temporalio.service import RPCError

from starters.client.answers import CommandError, Exit, is_silence
from starters.client.server import NO_WORKER, ask_status, has_worker, read_run, refuses_its_page, task_queue, unknown_run
from starters.client.targets import Place
from starters.history.parse import Chronicle, innermost
from workflows.run.models import Status
from workflows.run.phases import Trait, has
from workflows.run.state import PHASE

_PATIENCE = timedelta(minutes=10)
_ASK_AGAIN_SECONDS = 0.5
_LOOK_EVERY_SECONDS = 1.0
_LOOK_SOON_SECONDS = 0.3
_UNTOUCHED_SECONDS = 2.0


@dataclass
class Watched:
    """A run while somebody follows it."""

    place: Place
    chronicle: Chronicle
    status: Status | None = None
    """What the run said of itself when it began to wait for people."""
    troubles: tuple[str, ...] = ()
    """Steps that are being tried again, and why."""
    note: str = ""
    """What is wrong with the server or the workers, if anything."""
    silent_since: datetime | None = None
    """Since when the server has not answered."""
    children: tuple[Watched, ...] = ()
    """Runs that this one has started and waits for, and that wait for people."""

    @property
    def waits_for_people(self) -> bool:
        """Whether nothing goes on until somebody acts, here or at a run that this one waits for."""
        own = self.chronicle.is_open and has(self.chronicle.phase, Trait.WAITS_FOR_PEOPLE)
        return own or bool(self.children)


class Display(Protocol):
    """Shows a run."""

    period: float
    """Seconds between two looks."""

    def show(self, watched: Watched, now: datetime) -> None:
        """Show the run as it stands."""

    def close(self) -> None:
        """Leave the terminal as it was."""


async def follow(client: Client, place: Place, display: Display) -> Chronicle:
    """Return the whole chronicle once the run has ended.

    Raises:
        CommandError: no such run, or the server has been silent for too long. The run is not affected.

    """
    watched = Watched(place=place, chronicle=Chronicle(workflow_id=place.workflow_id))
    stream = asyncio.create_task(_stream(client, watched))
    looking = asyncio.create_task(_look_for_ever(client, watched))
    try:
        while not stream.done():
            display.show(watched, datetime.now(UTC))
            await asyncio.wait({stream}, timeout=display.period)
        stream.result()
        display.show(watched, datetime.now(UTC))
    finally:
        display.close()
        for task in (stream, looking):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
    return watched.chronicle


async def _stream(client: Client, watched: Watched) -> None:
    """Read events until the run's last one."""
    while True:
        try:
            await _read_on(client, watched)
        except RPCError as error:
            if not is_silence(error):
                raise unknown_run(error, watched.place) from None
            _bear(watched)
        else:
            if watched.chronicle.close:
                return
        await asyncio.sleep(_ASK_AGAIN_SECONDS)


async def _read_on(client: Client, watched: Watched) -> None:
    """Take in events from the first page on, until the server has no more to hand over."""
    if not watched.chronicle.run_id:
        watched.chronicle.run_id = (await watched.place.handle(client).describe()).run_id
    place = Place(watched.place.workflow_id, watched.chronicle.run_id)
    try:
        async for event in place.handle(client).fetch_history_events(wait_new_event=True, skip_archival=True):
            watched.chronicle.add(event)
            watched.note, watched.silent_since = "", None
    except RPCError as error:
        if not refuses_its_page(error, watched.chronicle):
            raise
        watched.chronicle = await read_run(client, place)


def _bear(watched: Watched) -> None:
    """Say that the server is silent; give up when it has been for too long."""
    silent_since = watched.silent_since = watched.silent_since or datetime.now(UTC)
    watched.note = f"Temporal does not answer since {silent_since:%H:%M:%S} UTC; trying again, the run is not affected"
    if datetime.now(UTC) - silent_since > _PATIENCE:
        raise CommandError(
            Exit.UNREACHABLE, f"Temporal has not answered since {silent_since:%H:%M:%S} UTC; then: {again(watched.place)}"
        )


def again(place: Place) -> str:
    """Return the command that picks the run up again."""
    return f"failover follow {place.name}"


async def _look_for_ever(client: Client, watched: Watched) -> None:
    while True:
        with contextlib.suppress(RPCError):
            await look(client, watched)
        calm = has(watched.chronicle.phase, Trait.LONG) or watched.children
        await asyncio.sleep(_LOOK_EVERY_SECONDS if calm else _LOOK_SOON_SECONDS)


async def seen(client: Client, place: Place) -> Watched:
    """Return the run as it stands, with what it says of itself, if it is open and a worker answers for it."""
    watched = Watched(place=place, chronicle=await read_run(client, place))
    if watched.chronicle.is_open:
        if await has_worker(client):
            watched.status = await ask_status(place.handle(client))
        await look(client, watched)
    return watched


async def look(client: Client, watched: Watched) -> None:
    """Find out what history does not say yet: who is waited for, which steps are being tried again."""
    chronicle, handle = watched.chronicle, watched.place.handle(client)
    if chronicle.started_at is None:
        return
    if chronicle.stuck:
        watched.note = f"workers fail at it and try again, nothing goes on meanwhile: {chronicle.stuck[:300]}"
        return
    if not chronicle.phase and (datetime.now(UTC) - chronicle.started_at).total_seconds() > _UNTOUCHED_SECONDS:
        late = "" if await has_worker(client) else f"; {NO_WORKER.format(queue=task_queue())}"
        watched.note = f"no worker has picked the run up yet{late}"
        return
    if has(chronicle.phase, Trait.WAITS_FOR_PEOPLE):
        watched.status = await ask_status(handle) or watched.status
        watched.note = "" if watched.status else "waits for people, and no worker is there to show the plan"
    description = await handle.describe()
    waiting = [await _waiting(client, child) for child in description.raw_description.pending_children]
    watched.children = tuple(child for child in waiting if child is not None)
    watched.troubles = tuple(
        f"{pending.activity_type.name}: attempt {pending.attempt}: {innermost(pending.last_failure)[:300]}"
        for pending in description.raw_description.pending_activities
        if pending.attempt > 1 and pending.HasField("last_failure")
    )


async def _waiting(client: Client, child: PendingChildExecutionInfo) -> Watched | None:
    """Return a run that another one waits for, if it waits for people."""
    place = Place(child.workflow_id, child.run_id)
    labels = (await place.handle(client).describe()).typed_search_attributes
    if not has(labels.get(PHASE) or "", Trait.WAITS_FOR_PEOPLE):
        return None
    return Watched(place, await read_run(client, place), await ask_status(place.handle(client)))


async def read_until_closed(client: Client, place: Place, within: float) -> Chronicle:
    """Return the run as it stands when it has ended, or after ``within`` seconds."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        chronicle = await read_run(client, place)
        if chronicle.close or asyncio.get_running_loop().time() > deadline:
            return chronicle
        await asyncio.sleep(0.2)
