"""What a gate does on command, in memory: the rules of ``gate.commands`` on a ``Member``."""

from __future__ import annotations

from datetime import UTC, datetime

from activities.clients.ports import GateRefusedError
from gate.api import Fenced, GateStatus, Problem, ProblemKind, Promoted, Sealed, ServerState
from gate.lsn import format_lsn, parse_lsn
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

    def fence(self, epoch: int) -> Fenced:
        """Stop the server and keep it stopped."""
        member = self._member
        self.accept(epoch)
        if member.state.fenced_at is None and not member.writes:
            raise self.no(ProblemKind.NOT_PRIMARY, "does not run as primary")
        member.remember(fenced_at=epoch)
        member.stop()
        if member.stops_uncleanly:
            raise self.no(ProblemKind.UNCLEAN_STOP, "the server is stopped but not cleanly: in production")
        end = format_lsn(member.position)
        return Fenced(
            epoch=epoch,
            clean=True,
            timeline=member.timeline,
            checkpoint_lsn=end,
            end_lsn=end,
            sessions_ended=3,
            stopped_at=datetime.now(UTC),
        )

    def unfence(self, epoch: int) -> GateStatus:
        """Lift the fence and serve."""
        self.accept(epoch)
        record = self._world.record
        if record.leader != self._member.name or record.intent is not None:
            raise self.no(ProblemKind.RECORD_FORBIDS, f"the record names {record.leader}: stays fenced")
        self._member.remember(fenced_at=None)
        self._world.tick()
        if not self._member.writes:
            raise self.no(ProblemKind.NOT_SERVING, "does not serve yet")
        return self.status()

    def seal(self, epoch: int) -> Sealed:
        """Promise to ignore everything below; say whether a promotion was accepted."""
        self.accept(epoch)
        member = self._member
        if member.state.promoted_at is not None and member.server is ServerState.STOPPED and member.standby_signal:
            member.remember(promoted_at=None)
        return Sealed(epoch=epoch, promoted=member.state.promoted_at is not None, status=self.status())

    def promote(self, epoch: int, system: str, lsn: str | None) -> Promoted:
        """Leave recovery and lead."""
        member = self._member
        self.accept(epoch)
        if member.state.promoted_at != epoch:
            self._may_promote(epoch, system, lsn)
            member.remember(promoted_at=epoch)
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

    def _may_promote(self, epoch: int, system: str, lsn: str | None) -> None:
        member, record = self._member, self._world.record
        if not member.stands_by:
            raise self.no(ProblemKind.NOT_STANDBY, "does not run as a standby")
        if member.system != system:
            raise self.no(ProblemKind.WRONG_SYSTEM, f"is system {member.system}, not {system}")
        if record.epoch != epoch or record.intent is None or record.intent.candidate != member.name:
            raise self.no(ProblemKind.RECORD_FORBIDS, f"the record is at epoch {record.epoch}")
        if lsn is not None and member.position < parse_lsn(lsn):
            raise self.no(ProblemKind.LSN_NOT_REACHED, f"has received {format_lsn(member.position)}, needs {lsn}")
