"""The exporter: it looks at Temporal again and again, and answers Prometheus at once from what it has seen last.

    every 15 s: visibility, histories, memos, schedules ──> samples ──┐
    scrape ──────────────────────────────────────────────────────> what was seen last, and how old that is

A scrape never waits for Temporal, so that one that hangs does not hide that it hangs: ``failover_exporter_up`` is 0 from the
first look that fails, and once what was seen is older than two looks and the pauses before them, and 5 s. What was seen is
served for a minute, with its age, so that a short silence ends no alert; then only what the exporter knows of itself is
left. Nothing is kept: a new exporter serves the same after its first look.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from math import nan

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.client import Client
from temporalio.service import RPCError

from activities.run.pollers import pollers
from starters.client.server import task_queue
from starters.exporter import declared
from starters.exporter.declared import METRICS, OF_ITSELF, Sample, families
from starters.exporter.detections import Detections
from starters.exporter.drills import Drills
from starters.exporter.ready import readiness
from starters.exporter.runs import Runs
from workers.connection import ServerUnreachableError, connect

_LOOK_WITHIN_SECONDS = 30.0
KEPT_SECONDS = 60.0
_LATE_SECONDS = 5.0
_log = logging.getLogger("failover.exporter")


@dataclass(frozen=True)
class Seen:
    """What one look has found."""

    samples: tuple[Sample, ...]
    unread: int
    at: float
    """When the look began, by the clock that nobody sets."""
    took: float


class Shown(Collector):
    """What is scraped."""

    def __init__(self, every: float) -> None:
        """Have seen nothing. A look begins ``every`` so many seconds."""
        self.seen: Seen | None = None
        self.succeeded = False
        self._every = every

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return what was seen last; only the exporter's own state where that is too old."""
        seen = self.seen
        age = time.monotonic() - seen.at if seen else nan
        fresh = 2 * (self._every + seen.took) + _LATE_SECONDS if seen else 0.0
        own = [declared.UP.of(self.succeeded and age <= fresh), declared.AGE.of(age)]
        if seen:
            own += [declared.UNREAD.of(seen.unread), declared.TOOK.of(seen.took)]
        yield from families(own, OF_ITSELF)
        if seen and age <= max(KEPT_SECONDS, fresh):
            yield from families(seen.samples, [one for one in METRICS if one not in OF_ITSELF])


class Looks:
    """Looks at everything, with what was learned before."""

    def __init__(self, client: Client) -> None:
        """Look through ``client``."""
        self._client = client
        self._runs, self._detections, self._drills = Runs(client), Detections(client), Drills(client)

    async def look(self) -> Seen:
        """Return what there is. RPCError: Temporal does not answer. TimeoutError: not in time."""
        now, began = datetime.now(UTC), time.monotonic()
        async with asyncio.timeout(_LOOK_WITHIN_SECONDS):
            runs, unread_runs = await self._runs.samples(now)
            drills, unread_drills = await self._drills.samples(now)
            ready, unread_ready = await readiness(self._client, now)
            detections = await self._detections.samples()
            queue = task_queue()
            workers = await pollers(self._client, queue, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW)
        samples = (*runs, *drills, *ready, *detections, declared.WORKERS.of(workers, queue))
        return Seen(samples, unread_runs + unread_drills + unread_ready, began, time.monotonic() - began)


async def serve(address: str, port: int, every: float) -> None:
    """Serve metrics until told to end. OSError: the port is taken."""
    shown, registry, ending = Shown(every), CollectorRegistry(), asyncio.Event()
    registry.register(shown)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    server, _ = start_http_server(port, address, registry)
    _log.info("serves metrics at %s:%d, looks every %g s", address, port, every)
    looking = asyncio.create_task(_look_for_ever(shown, every))
    await asyncio.wait({looking, asyncio.create_task(ending.wait())}, return_when=asyncio.FIRST_COMPLETED)
    server.shutdown()
    if looking.done():
        looking.result()
    looking.cancel()


async def _look_for_ever(shown: Shown, every: float) -> None:
    looks, said = None, ""
    while True:
        try:
            looks = looks or Looks(await connect())
            shown.seen, shown.succeeded, words = await looks.look(), True, ""
        except (ServerUnreachableError, RPCError, TimeoutError) as error:
            shown.succeeded, words = False, str(error).splitlines()[0] if str(error) else type(error).__name__
        if words and words != said:
            _log.warning("%s; looks again every %g s", words, every)
        said = words
        await asyncio.sleep(every)
