"""A PostgreSQL cluster on Kubernetes in memory: a write Service, gates that decide for themselves, servers, Deployments.

The gates' decisions are the real ones (``gate.loop.decide``); only their hands are fake. After every change the world checks
its invariant: at no time do two servers accept writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from activities.clients.ports import ConflictError
from activities.run.errors import Refusal, refuse
from activities.run.models.lease import Unrenewed
from gate.api import Role
from gate.lease.vouching import Outside, to_show, vouches
from gate.loop.decide import decide, heeded
from gate.loop.pause import is_paused
from gate.loop.situation import Action, Decision
from gate.loop.state import State
from gate.record import NO_SYNC, POD_NAME_LABEL, MalformedRecordError, Mirror, Record, read_record, record_patch
from tests.fakes.faults import Faults
from tests.fakes.looks import FakeLooks
from tests.fakes.member import RECORD_BYTES, SYSTEM, Member, is_ahead
from tests.gate.apiserver import merge_selector

_RELAX_SECONDS = 0.3
A, B, C = "postgresql-primary-0", "postgresql-standby-0", "postgresql-standby-1"


@dataclass
class Deployment:
    """An application."""

    mark: str = ""
    restarts: int = 0
    stuck: bool = False
    """Its pods never become ready."""
    untaken: tuple[tuple[str, str], ...] = ()
    """Pods and the nodes that do not take them up."""
    paused: bool = False
    """Its controller makes no new pods."""
    refused: str = ""
    """Why the API server refuses its new pods."""


@dataclass
class Lease:
    """What a leader renews while it leads."""

    holder: str = ""
    epoch: int = 0
    version: int = 1

    @property
    def mirror(self) -> Mirror | None:
        """What a gate reads; ``None`` before anybody has written it."""
        return Mirror(self.holder, self.epoch) if self.holder else None

    @property
    def seen(self) -> Unrenewed:
        return Unrenewed(version=str(self.version), epoch=self.epoch)

    def write(self, holder: str, epoch: int, only_if: str = "") -> bool:
        """Write it unless a later epoch is there, or another version than the one that must be."""
        if epoch < self.epoch or only_if not in {"", str(self.version)}:
            return False
        self.holder, self.epoch, self.version = holder, epoch, self.version + 1
        return True


class World:
    """Member A leads at epoch 5 on timeline 1, the others follow synchronously."""

    def __init__(self, members: tuple[str, ...] = (A, B)) -> None:
        self.faults = Faults()
        self.looks = FakeLooks()
        """What steps see of items of checklists."""
        self.members = {name: Member(name, following=A) for name in members}
        self.members[A] = Member(A, role=Role.PRIMARY, standby_signal=False, sync=set(members[1:]))
        self.lease = Lease()
        self.deployments = {"api-deployment": Deployment(), "worker-deployment": Deployment()}
        self.app_addresses: tuple[str, ...] = ("10.0.0.7",)
        """Where the applications' sessions come from."""
        self.app_writes = True
        """Clients of the applications ask them to write."""
        self.service: dict[str, Any] | None = {
            "metadata": {"name": "postgresql-primary", "namespace": "aiagent-prod", "resourceVersion": "1"}, "spec": {}
        }  # fmt: skip
        record = Record(leader=A, epoch=5, sync=",".join(members[1:]) or NO_SYNC, system_identifier=SYSTEM)
        self.patch(record_patch(record.model_copy(update={"resource_version": "1"})))
        for member in self.members.values():
            member.remember(epoch=5)
        self.own_transactions = 0
        """Transactions that the leader has by SQL as ours."""
        self.refuses_writes = ""
        """What the leader says to the operator's own writes, if it refuses them for good."""
        self.node_of: dict[str, str] = {}
        """Member → the node that its pod is on, where a test cares."""
        self.changed: list[str] = []
        self.asked_as: list[str] = []
        """As whom each question to a gate came."""
        """Every change that a worker has asked for, in order."""
        self.secret_missing = ""
        """A reference that leads nowhere."""
        self.untouchable = False
        """Refuse every change."""
        self.before_patch: list[Callable[[], None]] = []
        """What somebody else does between a worker's read and its patch, once each."""
        self.endpoints: tuple[str, ...] | None = None
        """Pods behind the Service that the selector's change has not reached yet; ``None``: it has."""
        self.api_answers = True
        """To the gates; workers are told by faults (``take_api_server_away`` does both)."""
        self.isolation_seconds = 1.0
        self.relaxes = False
        """Whether a leader whose standbys are gone goes on without them."""
        self._alone_since: float | None = None
        self.violations: list[str] = []
        self.acknowledged: set[tuple[str, int]] = set()
        self.given_up: set[tuple[str, int]] = set()
        """Acknowledged rows that a discard has left behind."""
        self._begun = {1}
        """Timelines that were ever begun."""

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
        record = read_record(self.service)
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
        merge_selector(self.service["spec"], patch.get("spec", {}))
        metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)

    def forget_gates(self) -> None:
        """Be a pair that has run without gates: data, stopped servers, and no record."""
        assert self.service is not None
        self.service["metadata"]["annotations"], self.service["spec"] = {}, {}
        for member in self.members.values():
            member.stop()
            member.sync, member.state = set(), State()

    def relabel(self, key: str, value: str) -> None:
        """Edit the Service in a way that does not concern the record."""
        self.patch({"metadata": {"annotations": {key: value}}})

    def point_service_at(self, pod: str) -> None:
        """Change the selector behind the record's back."""
        self.patch({"metadata": {}, "spec": {"selector": {POD_NAME_LABEL: pod}}})

    def send_writes_to_all(self) -> None:
        """Replace the selector by a label that every member has."""
        self.patch({"metadata": {}, "spec": {"selector": {POD_NAME_LABEL: None, "app": "ledger"}}})

    def standbys_of(self, leader: Member) -> list[Member]:
        """Return the standbys that stream from ``leader``."""
        return [
            one for one in self.members.values()
            if one.stands_by and one.streams and one.following == leader.name and one.timeline == leader.timeline
            and one.reachable and leader.reachable and leader.writes
        ]  # fmt: skip

    def streams_to(self, standby: Member) -> bool:
        """Whether the member that ``standby`` follows sends WAL to it."""
        leader = self.members.get(standby.following)
        return leader is not None and standby in self.standbys_of(leader)

    def last_word(self, standby: Member) -> dict[str, Any]:
        """Return what ``standby`` can say of its leader's end of WAL, and of when it had that: nothing here."""
        del standby
        return {}

    def insert(self, row: tuple[str, int]) -> bool:
        """Write through the Service; return whether it was acknowledged."""
        leader = self.behind_service()
        if leader is None or not leader.writes or not leader.reachable:
            return False
        following = self.standbys_of(leader)
        if leader.sync and not {one.name for one in following} & leader.sync:
            return False  # the commit waits
        for one in [leader, *following]:
            one.rows.add(row)
            one.position += RECORD_BYTES
            one.xid += 1
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
            await asyncio.sleep(0.02)

    def tick(self) -> None:
        """One look of every living gate."""
        for member in self.members.values():
            if member.alive and not member.frozen and self.has_record:
                self._look(member)
                self.observe(f"{member.name} decided")
        if self.has_record:
            self._tend()

    def _look(self, member: Member) -> None:
        """One look of one gate, and of its watchdog."""
        outside, now = self._outside(member), asyncio.get_running_loop().time()
        if outside.api_answers:
            member.remember(**heeded(member.state, member.name, self.record))
            if self.streams_to(member):  # as duties do
                member.remember(rejoin_behind="")
        for name in (name for name, status in outside.peers.items() if status is not None):
            self.members[name].asked_at[member.name] = now
        if self._vouched(member, outside) and self._shows_itself(member, outside):
            member.vouched_at, member.held = now, False
        if now - member.vouched_at > self.isolation_seconds and member.role is not Role.STANDBY:
            member.stop()
        self._act(member, decide(member.local(tuple(self.members), outside.peers), outside))

    def _shows_itself(self, member: Member, outside: Outside) -> bool:
        """Renew the Lease as ``Renewal`` does; whether the API server's word counts, or a peer's does."""
        leads = member.role is Role.PRIMARY
        shown = to_show(outside, member.name, member.state.epoch, leads=leads)
        if shown is None or self.lease.write(shown.leader, shown.epoch):
            return True
        return self._vouched(member, replace(outside, api_answers=False))

    @staticmethod
    def _vouched(member: Member, outside: Outside) -> bool:
        leads = member.role is Role.PRIMARY
        return vouches(outside, member.name, member.state.epoch, leads=leads, timeline=member.timeline)

    def thaw(self, member: Member) -> None:
        """Let a frozen container go on; its watchdog holds the server first."""
        member.frozen, member.held = False, member.role is Role.PRIMARY

    def take_api_server_away(self) -> None:
        """Let it answer nobody, workers and gates alike."""
        self.api_answers, self.faults.silenced = False, "kubernetes."

    def bring_api_server_back(self) -> None:
        """Let it answer again."""
        self.api_answers, self.faults.silenced = True, ""

    def observe(self, when: str) -> None:
        """Check the invariant."""
        if len(self.writers) > 1:
            self.violations.append(f"{when}: {' and '.join(self.writers)} accept writes")

    def _outside(self, member: Member) -> Outside:
        others = [one for one in self.members.values() if one is not member]
        hears = {one.name: member.reachable and one.silence is None for one in others}
        peers = {one.name: one.status(self) if hears[one.name] else None for one in others}
        answers = self._asks_api_server(member)
        record = self.record if answers else None
        paused = is_paused(record, datetime.now(UTC))
        return Outside(api_answers=answers, record=record, mirror=self.lease.mirror, peers=peers, paused=paused)

    def _asks_api_server(self, member: Member) -> bool:
        """Whether its gate has an answer from the API server."""
        return member.reachable and not member.hidden and self.api_answers

    def _act(self, member: Member, decision: Decision) -> None:
        leader = self.members.get(decision.leader)
        match decision.action:
            case Action.STOP | Action.STOP_NOW:
                member.stop()
            case Action.START_LEADER:
                member.start(Role.STANDBY if member.standby_signal or member.reverts else Role.PRIMARY)
                member.sync = set(self.record.sync_members)
            case Action.PROMOTE_SELF if member.stands_by:
                waits_for = member.sync
                self.promote(member)
                member.sync = waits_for
            case Action.START_REVERTED:
                member.start(Role.STANDBY)
            case Action.START_STANDBY | Action.FOLLOW:
                member.start(Role.STANDBY, decision.leader)
                if leader is not None and leader.writes:
                    self._copy(leader, member)
            case Action.REJOIN if leader is not None and leader.writes:
                self._copy(leader, member)
                member.standby_signal = True

    def _copy(self, leader: Member, member: Member) -> None:
        """Give ``member`` what ``leader`` has; one that has more of the same timeline keeps it."""
        if is_ahead(member, leader):
            return
        if member.timeline not in {leader.timeline, *(number for number, _ in leader.history)}:
            member.kept.append(member.rows)
        member.rows, member.timeline, member.position = set(leader.rows), leader.timeline, leader.position
        member.history, member.xid = leader.history, leader.xid

    def promote(self, member: Member) -> None:
        """Leave recovery onto a new timeline; commits wait for nobody yet."""
        member.start(Role.PRIMARY)
        member.sync = set()
        if member.state.reverting is not None:
            lost = self.acknowledged - member.rows
            self.acknowledged, self.given_up = self.acknowledged - lost, self.given_up | lost
        number = max(member.timeline, member.state.reverting or 0) + 1
        if number in self._begun:
            self.violations.append(f"{member.name} begins timeline {number} a second time")
        self._begun.add(number)
        member.begin_timeline(number)

    def _tend(self) -> None:
        """Let the leader name its standbys in the record once they have everything, and leave go of those that are gone."""
        record, now = self.record, asyncio.get_running_loop().time()
        leader = self.members.get(record.leader)
        if record.intent is not None or leader is None or not leader.writes or not self._asks_api_server(leader):
            self._alone_since = None
            return
        names = [one.name for one in self.standbys_of(leader) if not (one.asynchronous or is_ahead(one, leader))]
        if record.sync == NO_SYNC and names:
            leader.sync = set(names)
            self.write(sync=",".join(names))
        ahead = {one.name for one in self.standbys_of(leader) if is_ahead(one, leader)}
        rest = [name for name in record.sync_members if name not in ahead]
        if ahead & set(record.sync_members) and rest and set(rest) <= set(names):  # a shorter list: all of it has everything
            self.write(sync=",".join(rest))  # what the other confirms is worth nothing
            record = self.record
        if record.sync != NO_SYNC and set(names) & set(record.sync_members):
            leader.sync, self._alone_since = set(record.sync_members), None
        elif record.sync != NO_SYNC and self.relaxes:
            self._alone_since = self._alone_since or now
            if now - self._alone_since > _RELAX_SECONDS and self.lease.write(leader.name, record.epoch):
                self.write(sync=NO_SYNC, epoch=record.epoch + 1, run=f"gate/{leader.name}")
                leader.sync, self._alone_since = set(), None
