"""Looks at a PostgreSQL primary: its gate, which knows the server's process; and SQL, when the gate is silent.

A trouble counts only after the leader record has been read again: the member may have ceased to lead a moment ago, by a
failover that is under way. Without the API server there could be no failover either, so then nothing is said.

Of a silent leader it also sees for how long it has not renewed the record's Lease: so much of its isolation has passed by
the time that a failover begins (``activities.postgres.fencing``).
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from activities.clients.ports import ForbiddenError, GateRefusedError, MissingError, UnreachableError
from activities.clients.systems import Systems
from activities.detection.models import Condition, Finding, Look
from activities.run.models.diagnosis import Silence
from activities.run.models.lease import Unrenewed
from estate.postgres import PostgresTarget
from gate.api import WATCH, WORKER, GateStatus, Role, ServerState
from gate.record import MalformedRecordError, Record

_WITHIN = timedelta(seconds=0.7)
_RECORD_SECONDS = 2.0
_AT_ONCE_SECONDS = 0.15
"""A gate that is well answers within 10 ms; from then on it counts how long the leader renews nothing."""
_HUNG_SECONDS = 1.5
"""A gate asks its server every 0.2 s."""
_NO_RECORD = (UnreachableError, MissingError, ForbiddenError, MalformedRecordError)


class PostgresEye:
    """One witness's eye on one cluster."""

    def __init__(self, systems: Systems, target: PostgresTarget) -> None:
        """Look through ``systems``."""
        self._systems, self._target = systems, target
        self._leader, self._read_at = "", 0.0
        self._leaves = False
        """Whether the leader's gate says that it waits for somebody who takes over."""
        self._lease: tuple[Unrenewed, float] | None = None
        """As it was last, and when it was first seen so (monotonic)."""

    async def look(self) -> Look:
        """Return whether the member that the record names takes writes."""
        if time.monotonic() - self._read_at > _RECORD_SECONDS:
            read = await self._read()
            if isinstance(read, str) and not self._leader:
                return Look(blind=read)
        return await self._look_at(self._leader)

    async def _look_at(self, leader: str) -> Look:
        asking = asyncio.create_task(self._by_its_gate(leader))
        if (await asyncio.wait({asking}, timeout=_AT_ONCE_SECONDS))[0] and asking.result() is None:
            return Look(leaving=(leader,) if self._leaves else ())
        finding, sql, read, _ = await asyncio.gather(asking, self._by_sql(leader), self._read(), self._note_lease(leader))
        if finding is None or (finding.condition is not Condition.STOPPED and sql is None):
            return Look()
        if isinstance(read, str):
            return Look(blind=f"{finding.words}; {read}")
        if read.intent is not None:
            return Look(blind=f"a failover to {read.intent.candidate} is under way")
        return Look(findings=(self._with_all(finding, sql),)) if read.leader == leader else Look()

    def _with_all(self, finding: Finding, sql: tuple[Silence, str] | None) -> Finding:
        """Return what the gate has shown, with what SQL says and how long nothing was renewed."""
        changes: dict[str, object] = {"unrenewed": self._unrenewed()}
        if finding.condition is not Condition.STOPPED and sql is not None:
            refused = finding.condition is Condition.REFUSED and sql[0] is Silence.REFUSED
            changes["condition"] = Condition.REFUSED if refused else Condition.SILENT
            changes["words"] = f"{finding.words}; {sql[1]}"
        return finding.model_copy(update=changes)

    async def _note_lease(self, leader: str) -> None:
        """See whether the Lease is as it was; what nobody says leaves things as they are."""
        target = self._target
        try:
            async with asyncio.timeout(_WITHIN.total_seconds()):
                seen = await self._systems.leader_records.lease(target.region, target.cluster.write_service, leader)
        except (UnreachableError, TimeoutError):
            return
        if self._lease is None or seen is None or seen.version != self._lease[0].version:
            self._lease = None if seen is None else (seen, time.monotonic())

    def _unrenewed(self) -> Unrenewed | None:
        if self._lease is None:
            return None
        seen, since = self._lease
        return seen.model_copy(update={"seconds": time.monotonic() - since})

    async def _read(self) -> Record | str:
        """Return the record; why there is none, where it cannot be read."""
        try:
            async with asyncio.timeout(_WITHIN.total_seconds()):
                record = await self._systems.leader_records.read(self._target.region, self._target.cluster.write_service)
        except TimeoutError:
            return f"the API server does not answer within {_WITHIN.total_seconds():g} s"
        except _NO_RECORD as error:
            return f"the leader record cannot be read: {error}"
        if record is None:
            return f"Service {self._target.cluster.write_service} has no leader record"
        self._leader, self._read_at = record.leader, time.monotonic()
        return record

    async def _by_its_gate(self, leader: str) -> Finding | None:
        self._leaves, asks = False, WATCH if self._target.watching.relieves else WORKER
        try:
            async with asyncio.timeout(_WITHIN.total_seconds()):
                status = await self._systems.gates.status(self._target, leader, timeout=_WITHIN, asks=asks)
        except GateRefusedError:
            return None  # somebody answers, and that it is not for us is doctor's concern
        except TimeoutError:
            return Finding(subject=leader, condition=Condition.SILENT, words="its gate is silent")
        except UnreachableError as error:
            condition = Condition.REFUSED if error.silence is Silence.REFUSED else Condition.SILENT
            return Finding(subject=leader, condition=condition, words=str(error))
        self._leaves = status.hands_over
        return _trouble_in(status)

    async def _by_sql(self, leader: str) -> tuple[Silence, str] | None:
        """Return how SQL is silent; ``None`` when the server answers, or turns us away."""
        try:
            async with asyncio.timeout(_WITHIN.total_seconds()):
                await self._systems.postgres.facts(self._target, leader, within=_WITHIN)
        except TimeoutError:
            return Silence.NO_ANSWER, "SQL is silent"
        except UnreachableError as error:
            return None if error.silence.is_answer else (error.silence, str(error))
        return None


def _trouble_in(status: GateStatus) -> Finding | None:
    if status.frozen:
        return Finding(subject=status.member, condition=Condition.SILENT, words="its gate says that the server is frozen")
    if status.server is not ServerState.RUNNING or status.role is not Role.PRIMARY:
        return Finding(subject=status.member, condition=Condition.STOPPED, words=f"its gate: {status.doing}")
    if (silent := status.silent_seconds or 0) > _HUNG_SECONDS:
        words = f"it has not answered its gate for {silent:.1f} s"
        return Finding(subject=status.member, condition=Condition.SILENT, words=words)
    return None
