"""What commands put on disk before they act, and what they refuse: with nothing of a gate but what they may use."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from gate.api import (
    Command,
    FenceCommand,
    GateStatus,
    ProblemKind,
    PromoteCommand,
    Role,
    SealCommand,
    ServerFacts,
    ServerState,
)
from gate.commands.fence import Fencing
from gate.commands.handler import Context, RefusedError
from gate.commands.join import Joining
from gate.commands.promote import Promoting
from gate.lease.lease import Lease
from gate.loop.state import State, Store
from gate.postgres.controldata import ControlData
from gate.record import Intent, Mode, Record
from tests.gate.parts import Log, settings
from tests.postgres.samples import SYSTEM, A, B, record, status

STANDBYS = ControlData("in archive recovery", SYSTEM, timeline=3, checkpoint_lsn="0/1", segment_bytes=1 << 24, next_xid=1)


class CleanStopOf:
    """Its clean stop, which never comes to its end."""

    def __init__(self, member: Member) -> None:
        self._member = member

    async def stop(self, wait_for: tuple[str, ...], *, within: float) -> bool:
        assert wait_for
        assert within > 0
        self._member.on_disk.append(self._member.store.state)
        return False


class Api:
    """Answers with the member's ``answer``."""

    def __init__(self, member: Member) -> None:
        self._member = member

    async def record(self) -> Record | None:
        if isinstance(self._member.answer, Exception):
            raise self._member.answer
        return self._member.answer


class Member:
    """What commands see of member A: nothing else of a gate is there."""

    doing = "runs"

    def __init__(self, folder: Path, role: Role | None, **state: int) -> None:
        self.settings, self.log, self.lock, self.kick = settings(folder), Log(), asyncio.Lock(), asyncio.Event()
        self.store, self.lease = Store(self.settings.own), Lease.make()
        self.store.write(epoch=5, **state)
        self.server = self.sampler = self.control = self
        self.api, self.record = Api(self), record()
        self.clean_stop = CleanStopOf(self)
        self.state = ServerState.RUNNING if role else ServerState.STOPPED
        self.facts = ServerFacts(role=role, system_identifier=SYSTEM)
        self.answer: Record | Exception | None = record()
        self.on_disk: list[State] = []
        """The durable state at the moment at which the server was stopped."""

    @property
    def context(self) -> Context:
        return cast("Context", self)

    async def stop_now(self, *, within: float) -> None:
        assert within > 0
        self.on_disk.append(self.store.state)
        raise RuntimeError("the test ends here")

    async def read(self) -> ControlData:
        return STANDBYS

    def status(self) -> GateStatus:
        return status(A)


def _command(epoch: int) -> dict[str, Any]:
    return {"epoch": epoch, "run": "test/1"}


async def _kind(refused: Any) -> ProblemKind:
    with pytest.raises(RefusedError) as caught:
        await refused
    return caught.value.problem.kind


async def test_an_old_epoch_changes_nothing(tmp_path: Path) -> None:
    one = Member(tmp_path, Role.PRIMARY)
    assert await _kind(Fencing(one.context).fence(FenceCommand(**_command(4)))) is ProblemKind.STALE_EPOCH
    assert (one.on_disk, one.store.state) == ([], State(epoch=5))


async def test_a_fence_is_on_disk_before_the_server_is_stopped(tmp_path: Path) -> None:
    one = Member(tmp_path, Role.PRIMARY)
    assert await _kind(Fencing(one.context).fence(FenceCommand(**_command(6)))) is ProblemKind.NOT_SERVING
    assert one.on_disk == [State(epoch=6, fenced_at=6)]


async def test_a_standby_is_fenced_at_any_price_only(tmp_path: Path) -> None:
    one = Member(tmp_path, Role.STANDBY)
    assert await _kind(Fencing(one.context).fence(FenceCommand(**_command(6)))) is ProblemKind.NOT_PRIMARY
    assert one.on_disk == []
    with pytest.raises(RuntimeError):
        await Fencing(one.context).fence(FenceCommand(**_command(6), clean=False))
    assert one.on_disk == [State(epoch=6, fenced_at=6)]


