"""A cluster in memory that three witnesses look at; what each of them sees is what a test says."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.worker import Worker

from activities.detection.models import Condition, Finding, Look, witness_queue
from activities.detection.witness import WitnessActivities
from activities.run.heartbeat import Heartbeat
from activities.run.models.wire import read
from activities.run.own_targets import OwnTargets
from tests.fakes.world import A, World
from tests.postgres.bench import Bench, Handle, serving
from tests.postgres.gone import ISOLATING
from workflows.detection.models import WatchStatus

WITNESSES = ("east", "north", "west")
GONE = Look(findings=(Finding(subject=A, condition=Condition.STOPPED, words="its gate: it is down"),))
REFUSED = Look(findings=(Finding(subject=A, condition=Condition.REFUSED, words="connection refused"),))
WELL = Look()
QUICK = {
    "interval": "PT0.05S",
    **dict.fromkeys(("stopped_after", "refused_after", "silent_after", "steady_after"), "PT0S"),
    "cooldown": "PT1H",
}


class WatchBench:
    """One watched cluster."""

    def __init__(self, bench: Bench) -> None:
        """Let every witness see that all is well."""
        self.bench = bench
        self.sees: dict[str, Look] = dict.fromkeys(WITNESSES, WELL)
        self.looks: Counter[str] = Counter()
        self._working: dict[str, tuple[Worker, asyncio.Task[None]]] = {}

    @property
    def watch_id(self) -> str:
        return f"watch/{self.bench.lock}"

    def let(self, look: Look, *witnesses: str) -> None:
        """Let ``witnesses`` (all, unless named) see ``look`` from now on."""
        self.sees |= dict.fromkeys(witnesses or WITNESSES, look)

    def serve(self, witness: str, lingers: float = 0) -> None:
        """Let a witness come; once dismissed it ``lingers`` for so many seconds."""
        bench = self

        class SaidEye:
            async def look(self) -> Look:
                bench.looks[witness] += 1
                return bench.sees[witness]

        worker = Worker(
            self.bench.client,
            task_queue=witness_queue(self.bench.queue, witness),
            activities=[WitnessActivities(lambda _: SaidEye()).look],
            interceptors=[Heartbeat(), OwnTargets(bench.bench.inventory)],
            max_heartbeat_throttle_interval=timedelta(seconds=0.2),
            graceful_shutdown_timeout=timedelta(seconds=lingers),
        )
        self._working[witness] = (worker, asyncio.create_task(worker.run()))

    async def dismiss(self, witness: str) -> None:
        """Let a witness go; while it lingers it may still say what it sees, and begins no other look."""
        worker, task = self._working.pop(witness)
        await worker.shutdown()
        await task

    async def watch(self, *args: Any, id: str | None = None) -> Handle:  # noqa: A002 - Temporal's name
        """Start the watch; return once every witness that is there has spoken."""
        handle = await self.bench.start(
            *(args or [{"target": self.bench.cluster}]), workflow="postgres-watch", id=id or self.watch_id
        )
        if not args and id is None:
            await self.bench.until(self._all_have_spoken)
        return handle

    async def until_looks(self, witness: str) -> None:
        """Wait until a witness that has spoken looks again."""
        before = self.looks[witness]
        await self.bench.until(lambda: self.looks[witness] > before + 1)

    async def _all_have_spoken(self) -> bool:
        status = await self.status()
        return len(status.witnesses) == len(WITNESSES) and len(status.silent) == len(WITNESSES) - len(self._working)

    async def status(self) -> WatchStatus:
        found = await self.bench.client.get_workflow_handle(self.watch_id).query("watch_status")
        return read(WatchStatus, found)

    async def until_said(self, words: str, seconds: float = 40) -> WatchStatus:
        """Wait until the watch has said ``words``."""
        await self.bench.until(lambda: self._has_said(words), seconds)
        return await self.status()

    async def _has_said(self, words: str) -> bool:
        return words in (await self.status()).last_words

    async def until_gone(self) -> None:
        """Wait until a majority finds the primary gone."""
        await self.bench.until(self._is_gone)

    async def _is_gone(self) -> bool:
        return bool((await self.status()).gone)

    async def until_cooling(self) -> WatchStatus:
        """Wait until a cool-down holds."""
        await self.bench.until(self._cools)
        return await self.status()

    async def _cools(self) -> bool:
        return (await self.status()).cooling is not None

    async def until_well(self) -> None:
        await self.bench.until(self._is_well)

    async def _is_well(self) -> bool:
        return not (await self.status()).gone

    async def run(self) -> Handle:
        """Return the failover that the watch has begun, once there is one."""
        handle = self.bench.client.get_workflow_handle(self.bench.lock)
        await self.bench.until(self._has_begun)
        self.bench.started.append(handle)
        return handle

    async def run_of(self, parent: Handle) -> Handle:
        """Return the run under the lock, once ``parent`` has begun it and sent it a signal."""

        async def was_signalled() -> bool:
            events = (await parent.fetch_history()).events
            return any(event.event_type == EventType.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED for event in events)

        await self.bench.until(was_signalled)
        handle = self.bench.client.get_workflow_handle(self.bench.lock)
        self.bench.started.append(handle)
        return handle

    async def _has_begun(self) -> bool:
        return bool((await self.status()).open) or self.bench.lock in (await self.status()).last_words

    async def close(self) -> None:
        for witness in list(self._working):
            await self.dismiss(witness)


@asynccontextmanager
async def watching(client: Client, folder: Path, policy: str, **estate: Any) -> AsyncIterator[WatchBench]:
    """Serve a cluster whose estate asks a DBA to approve, and its witnesses; ``policy`` is the watch's."""
    approvals = {kind: {"roles": ["DBA"], "window": "PT1M"} for kind in ("planned", "forced")}
    usual = {"approvals": approvals, "forced": ISOLATING, "watch": {**QUICK, "policy": policy}, "witnesses": list(WITNESSES)}
    async with serving(client, folder, World(), **{**usual, **estate}) as bench:
        one = WatchBench(bench)
        for witness in WITNESSES:
            one.serve(witness)
        try:
            yield one
        finally:
            await one.close()
