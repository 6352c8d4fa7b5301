"""Drills: when the calendar wants them, by Temporal's own schedules, and how the last one of each went, by its record.

The estate's calendar is not read here: what Temporal will do is what counts, and it is known where no estate is.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import ValidationError
from temporalio.api.workflowservice.v1 import ListScheduleMatchingTimesRequest
from temporalio.client import Client, ScheduleListActionStartWorkflow, ScheduleListDescription, WorkflowFailureError
from temporalio.service import RPCError, RPCStatusCode

from activities.drills.record import DrillRecord
from activities.run.models.wire import read
from starters.exporter import declared
from starters.exporter.declared import Sample

DRILL = "failover-drill"
"""Type of the workflow, which writes a ``DrillRecord``."""
_LOOKS_BACK = timedelta(days=400)
_MOST_RECORDS = 200


class Drills:
    """What is told of drills."""

    def __init__(self, client: Client) -> None:
        """Look through ``client``."""
        self._client = client
        self._records: dict[str, DrillRecord | None] = {}
        self._unreadable: set[str] = set()
        self._was_due: dict[str, tuple[datetime | None, datetime | None]] = {}

    async def samples(self, now: datetime) -> tuple[list[Sample], int]:
        """Return all values, and how many drills have left what is no record. RPCError: Temporal does not answer."""
        records = await self._last_records()
        scheduled = [sample for one in await self._schedules() for sample in await self._due(one, now)]
        return [*scheduled, *(sample for record in records for sample in _of(record))], len(self._unreadable)

    async def _schedules(self) -> list[ScheduleListDescription]:
        return [one async for one in await self._client.list_schedules() if _begins_a_drill(one)]

    async def _due(self, one: ScheduleListDescription, now: datetime) -> list[Sample]:
        """Return when it is due. A listed schedule that is paused tells times that have passed: it is asked itself."""
        drill = one.id.rpartition("/")[2]
        described = await self._client.get_schedule_handle(one.id).describe()
        following = min((at for at in described.info.next_action_times if at > now), default=None)
        if one.id not in self._was_due or self._was_due[one.id][0] != following:
            self._was_due[one.id] = (following, await self._last_due(one.id, described.info.created_at, now))
        was_due = self._was_due[one.id][1]
        return [
            declared.DRILL_PAUSED.of(described.schedule.state.paused, drill),
            *((declared.DRILL_DUE.of(following, drill),) if following else ()),
            *((declared.DRILL_WAS_DUE.of(was_due, drill),) if was_due else ()),
        ]

    async def _last_due(self, schedule: str, created: datetime, now: datetime) -> datetime | None:
        """Return when it was last due since it exists; ``None``: never yet."""
        request = ListScheduleMatchingTimesRequest(namespace=self._client.namespace, schedule_id=schedule)
        request.start_time.CopyFrom(_stamp(max(created, now - _LOOKS_BACK)))
        request.end_time.CopyFrom(_stamp(now))
        answer = await self._client.workflow_service.list_schedule_matching_times(request)
        return max((one.ToDatetime(UTC) for one in answer.start_time), default=None)

    async def _last_records(self) -> list[DrillRecord]:
        """Return the newest record of each drill."""
        query, found = f"WorkflowType = '{DRILL}' AND ExecutionStatus != 'Running'", list[str]()
        async for one in self._client.list_workflows(query, limit=_MOST_RECORDS):
            found.append(one.run_id)
            if one.run_id not in self._records:
                self._records[one.run_id] = await self._record(one.id, one.run_id)
        self._records = {run: record for run, record in self._records.items() if run in found}
        self._unreadable &= set(found)
        newest = dict[str, DrillRecord]()
        for record in sorted((one for one in self._records.values() if one), key=lambda one: one.ended_at):
            newest[record.drill] = record
        return list(newest.values())

    async def _record(self, workflow_id: str, run_id: str) -> DrillRecord | None:
        """Return it; ``None``: the drill was refused, or what it left cannot be read."""
        try:
            answer = await self._client.get_workflow_handle(workflow_id, run_id=run_id).result()
            return read(DrillRecord, answer)
        except WorkflowFailureError:
            return None
        except ValidationError:
            self._unreadable.add(run_id)
            return None
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise


def _of(record: DrillRecord) -> Iterable[Sample]:
    drill, word = record.drill, record.word
    yield declared.DRILL_ENDED.of(record.ended_at, drill)
    yield declared.DRILL_PASSED.of(record.passed, drill, record.kind, record.target)
    yield declared.DRILL_ATTESTED.of(word is not None and word.passed, drill)
    if record.rto_seconds is not None:
        yield declared.DRILL_RTO.of(record.rto_seconds, drill)
    if record.objective_seconds is not None:
        yield declared.DRILL_OBJECTIVE.of(record.objective_seconds, drill)


def _begins_a_drill(one: ScheduleListDescription) -> bool:
    action = one.schedule.action if one.schedule else None
    return isinstance(action, ScheduleListActionStartWorkflow) and action.workflow == DRILL


def _stamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