async def test_a_fence_is_lifted_only_for_the_member_that_the_record_names(tmp_path: Path) -> None:
    one = Member(tmp_path, None, fenced_at=5)
    for answer, kind in (
        (record(leader=B, epoch=6), ProblemKind.RECORD_FORBIDS),
        (record(intent=Intent(candidate=B, mode=Mode.FORCED, run="test/1")), ProblemKind.RECORD_FORBIDS),
        (TimeoutError("silent"), ProblemKind.API_UNREACHABLE),
    ):
        one.answer = answer
        assert await _kind(Fencing(one.context).unfence(Command(**_command(6)))) is kind
        assert one.store.state.fenced_at == 5


async def test_revoking_needs_no_api_server_and_keeps_the_epoch(tmp_path: Path) -> None:
    one = Member(tmp_path, Role.STANDBY)
    one.answer = TimeoutError("silent")
    revoked = await Fencing(one.context).revoke(SealCommand(**_command(7)))
    assert (revoked.promoted, one.store.state.epoch) == (False, 7)


async def test_an_accepted_promotion_is_forgotten_only_when_it_provably_did_nothing(tmp_path: Path) -> None:
    running = Member(tmp_path / "running", Role.STANDBY, promoted_at=5)
    assert (await Fencing(running.context).revoke(SealCommand(**_command(7)))).promoted
    stopped = Member(tmp_path / "stopped", None, promoted_at=5)
    assert (await Fencing(stopped.context).revoke(SealCommand(**_command(7)))).promoted
    (stopped.settings.data / "standby.signal").touch()
    assert not (await Fencing(stopped.context).revoke(SealCommand(**_command(8)))).promoted
    assert stopped.store.state == State(epoch=8)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"leader": B, "epoch": 6}, ProblemKind.RECORD_FORBIDS),
        ({"leader": B, "epoch": 6, "intent": Intent(candidate=B, mode=Mode.PLANNED, run="x")}, ProblemKind.RECORD_FORBIDS),
        ({"leader": B, "epoch": 7, "intent": Intent(candidate=A, mode=Mode.PLANNED, run="x")}, ProblemKind.RECORD_FORBIDS),
    ],
)
async def test_nobody_is_promoted_whom_the_record_does_not_claim(
    tmp_path: Path, changes: dict[str, Any], kind: ProblemKind
) -> None:
    one = Member(tmp_path, Role.STANDBY)
    one.answer = record(**changes)
    command = PromoteCommand(**_command(6), system_identifier=SYSTEM)
    assert await _kind(Promoting(one.context).promote(command)) is kind
    assert one.store.state.promoted_at is None


async def test_neither_a_primary_nor_another_system_s_standby_is_promoted(tmp_path: Path) -> None:
    command = PromoteCommand(**_command(6), system_identifier=SYSTEM)
    leads = Member(tmp_path / "leads", Role.PRIMARY)
    assert await _kind(Promoting(leads.context).promote(command)) is ProblemKind.NOT_STANDBY
    other = Member(tmp_path / "other", Role.STANDBY)
    wrong = command.model_copy(update={"system_identifier": "1"})
    assert await _kind(Promoting(other.context).promote(wrong)) is ProblemKind.WRONG_SYSTEM


async def test_a_rejoin_is_kept_until_it_is_done_and_the_loop_looks_at_once(tmp_path: Path) -> None:
    one = Member(tmp_path, None)
    one.answer = record(leader=B, epoch=6)
    await Joining(one.context).rejoin(Command(**_command(6)))
    assert (one.store.state.rejoin_behind, one.kick.is_set()) == (B, True)


async def test_a_candidate_s_lease_is_renewed_by_the_record_and_a_leader_s_is_not(tmp_path: Path) -> None:
    one = Member(tmp_path, Role.STANDBY)
    renewed = one.lease.renewed_at
    one.answer = record(epoch=6)
    await Joining(one.context).rejoin(Command(**_command(6)))
    assert one.lease.renewed_at == renewed
    one.answer = record(leader=B, epoch=6, intent=Intent(candidate=A, mode=Mode.PLANNED, run="x"))
    await Joining(one.context).rejoin(Command(**_command(6)))
    assert one.lease.renewed_at > renewed
