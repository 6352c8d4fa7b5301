"""Drills: when the calendar wants them, by Temporal's own schedules, and how the last one of each went, by its record.

The estate's calendar is not read here: what Temporal will do is what counts, and it is known where no estate is. A record is
in the report that a drill hands over at its end, and so in its history, which is read once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import ValidationError
from temporalio.api.workflowservice.v1 import ListScheduleMatchingTimesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.drills.record import DrillRecord
from activities.run.models.wire import read
from starters.client.schedules import PREFIX
from starters.exporter import declared
from starters.exporter.declared import Sample
from starters.history.parse import KEEP, decode_json, first

DRILL = "failover-drill"
"""Type of the workflow that holds a drill."""
_LOOKS_AWAY = timedelta(days=400)
_MOST_RECORDS = 200


class Drills:
    """What is told of drills."""

    def __init__(self, client: Client) -> None:
        """Look through ``client``."""
        self._client = client
        self._records: dict[str, DrillRecord | None] = {}
        self._unreadable: set[str] = set()

    async def samples(self, now: datetime) -> tuple[list[Sample], int]:
        """Return all values, and how many drills have left what is no record. RPCError: Temporal does not answer."""
        records = await self._last_records()
        listed = [one.id async for one in await self._client.list_schedules() if one.id.removeprefix(PREFIX) != one.id]
        scheduled = [sample for one in listed for sample in await self._due(one, now)]
        return [*scheduled, *(sample for record in records for sample in _of(record))], len(self._unreadable)

    async def _due(self, schedule: str, now: datetime) -> list[Sample]:
        """Return when it was due last, since the schedule exists, and is due next.

        What a schedule says of its next times grows old while it is paused; so its calendar is asked for them.
        """
        drill = schedule.removeprefix(PREFIX)
        try:
            described = await self._client.get_schedule_handle(schedule).describe()
            times = await self._times(schedule, max(described.info.created_at, now - _LOOKS_AWAY), now + _LOOKS_AWAY)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:  # deleted since it was listed
                return []
            raise
        following, was_due = min((at for at in times if at > now), default=None), [at for at in times if at <= now]
        return [
            declared.DRILL_PAUSED.of(described.schedule.state.paused, drill),
            *((declared.DRILL_DUE.of(following, drill),) if following else ()),
            *((declared.DRILL_WAS_DUE.of(max(was_due), drill),) if was_due else ()),
        ]

    async def _times(self, schedule: str, begin: datetime, end: datetime) -> list[datetime]:
        request = ListScheduleMatchingTimesRequest(namespace=self._client.namespace, schedule_id=schedule)
        request.start_time.CopyFrom(_stamp(begin))
        request.end_time.CopyFrom(_stamp(end))
        answer = await self._client.workflow_service.list_schedule_matching_times(request)
        return [one.ToDatetime(UTC) for one in answer.start_time]

    async def _last_records(self) -> list[DrillRecord]:
        """Return the newest record of each drill."""
        query, found = f"WorkflowType = '{DRILL}' AND ExecutionStatus != 'Running'", set[str]()
        async for one in self._client.list_workflows(query, limit=_MOST_RECORDS):
            found.add(one.run_id)
            if one.run_id not in self._records:
                self._records[one.run_id] = await self._record(one.id, one.run_id)
        self._records = {run: record for run, record in self._records.items() if run in found}
        self._unreadable &= found
        newest = dict[str, DrillRecord]()
        for record in sorted((one for one in self._records.values() if one), key=lambda one: one.ended_at):
            newest[record.drill] = record
        return list(newest.values())

    async def _record(self, workflow_id: str, run_id: str) -> DrillRecord | None:
        """Return it; ``None``: the drill was refused, or what it left cannot be read."""
        written: Any = None
        try:
            async for event in self._client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history_events():
                details = event.activity_task_scheduled_event_attributes
                if details.activity_type.name == KEEP:
                    written = _record_in(decode_json(first(details.input)))
            return read(DrillRecord, written) if written else None
        except ValidationError:
            self._unreadable.add(run_id)
            return None
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise


def _record_in(kept: object) -> object:
    """Return the record in what the last step of a drill is asked to keep; ``None``: there is none."""
    for key in ("report", "details", "record"):
        kept = kept.get(key) if isinstance(kept, dict) else None
    return kept


def _of(record: DrillRecord) -> Iterable[Sample]:
    drill, word = record.drill, record.word
    yield declared.DRILL_ENDED.of(record.ended_at, drill)
    yield declared.DRILL_PASSED.of(record.passed, drill, record.kind, record.target)
    yield declared.DRILL_ATTESTED.of(word is not None and word.passed, drill)
    if record.rto_seconds is not None:
        yield declared.DRILL_RTO.of(record.rto_seconds, drill)
    if record.objective_seconds is not None:
        yield declared.DRILL_OBJECTIVE.of(record.objective_seconds, drill)


def _stamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
