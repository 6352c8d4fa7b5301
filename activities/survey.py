"""Looks at a cluster through three witnesses, gate, SQL and API server, and changes nothing.

A witness that does not answer is recorded with its error; whether that matters is decided by ``workflows.planning``, not
here. All members are asked at once, so that one dead member costs one timeout and not several.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from temporalio import activity

from activities.clients.ports import ForbiddenError, GateRefusedError, MissingError, UnreachableError
from activities.errors import Refusal, refuse
from activities.models import MemberFact, PodFact, Survey, SurveyRequest
from activities.systems import Systems
from estate.model import PostgresTarget
from gate.record import MalformedRecordError, Record

T = TypeVar("T")
_LOG_LINES = 100
_LOG_BYTES = 24_000
_ANSWER_WITHIN = timedelta(seconds=3)
_NO_ANSWER = (UnreachableError, GateRefusedError, ForbiddenError, MissingError)


class SurveyActivities:
    """The read-only half of every procedure."""

    def __init__(self, systems: Systems) -> None:
        """Use ``systems`` for every look."""
        self._systems = systems

    @activity.defn(name="postgres.survey")
    async def survey(self, request: SurveyRequest) -> Survey:
        """Return the cluster as it is now. Changes nothing.

        Raises:
            ApplicationError: ``NoRecord`` when the Service does not exist, ``RecordDisagrees`` when its annotations
                cannot be read, ``Unreachable`` when we may not read it.

        """
        target = request.target
        record = await self._record(target)
        names = target.cluster.members
        pods, pods_error = await _attempt(self._systems.kubernetes.pods(target.region, names))
        members = await asyncio.gather(*(self._member(target, name, pods or {}, pods_error) for name in names))
        log_tail, log_error = "", ""
        if record is not None:
            tail, log_error = await _attempt(self._systems.kubernetes.logs(target.region, record.leader, _LOG_LINES))
            log_tail = tail or f"log not available: {log_error}"
        return Survey(at=datetime.now(UTC), record=record, members=tuple(members), log_tail=log_tail[-_LOG_BYTES:])

    async def _record(self, target: PostgresTarget) -> Record | None:
        service = target.cluster.write_service
        try:
            return await self._systems.kubernetes.read_record(target.region, service)
        except MissingError as error:
            raise refuse(Refusal.NO_RECORD, str(error)) from error
        except MalformedRecordError as error:
            raise refuse(Refusal.RECORD_DISAGREES, str(error)) from error
        except ForbiddenError as error:
            raise refuse(Refusal.UNREACHABLE, f"{error}; see the worker's Role") from error

    async def _member(self, target: PostgresTarget, name: str, pods: dict[str, PodFact], pods_error: str) -> MemberFact:
        (gate, gate_error), (sql, sql_error) = await asyncio.gather(
            _attempt(self._systems.gates.status(target, name, timeout=_ANSWER_WITHIN)),
            _attempt(self._systems.postgres.facts(target, name)),
        )
        pod = pods.get(name)
        return MemberFact(
            name=name,
            gate=gate,
            gate_error=gate_error,
            sql=sql,
            sql_error=sql_error,
            pod=pod,
            pod_error="" if pod else pods_error or f"pod {name} does not exist",
        )


async def _attempt(question: Awaitable[T]) -> tuple[T | None, str]:
    try:
        async with asyncio.timeout(_ANSWER_WITHIN.total_seconds()):
            return await question, ""
    except TimeoutError:
        return None, f"no answer within {_ANSWER_WITHIN.total_seconds():g} s"
    except _NO_ANSWER as error:
        return None, str(error)
