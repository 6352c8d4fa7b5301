"""``follow``: shows a run until it ends. Leaving early never affects the run."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from pydantic import TypeAdapter, ValidationError
from temporalio.client import Client

from starters.client.answers import Answer, CommandError, Exit, Output, respond_about_run
from starters.client.following import again, follow, seen
from starters.client.results import answer_of, view_of
from starters.client.runs import explaining
from starters.client.targets import Place, find
from starters.commands import arguments as arg
from starters.history.model import facts_of
from starters.render.live import display_for
from starters.render.waiting import notices
from workers.connection import connect
from workflows.run.durations import Duration


@dataclass(frozen=True)
class Following:
    """Whether a run is followed, how it is shown, and for how long."""

    output: Output
    timeout: str | None = None
    wanted: bool = True

    @classmethod
    def typed(cls, output: Output, timeout: str | None, *asked: bool | None) -> Self:
        """Return what a command that starts a run does: as asked, or follow where a person looks on."""
        said = [one for one in asked if one is not None]
        return cls(output, timeout, said[0] if said else timeout is not None or sys.stdout.isatty())

    def check(self) -> None:
        """Return if a run can be followed for that long. CommandError: it cannot; nothing has been started."""
        if self.seconds is not None and not self.wanted:
            raise CommandError(Exit.USAGE, "timeout: --no-follow returns at once; leave --timeout out, or --no-follow")

    @property
    def seconds(self) -> float | None:
        """How long to follow; ``None``: to the end. CommandError: that is no duration."""
        if self.timeout is None:
            return None
        try:
            within = TypeAdapter[timedelta](Duration).validate_python(self.timeout).total_seconds()
        except ValidationError:
            within = 0.0
        if within <= 0:
            raise CommandError(Exit.USAGE, f"timeout: {self.timeout!r} is no duration; give for example --timeout 90s or 5m")
        return within


def follow_command(target: arg.Target, *, timeout: arg.Timeout = None, output: arg.OutputOption = Output.TEXT) -> None:
    """Show a run until it ends, or how it ended. Ctrl-C leaves the run going."""
    respond_about_run(output, follow_target(target, Following(output, timeout)))


async def follow_target(target: str, following: Following) -> Answer:
    """Follow what ``target`` names, or show the end of a run that is over."""
    following.check()
    client = await connect()
    return await follow_run(client, await find(client, target), following)


async def follow_run(client: Client, place: Place, following: Following) -> Answer:
    """Follow one run; on Ctrl-C, and when the time is up, say that it goes on, and how to come back."""
    try:
        async with asyncio.timeout(following.seconds), explaining(client):
            return answer_of(facts_of(await follow(client, place, display_for(following.output))))
    except TimeoutError:
        return await _time_is_up(client, place, following)
    except asyncio.CancelledError:
        data = {"workflow_id": place.workflow_id, "run_id": place.run_id, "watch_again": again(place)}
        return Answer(
            Exit.INTERRUPTED, data, complaint=f"{place.name} goes on without you; pick it up again: {again(place)}"
        )


async def _time_is_up(client: Client, place: Place, following: Following) -> Answer:
    watched = await seen(client, place)
    facts = facts_of(watched.chronicle)
    if not facts.open:
        return answer_of(facts)
    phase = facts.phase or "not begun by any worker"
    complaint = f"{place.name} has not ended within {following.timeout} and goes on ({phase}); follow it: {again(place)}"
    code = Exit.WAITING if watched.waits_for_people else Exit.FAILED
    text = "\n".join(notices(watched)) or None
    return Answer(code, {**view_of(watched), "watch_again": again(place)}, text, complaint=complaint)
