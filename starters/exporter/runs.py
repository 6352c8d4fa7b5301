"""Open runs and the last one of each kind, from their histories.

A history answers without any worker, and reading it takes nothing from one: no run is slowed by being looked at. It is read
again only where it has grown. What cannot be read is counted, and has no values.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime

from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError

from starters.client.answers import UnknownRunError
from starters.client.requests import ours
from starters.client.server import read_run
from starters.client.targets import Place
from starters.exporter import declared
from starters.exporter.declared import Sample
from starters.exporter.ended import Ended, EndedRuns
from starters.history.model import Facts, facts_of
from starters.history.parse import Chronicle
from workflows.run.phases import Trait, has
from workflows.run.state import MODE, PHASE, RUN, TARGET

_AT_ONCE = 8
_ENDED = -1
"""Length of a history that grows no more."""


class Histories:
    """What was read of histories, for as long as somebody asks for it."""

    def __init__(self, client: Client) -> None:
        """Read nothing yet."""
        self._client = client
        self._known: dict[str, tuple[int, Chronicle]] = {}
        self._asked: set[str] = set()
        self._few = asyncio.Semaphore(_AT_ONCE)
        self.unread = 0

    async def of(self, workflow_id: str, run_id: str, length: int = _ENDED) -> Chronicle | None:
        """Return what the history says; ``None``: it cannot be read, which is counted, or is forgotten."""
        self._asked.add(run_id)
        known = self._known.get(run_id)
        if known and known[0] == length:
            return known[1]
        try:
            async with self._few:
                chronicle = await read_run(self._client, Place(workflow_id, run_id))
        except UnknownRunError:
            return None
        except RPCError:
            self.unread += 1
            return None
        self._known[run_id] = (length, chronicle)
        return chronicle

    def forget(self) -> None:
        """Drop what nobody has asked for since the last time."""
        self._known = {run: found for run, found in self._known.items() if run in self._asked}
        self._asked, self.unread = set(), 0


class Runs:
    """What is told of runs."""

    def __init__(self, client: Client) -> None:
        """Look through ``client``."""
        self._client = client
        self._ended = EndedRuns()
        self._histories = Histories(client)

    async def samples(self, now: datetime) -> tuple[list[Sample], int]:
        """Return all values, and how many runs could not be read. RPCError: Temporal does not answer."""
        self._histories.forget()
        await self._ended.look(self._client, now)
        running = [one async for one in self._client.list_workflows(f"{ours()} AND ExecutionStatus = 'Running'")]
        open_runs = await asyncio.gather(*(self._open(one, now) for one in running))
        last = await asyncio.gather(*(self._last(one) for one in self._ended.last))
        return [*self._ended.samples(), *_flat(open_runs), *_flat(last)], self._histories.unread

    async def _open(self, one: WorkflowExecution, now: datetime) -> list[Sample]:
        """Return the values of an open run. Where its history cannot be read: those that visibility knows."""
        names = one.typed_search_attributes
        labels = (one.workflow_type, *(names.get(key) or "unknown" for key in (TARGET, MODE, RUN)))
        found = [declared.STARTED.of(one.start_time, *labels)]
        chronicle = await self._histories.of(one.id, one.run_id, one.history_length)
        if chronicle is None or chronicle.close:
            return found
        entered, phase = chronicle.phases[-1] if chronicle.phases else (one.start_time, names.get(PHASE) or "unknown")
        found.append(declared.ENTERED.of(entered, *labels, phase))
        if has(phase, Trait.WAITS_FOR_PEOPLE):
            found.append(declared.WAITS.of(entered, *labels))
        facts = facts_of(chronicle, now)
        found.append(declared.WORKING.of(max(facts.timing.total - facts.timing.people, 0.0), *labels))
        if (rto := facts.verdict.rto_seconds) is not None:
            found.append(declared.OBJECTIVE.of(rto, *labels))
        return found

    async def _last(self, one: Ended) -> list[Sample]:
        ended = declared.LAST_ENDED.of(one.ended_at, *one.series, one.mode, one.outcome)
        chronicle = await self._histories.of(one.workflow_id, one.run_id)
        took = declared.LAST_TOOK.of(one.seconds, *one.series)
        return [ended, took, *(_figures(facts_of(chronicle), one.series) if chronicle else ())]


def _figures(facts: Facts, labels: tuple[str, str, str]) -> list[Sample]:
    verdict = facts.verdict
    figures = {
        declared.LAST_OUTAGE: verdict.outage_seconds,
        declared.LAST_LOST: verdict.lost,
        declared.LAST_RTO: verdict.rto_seconds,
        declared.LAST_MET: verdict.met,
    }
    return [
        *(metric.of(value, *labels) for metric, value in figures.items() if value is not None),
        *(declared.LAST_PHASE.of(row.seconds, *labels, row.phase.value) for row in facts.timing.phases),
    ]


def _flat(found: Iterable[list[Sample]]) -> list[Sample]:
    return [sample for samples in found for sample in samples]
