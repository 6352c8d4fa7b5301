"""What a region's failover changes in its two clusters, and what it waits for there. Each step is safe to repeat.

The lost region is fenced as far as it can be reached. Each Deployment is read first, and changed by a patch that names the
version read: what was never sent is known to be untouched, and an undo does not wait for a region that is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from temporalio import activity

from activities.clients.ports import RequestRefusedError
from activities.clients.region_ports import Application, Overlays, RegionClusters
from activities.region.failover_models import (
    Applied,
    ApplyOrder,
    Checked,
    CheckOrder,
    Fenced,
    ReadyOrder,
    ReadySeen,
    RegionOrder,
    Scale,
    Started,
    StopOrder,
    UnfenceOrder,
)
from activities.region.failover_survey import NO_ANSWER, digest_of_overlay
from activities.region.lease import is_closed
from activities.region.overtaking import unless_overtaken
from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.polling import sleep
from activities.run.postures import CHANGE, COMPENSATE, FORWARD

R = TypeVar("R")
T = TypeVar("T")

_TRIES, _PAUSE_SECONDS, _POLL_SECONDS = 3, 0.3, 1.0
_FENCE_SECONDS = 30.0


def _which(request: ApplyOrder) -> str:
    return "pilot light" if request.pilot_light else "overlay"


async def _each(change: Callable[[R, str], Awaitable[T]], request: R, names: Iterable[str]) -> tuple[T, ...]:
    """Return what the change of each Deployment has come to, side by side."""
    return tuple(
        await asyncio.gather(
            *(unless_overtaken(f"Deployment {name}", _TRIES, partial(change, request, name)) for name in names)
        )
    )


class RegionActivities:
    """The changing half of ``region-failover``."""

    def __init__(self, clusters: RegionClusters, overlays: Overlays, application: Application) -> None:
        """Change clusters by ``clusters``, render by ``overlays``, ask the application by ``application``."""
        self._clusters, self._overlays, self._application = clusters, overlays, application

    @step("region.fence", CHANGE, lambda request: f"scale the applications of region {request.target.name} to zero")
    async def fence(self, request: RegionOrder) -> Fenced:
        """Scale to zero what can be reached, and say of the rest why not. Never raises for a region that is silent."""
        first = activity.info().attempt == 1
        scaled = await asyncio.gather(
            *(self._within_time(request, name, first=first) for name in request.target.settings.applications)
        )
        return Fenced(at=datetime.now(UTC), applications=tuple(scaled))

    async def _within_time(self, request: RegionOrder, name: str, *, first: bool) -> Scale:
        """Scale one down, or say that it took too long: one that hangs must not keep the others' answers back."""
        try:
            async with asyncio.timeout(_FENCE_SECONDS):
                return await self._scaled_down(request, name, first=first)
        except TimeoutError:
            return Scale(name=name, untouched=False, error=f"no answer within {_FENCE_SECONDS:g} s")

    async def _scaled_down(self, request: RegionOrder, name: str, *, first: bool) -> Scale:
        """Scale one down. ``first``: no earlier attempt of this step can have sent anything."""
        region, told = request.target.region, Scale(name=name, untouched=first)
        for number in range(_TRIES):
            try:
                seen = (await self._clusters.scale(region, name)).model_copy(update={"untouched": told.untouched})
                if seen.wanted == 0:
                    return seen.model_copy(update={"untouched": seen.untouched and seen.kept is None})
                told = told.model_copy(update={"untouched": False, "kept": seen.wanted})
                return await self._clusters.scale_down(region, seen, str(request.run))
            except NO_ANSWER as error:
                told = told.model_copy(update={"error": str(error)})
            if number < _TRIES - 1:
                await sleep(_PAUSE_SECONDS)
        return told

    @step("region.unfence", COMPENSATE, lambda request: f"give the applications of region {request.target.name} back")
    async def unfence(self, request: UnfenceOrder) -> tuple[str, ...]:
        """Give back the numbers that are kept; return a line per application that has its own again.

        Raises:
            UnreachableError: the region is silent, and something there may have been scaled to zero.

        """
        fenced = {one.name: one for one in request.fenced.applications} if request.fenced else {}
        names = [name for name in request.target.settings.applications if not (name in fenced and fenced[name].untouched)]
        back = await _each(self._scaled_back, request, names)
        return tuple(line for line in back if line)

    async def _scaled_back(self, request: UnfenceOrder, name: str) -> str:
        region = request.target.region
        seen = await self._clusters.scale(region, name)
        if seen.kept is None:
            return ""
        if seen.kept_for != str(request.run) and not await is_closed(seen.kept_for):
            return f"Deployment {name} stays at {seen.wanted} pods: the run {seen.kept_for or '(unknown)'} has scaled it"
        now = await self._clusters.scale_back(region, seen)
        return f"Deployment {name} asks for {now.wanted} pods again"

    @step("region.start_applications", CHANGE, lambda request: f"start the applications of region {request.target.name}")
    async def start_applications(self, request: RegionOrder) -> Started:
        """Give back the pods that a failover has taken from applications. Safe to repeat; one that has pods keeps them.

        Raises:
            ApplicationError: ``NotWhole``, one asks for no pods, and no note says how many it had. It is not changed.

        """
        started = await _each(self._started, request, request.target.settings.applications)
        return Started(at=datetime.now(UTC), applications=started)

    async def _started(self, request: RegionOrder, name: str) -> Scale:
        region = request.target.region
        seen = await self._clusters.scale(region, name)
        if seen.wanted != 0:
            return seen
        if not seen.kept:
            words = f"Deployment {name} asks for no pods, and nothing says how many it had: scale it, then start again"
            raise refuse(Refusal.NOT_WHOLE, words)
        return await self._clusters.scale_back(region, seen)

    @step("region.stop_applications", COMPENSATE, lambda request: f"stop the applications of region {request.target.name}")
    async def stop_applications(self, request: StopOrder) -> tuple[str, ...]:
        """Scale to zero again what was; return a line per application. Safe to repeat."""
        names = [name for name in request.target.settings.applications if name in request.names]
        return await _each(self._stopped, request, names)

    async def _stopped(self, request: StopOrder, name: str) -> str:
        region = request.target.region
        seen = await self._clusters.scale(region, name)
        if seen.wanted != 0:
            await self._clusters.scale_down(region, seen, str(request.run))
        return f"Deployment {name} asks for no pods again"

    @step("region.apply_overlay", FORWARD, lambda request: f"apply the {_which(request)} of region {request.target.name}")
    async def apply_overlay(self, request: ApplyOrder) -> Applied:
        """Apply what was approved, object by object, under our own field manager.

        Raises:
            ApplicationError: ``PlanChanged``, the overlay is another one by now; ``NotWhole``, an object is refused.

        """
        target, settings = request.target, request.target.settings
        path = (settings.pilot_light if request.pilot_light else None) or settings.overlay
        if request.pilot_light and settings.pilot_light is None:
            raise refuse(Refusal.BAD_ESTATE, f"region_failovers.{target.name} names no pilot_light any more")
        try:
            objects = await self._overlays.render(path)
            if digest_of_overlay(objects) != request.digest:
                words = f"{_which(request)} {path} renders something else than what was approved: put it back"
                raise refuse(Refusal.PLAN_CHANGED, f"{words}, or start again and have the new one approved")
            await self._clusters.apply(target.to, objects)
        except RequestRefusedError as error:
            raise refuse(Refusal.NOT_WHOLE, str(error)) from error
        return Applied(at=datetime.now(UTC), objects=len(objects))

    @step("region.await_ready", FORWARD, lambda request: f"wait for {request.target.settings.ready.selector}")
    async def await_ready(self, request: ReadyOrder) -> ReadySeen:
        """Return once all pods are Ready, or enough, or when time is up, with what is missing then. Changes nothing."""
        target = request.target
        region = target.region if request.back else target.to
        while True:
            try:
                seen = await self._clusters.ready_pods(region, target.settings.ready.selector)
            except NO_ANSWER as error:
                seen = ReadySeen(at=datetime.now(UTC), words=str(error))
            if not seen.words or 0 < request.enough <= seen.ready or datetime.now(UTC) >= request.until:
                return seen
            await sleep(_POLL_SECONDS)

    @step("region.check_application", FORWARD, lambda request: f"ask the application of region {request.target.name}")
    async def check_application(self, request: CheckOrder) -> Checked:
        """Return once every answer of one round is fine, or when time is up, with the answers of the last round."""
        checks = request.target.settings.checks
        if checks is None:
            return Checked(at=datetime.now(UTC))
        while True:
            seen = Checked(at=datetime.now(UTC), answers=await self._application.ask(checks, str(request.run)))
            if seen.fine or datetime.now(UTC) >= request.until:
                return seen
            await sleep(_POLL_SECONDS)
