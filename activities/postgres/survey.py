"""Looks at a cluster through three witnesses, gate, SQL and API server, and changes nothing.

A witness that does not answer is recorded with its error; whether that matters is decided by
``workflows.postgres.planning.planned``, not here. All members are asked at once, so that one dead member costs one timeout
and not several; who was silent a moment ago costs less the second time, since people wait for what follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from activities.clients.granting import granted
from activities.clients.ports import ForbiddenError, GateRefusedError, MissingError, UnreachableError
from activities.clients.systems import Systems
from activities.postgres.applications import look_at
from activities.postgres.claim import found_record
from activities.postgres.models.survey import ApplicationFact, MemberFact, PodFact, Survey, SurveyRequest
from activities.run.declare import step
from activities.run.models.diagnosis import Silence
from activities.run.postures import READ
from estate.postgres import PostgresTarget
from gate.record import Record, is_older

T = TypeVar("T")
_LOG_LINES = 100
_LOG_BYTES = 24_000
_NO_ANSWER = (UnreachableError, GateRefusedError, ForbiddenError, MissingError)


class SurveyActivities:
    """The read-only half of every procedure."""

    def __init__(self, systems: Systems) -> None:
        """Use ``systems`` for every look."""
        self._systems = systems

    @step("postgres.survey", READ, lambda request: f"survey {request.target.name}")
    async def survey(self, request: SurveyRequest) -> Survey:
        """Return the cluster as it is now. Changes nothing.

        Raises:
            ApplicationError: ``NoRecord`` when the Service does not exist, ``RecordDisagrees`` when its annotations
                cannot be read, ``Unreachable`` when we may not read it.

        """
        target = request.target
        record = await granted(found_record(self._systems, target))
        names = target.cluster.members
        (pods, pods_error, _), (lease, _, _), log_tail, seen, applications = await asyncio.gather(
            _attempt(self._systems.kubernetes.pods(target.region, names), request.patience),
            _attempt(self._lease_epoch(target), request.patience),
            self._log_tail(request, record),
            asyncio.gather(*(self._member(request, name) for name in names)),
            self._applications(request, record),
        )
        if record is not None and _is_silent(record.leader, seen):
            seen = await asyncio.gather(*(self._ask_again(request, fact, record.leader) for fact in seen))
        lease_epoch = lease or 0
        epochs = [lease_epoch, *(fact.gate.epoch for fact in seen if fact.gate is not None)]
        if record is not None and is_older(record, max(epochs)):
            record = await granted(found_record(self._systems, target))  # it may have been written since
        members = tuple(_with_pod(fact, (pods or {}).get(fact.name), pods_error) for fact in seen)
        return Survey(
            at=datetime.now(UTC),
            record=record,
            members=members,
            log_tail=log_tail[-_LOG_BYTES:],
            applications=tuple(applications),
            lease_epoch=lease_epoch,
        )

    async def _lease_epoch(self, target: PostgresTarget) -> int:
        return await self._systems.leader_records.lease_epoch(target.region, target.cluster.write_service)

    async def _ask_again(self, request: SurveyRequest, fact: MemberFact, leader: str) -> MemberFact:
        """Ask a standby once more whether it hears from the leader, which has been silent to us for a while by now."""
        if fact.name == leader or fact.gate is None:
            return fact
        again, _, _ = await _attempt(
            self._systems.gates.status(request.target, fact.name, timeout=request.patience), request.patience
        )
        return fact if again is None else fact.model_copy(update={"gate": again})

    async def _log_tail(self, request: SurveyRequest, record: Record | None) -> str:
        if record is None or not request.evidence:
            return ""
        logs = self._systems.kubernetes.logs(request.target.region, record.leader, _LOG_LINES)
        tail, error, _ = await _attempt(logs, request.patience_with(record.leader))
        return tail or f"log not available: {error}"

    async def _applications(self, request: SurveyRequest, record: Record | None) -> list[ApplicationFact]:
        if record is None or record.leader not in request.target.cluster.members:
            return []
        target, within = request.target, request.patience_with(record.leader)
        looks = (
            look_at(self._systems, target, record.leader, one.deployment, within) for one in target.cluster.applications
        )
        return await asyncio.gather(*looks)

    async def _member(self, request: SurveyRequest, name: str) -> MemberFact:
        target, patience = request.target, request.patience_with(name)
        (gate, gate_error, gate_silence), (sql, sql_error, sql_silence) = await asyncio.gather(
            _attempt(self._systems.gates.status(target, name, timeout=patience), patience * 2),
            _attempt(self._systems.postgres.facts(target, name, within=patience), patience * 2),
        )
        if sql is not None and not sql.in_recovery:  # apart: who waits for a table of ours is not silent for that
            own, _, _ = await _attempt(self._systems.postgres.own_transactions(target, name, within=patience), patience * 2)
            sql = sql.model_copy(update={"own_transactions": own or 0})
        return MemberFact(
            name=name,
            gate=gate,
            gate_error=gate_error,
            gate_silence=gate_silence,
            sql=sql,
            sql_error=sql_error,
            sql_silence=sql_silence,
        )


def _is_silent(leader: str, seen: list[MemberFact]) -> bool:
    return any(fact.name == leader and fact.gate is None and fact.sql is None for fact in seen)


def _with_pod(fact: MemberFact, pod: PodFact | None, error: str) -> MemberFact:
    words = "" if pod else error or f"pod {fact.name} does not exist"
    return fact.model_copy(update={"pod": pod, "pod_error": words})


async def _attempt(question: Awaitable[T], within: timedelta) -> tuple[T | None, str, Silence | None]:
    try:
        async with asyncio.timeout(within.total_seconds()):
            return await question, "", None
    except TimeoutError:
        return None, f"no answer within {within.total_seconds():g} s", Silence.UNKNOWN
    except _NO_ANSWER as error:
        silence = error.silence if isinstance(error, UnreachableError) else Silence.TURNED_AWAY
        return None, str(error), silence
