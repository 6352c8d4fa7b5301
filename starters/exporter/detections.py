"""How each detection stands, and when one of its observers was last alive.

What a detection says of itself is in its memo, which changes only when its words do. An observer that looks tells Temporal
so every other second, which needs no worker: that is how a detection is found that says *healthy* and has long been dead.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from temporalio.client import Client

from activities.run.watches import WATCHES
from starters.client.detections import standing
from starters.exporter import declared
from starters.exporter.declared import Sample
from workflows.detection.models import WatchStatus

_AT_ONCE = 8


class Detections:
    """What is told of detections."""

    def __init__(self, client: Client) -> None:
        """Look through ``client``."""
        self._client = client
        self._looked: dict[str, datetime] = {}
        self._few = asyncio.Semaphore(_AT_ONCE)

    async def samples(self) -> list[Sample]:
        """Return all values. RPCError: Temporal does not answer."""
        found = await standing(self._client)
        looked = dict(zip(found, await asyncio.gather(*(self._last_look(one) for one in found)), strict=True))
        self._looked = {one: max(at, self._looked.get(one, at)) for one, at in looked.items()}
        return [
            sample for one, status in found.items() for sample in _of(one.removeprefix(WATCHES), status, self._looked[one])
        ]

    async def _last_look(self, watch: str) -> datetime:
        """Return when an observer of it was last alive; where none is known, when its history began."""
        async with self._few:
            described = await self._client.get_workflow_handle(watch).describe()
        beats = [
            at.ToDatetime(UTC)
            for one in described.raw_description.pending_activities
            for at in (one.last_heartbeat_time, one.last_started_time)
            if at.seconds
        ]
        return max(beats, default=described.start_time)


def _of(target: str, status: WatchStatus, looked: datetime) -> list[Sample]:
    return [
        declared.POLICY.of(1, target, status.policy or "unknown"),
        declared.GONE.of(len(status.gone), target),
        declared.BLIND.of(status.blind, target),
        declared.OBSERVERS.of(status.seeing, target, "seeing"),
        declared.OBSERVERS.of(len(status.silent), target, "silent"),
        declared.BEGUN.of(len(status.open), target),
        declared.COOLING.of(status.cooling is not None, target),
        declared.LOOKED.of(looked, target),
    ]
