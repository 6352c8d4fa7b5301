"""A gate's commands in memory: the rules of ``gate.commands.fence`` and ``gate.commands.promote`` on a ``Member``."""

from __future__ import annotations

from datetime import UTC, datetime

from activities.clients.ports import GateRefusedError
from gate.api import (
    Adopted,
    Fenced,
    GateStatus,
    Kept,
    KeptAside,
    Problem,
    ProblemKind,
    PromoteCommand,
    Promoted,
    RevertCommand,
    SealCommand,
    Sealed,
    ServerState,
)
from gate.postgres.lsn import format_lsn, parse_lsn
from gate.record import Mode, Record
from tests.fakes.member import Member
from tests.fakes.world import World


class GateHand:
    """The commands of one gate."""

    def __init__(self, world: World, member: Member) -> None:
        self._world, self._member = world, member

    def no(self, kind: ProblemKind, message: str) -> GateRefusedError:
        """Return the refusal to raise."""
        return GateRefusedError(self._member.name, Problem(kind=kind, message=message, epoch=self._member.state.epoch))

    def status(self) -> GateStatus:
        """Return what the gate knows."""
        return self._member.status(self._world)

    def accept(self, epoch: int) -> None:
        """Keep the highest epoch, refuse a lower one."""
        seen = self._member.state.epoch
        if epoch < seen:
            raise self.no(ProblemKind.STALE_EPOCH, f"epoch {epoch} is stale, {seen} has been seen here")
        self._member.remember(epoch=epoch)

    def fence(self, epoch: int, *, clean: bool) -> Fenced:
        """Stop the server and keep it stopped."""
        member = self._member
        self.accept(epoch)
        if clean and member.state.fenced_at is None and not member.writes:
            raise self.no(ProblemKind.NOT_PRIMARY, "does not run as primary")
        stops_cleanly = member.writes and not member.stops_uncleanly
        standing = member.state.fenced_at is not None and member.server is ServerState.STOPPED
        member.remember(fenced_at=epoch)
        member.stop()
        if clean and member.stops_uncleanly:
            raise self.no(ProblemKind.UNCLEAN_STOP, "the server is stopped but not cleanly: in production")
        end = format_lsn(member.position)
        return Fenced(
            epoch=epoch,
            clean=clean or stops_cleanly or standing,
            timeline=member.timeline,
            checkpoint_lsn=end,
            end_lsn=end,
            sessions_ended=3,
            stopped_at=datetime.now(UTC),
            next_xid=member.xid,
        )

    def unfence(self, epoch: int) -> GateStatus:
        """Lift the fence and serve."""
        self.accept(epoch)
        record = self._record()
        if record.leader != self._member.name or record.intent is not None:
            raise self.no(ProblemKind.RECORD_FORBIDS, f"the record names {record.leader}: stays fenced")
        self._member.remember(fenced_at=None)
        self._world.tick()
        if not self._member.writes:
            raise self.no(ProblemKind.NOT_SERVING, "does not serve yet")
        return self.status()

    def seal(self, command: SealCommand) -> Sealed:
        """Promise to ignore everything below; say whether a promotion was accepted."""
        self.accept(command.epoch)
        member = self._member
        if command.stop_receiving and member.stands_by:
            member.following = ""
        if command.stop_unfinished and member.state.promoted_at is not None and member.stands_by:
            member.stop()
        never = member.reverts if member.state.reverting is not None else member.standby_signal
        if member.state.promoted_at is not None and member.server is ServerState.STOPPED and never:
            member.standby_signal = member.standby_signal and member.state.reverting is None
            member.remember(promoted_at=None, promoted_xid=None, reverting=None)
        return Sealed(epoch=command.epoch, promoted=member.state.promoted_at is not None, status=self.status())

    def prepare(self, command: PromoteCommand) -> None:
        """Say whether it could be promoted now."""
        self.accept(command.epoch)
        if self._member.state.promoted_at != command.epoch:
            self._may_promote(command)

    def promote(self, command: PromoteCommand) -> Promoted:
        """Leave recovery and lead."""
        member = self._member
        self.accept(command.epoch)
        if member.state.promoted_at != command.epoch:
            self._may_promote(command)
            member.remember(promoted_at=command.epoch, promoted_xid=member.xid, reverting=None)
        if member.promotion_hangs:
            raise self.no(ProblemKind.NOT_SERVING, "still in recovery")
        return self._lead(command.epoch)

    def revert(self, command: RevertCommand) -> Promoted:
        """Lead again as it is, on an unused timeline."""
        member = self._member
        self.accept(command.epoch)
        if member.state.promoted_at != command.epoch:
            self._may_revert(command)
            member.remember(promoted_at=command.epoch, promoted_xid=member.xid, reverting=command.timeline)
        self._world.tick()
        return self._lead(command.epoch)

    def _may_revert(self, command: RevertCommand) -> None:
        member, record = self._member, self._world.record
        if member.server is not ServerState.STOPPED or member.standby_signal:
            raise self.no(ProblemKind.NOT_UNTOUCHED, "has been rewound or follows")
        if member.timeline != command.history[-1][0] or member.timeline >= command.timeline:
            raise self.no(ProblemKind.NOT_UNTOUCHED, f"is on timeline {member.timeline}")
        intent = record.intent
        claimed = intent is not None and intent.candidate == member.name and intent.mode is Mode.DISCARD
        if record.epoch != command.epoch or not claimed or self._world.members[record.leader].writes:
            raise self.no(ProblemKind.RECORD_FORBIDS, f"the record is at epoch {record.epoch}")

    def _lead(self, epoch: int) -> Promoted:
        """Leave recovery if the server is in it; answer."""
        member = self._member
        if member.stands_by:
            self._world.promote(member)
            self._world.observe(f"{member.name} was promoted")
        return Promoted(
            epoch=epoch,
            timeline=member.timeline,
            lsn=format_lsn(member.position),
            promoted_at=datetime.now(UTC),
            requests_sent=1,
        )

    def adopt(self, epoch: int, system: str) -> Adopted:
        """Make the product's roles in a primary's directory that has run without a gate."""
        member = self._member
        self.accept(epoch)
        if member.empty or member.standby_signal:
            raise self.no(ProblemKind.NOT_PRIMARY, "the directory is no primary's")
        if member.system != system:
            raise self.no(ProblemKind.WRONG_SYSTEM, f"is system {member.system}, not {system}")
        if self._world.has_record:
            raise self.no(ProblemKind.RECORD_FORBIDS, "there is a leader record already")
        made = () if member.prepared else ("role replicator", "role failover")
        member.prepared = True
        return Adopted(
            epoch=epoch, system_identifier=system, timeline=member.timeline, control_state="shut down", made=made,
            notes=("replication slots that nobody uses keep WAL for ever, drop them: old",),
        )  # fmt: skip

    def kept(self) -> Kept:
        """List what was moved aside."""
        at = datetime(2026, 11, 1, tzinfo=UTC)
        items = [KeptAside(name=f"pgdata-{number}", bytes=1, since=at) for number in range(len(self._member.kept))]
        left = tuple(item for item in items if item.name not in self._member.discarded)
        return Kept(member=self._member.name, items=left)

    def discard(self, name: str) -> Kept:
        """Remove one of them; one that is gone already is no error."""
        there = name in {item.name for item in self.kept().items}
        self._member.discarded.add(name)
        return self.kept().model_copy(update={"removed": there})

    def _may_promote(self, command: PromoteCommand) -> None:
        member, epoch, system, lsn = self._member, command.epoch, command.system_identifier, command.at_least_lsn
        if not member.stands_by:
            raise self.no(ProblemKind.NOT_STANDBY, "does not run as a standby")
        if member.system != system:
            raise self.no(ProblemKind.WRONG_SYSTEM, f"is system {member.system}, not {system}")
        record = self._record()
        if record.epoch != epoch or record.intent is None or record.intent.candidate != member.name:
            raise self.no(ProblemKind.RECORD_FORBIDS, f"the record is at epoch {record.epoch}")
        if lsn is not None and member.position < parse_lsn(lsn):
            raise self.no(ProblemKind.LSN_NOT_REACHED, f"has received {format_lsn(member.position)}, needs {lsn}")
        if command.replayed and member.replay_held:
            raise self.no(ProblemKind.LSN_NOT_REACHED, "its replay is paused")

    def _record(self) -> Record:
        """Ask the API server."""
        if not self._world.api_answers:
            raise self.no(ProblemKind.API_UNREACHABLE, "the API server does not answer")
        return self._world.record
