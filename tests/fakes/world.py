"""A PostgreSQL cluster on Kubernetes in memory: a write Service, gates that decide for themselves, servers, Deployments.

The gates' decisions are the real ones (``gate.decide``); only their hands are fake. After every change the world checks
its invariant: at no time do two servers accept writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from activities.clients.ports import ConflictError
from activities.errors import Refusal, refuse
from gate.api import Role, ServerState
from gate.decide import Action, Decision, Outside, decide, fence_stands
from gate.record import NO_SYNC, POD_NAME_LABEL, MalformedRecordError, Record, read_record, record_patch
from tests.fakes.faults import Faults
from tests.fakes.member import RECORD_BYTES, SYSTEM, Member

A, B, C = "postgresql-primary-0", "postgresql-standby-0", "postgresql-standby-1"


@dataclass
class Deployment:
    """An application."""

    mark: str = ""
    restarts: int = 0
    stuck: bool = False
    """Its pods never become ready."""


class World:
    """Member A leads at epoch 5 on timeline 1, the others follow synchronously."""

    def __init__(self, members: tuple[str, ...] = (A, B)) -> None:
        self.faults = Faults()
        self.members = {name: Member(name, following=A) for name in members}
        self.members[A] = Member(A, role=Role.PRIMARY, standby_signal=False)
        self.deployments = {"api-deployment": Deployment(), "worker-deployment": Deployment()}
        self.service: dict[str, Any] | None = {
            "metadata": {"name": "postgresql-primary", "namespace": "aiagent-prod", "resourceVersion": "1"}, "spec": {}
        }  # fmt: skip
        record = Record(leader=A, epoch=5, sync=",".join(members[1:]) or NO_SYNC, system_identifier=SYSTEM)
        self.patch(record_patch(record.model_copy(update={"resource_version": "1"})))
        for member in self.members.values():
            member.remember(epoch=5)
        self.changed: list[str] = []
        """Every change that a worker has asked for, in order."""
        self.secret_missing = ""
        """A reference that leads nowhere."""
        self.untouchable = False
        """Refuse every change."""
        self.before_patch: list[Callable[[], None]] = []
        """What somebody else does between a worker's read and its patch, once each."""
        self.endpoints: tuple[str, ...] | None = None
        """Pods behind the Service that the selector's change has not reached yet; ``None``: it has."""
        self.violations: list[str] = []
        self.acknowledged: set[tuple[str, int]] = set()

    @property
    def has_record(self) -> bool:
        """Whether the Service is there and carries a record."""
        return self.service is not None and read_record(self.service) is not None

    @property
    def readable(self) -> bool:
        """Whether the record is there and makes sense."""
        try:
            return self.has_record
        except MalformedRecordError:
            return False

    @property
    def record(self) -> Record:
        """The record as it stands."""
        assert self.service is not None
        record = read_record(copy.deepcopy(self.service))
        assert record is not None
        return record

    @property
    def writers(self) -> list[str]:
        """Members that accept writes."""
        return [member.name for member in self.members.values() if member.writes]

    @property
    def snapshot(self) -> Any:
        """Everything that a run could change, comparable."""
        members = {one.name: (one.role, one.server, one.timeline, one.following, one.state) for one in self.members.values()}
        return copy.deepcopy((self.service, members, self.deployments))

    def touch(self, what: str) -> None:
        """Note that a worker is about to change something."""
        self.changed.append(what)
        if self.untouchable:
            raise refuse(Refusal.NOT_AVAILABLE, f"{what}: nothing may be changed in this world")

    def write(self, **changes: Any) -> None:
        """Change the record as somebody else would."""
        self.patch(record_patch(self.record.model_copy(update=changes)))

    def patch(self, patch: dict[str, Any]) -> None:
        """Apply a merge patch as the API server would."""
        assert self.service is not None
        metadata = self.service["metadata"]
        version = patch["metadata"].get("resourceVersion")
        if version is not None and version != metadata["resourceVersion"]:
            raise ConflictError(f"Service postgresql-primary is at {metadata['resourceVersion']}, not {version}")
        notes = metadata.setdefault("annotations", {})
        for key, value in patch["metadata"].get("annotations", {}).items():
            notes.pop(key, None) if value is None else notes.update({key: value})
        self.service["spec"].update(patch.get("spec", {}))
        metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)

    def relabel(self, key: str, value: str) -> None:
        """Edit the Service in a way that does not concern the record."""
        self.patch({"metadata": {"annotations": {key: value}}})

    def point_service_at(self, pod: str) -> None:
        """Change the selector behind the record's back."""
        self.patch({"metadata": {}, "spec": {"selector": {POD_NAME_LABEL: pod}}})

    def standbys_of(self, leader: Member) -> list[Member]:
        """Return the standbys that stream from ``leader``."""
        return [
            one for one in self.members.values()
            if one.stands_by and one.streams and one.following == leader.name and one.timeline == leader.timeline
        ]  # fmt: skip

    def insert(self, row: tuple[str, int]) -> bool:
        """Write through the Service; return whether it was acknowledged."""
        leader = self.behind_service()
        if leader is None or not leader.writes:
            return False
        for one in [leader, *self.standbys_of(leader)]:
            one.rows.add(row)
            one.position += RECORD_BYTES
        self.acknowledged.add(row)
        return True

    def behind_service(self) -> Member | None:
        """Return the member that the selector names."""
        return self.members.get(self.record.selector) if self.has_record else None

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        """Let the gates look, decide and act while the block runs."""
        task = asyncio.create_task(self._live())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _live(self) -> None:
        while True:
            self.tick()
            await asyncio.sleep(0.01)

    def tick(self) -> None:
        """One look of every living gate."""
        for member in self.members.values():
            if member.alive and self.has_record:
                self._forget(member, self.record)
                self._act(member, decide(member.local(tuple(self.members)), self._outside(member)))
                self.observe(f"{member.name} decided")
        if self.has_record:
            self._tighten()

    def observe(self, when: str) -> None:
        """Check the invariant."""
        if len(self.writers) > 1:
            self.violations.append(f"{when}: {' and '.join(self.writers)} accept writes")

    def _outside(self, member: Member) -> Outside:
        peers = {one.name: one.status(self) if one.alive else None for one in self.members.values() if one is not member}
        return Outside(api_answers=True, record=self.record, mirror=True, peers=peers)

    def _forget(self, member: Member, record: Record) -> None:
        """Keep the durable state as ``Gate._step`` does."""
        if record.epoch > member.state.epoch and record.intent is None:
            member.remember(epoch=record.epoch)
        if not fence_stands(member.state, member.name, record):
            member.remember(fenced_at=None)
        promoted = member.state.promoted_at
        if promoted is not None and record.leader != member.name and record.epoch > promoted:
            member.remember(promoted_at=None)

    def _act(self, member: Member, decision: Decision) -> None:
        leader = self.members.get(decision.leader)
        match decision.action:
            case Action.STOP:
                member.stop()
            case Action.START_LEADER:
                member.start(Role.STANDBY if member.standby_signal else Role.PRIMARY)
            case Action.PROMOTE_SELF:
                self.promote(member)
            case Action.START_STANDBY | Action.FOLLOW:
                member.start(Role.STANDBY, decision.leader)
                if leader is not None and leader.writes:
                    self._copy(leader, member)
            case Action.REJOIN if leader is not None and leader.writes:
                self._copy(leader, member)
                member.standby_signal = True

    def _copy(self, leader: Member, member: Member) -> None:
        member.rows, member.timeline, member.position = set(leader.rows), leader.timeline, leader.position

    def promote(self, member: Member) -> None:
        """Leave recovery onto a new timeline."""
        member.start(Role.PRIMARY)
        member.timeline += 1

    def _tighten(self) -> None:
        """Let the leader name its standbys in the record once they have everything."""
        record = self.record
        leader = self.members.get(record.leader)
        if record.sync == NO_SYNC and record.intent is None and leader is not None and leader.writes:
            names = ",".join(one.name for one in self.standbys_of(leader) if not one.asynchronous)
            if names:
                self.write(sync=names)

    @property
    def stopped(self) -> list[str]:
        """Members whose server is down."""
        return [one.name for one in self.members.values() if one.server is ServerState.STOPPED]
