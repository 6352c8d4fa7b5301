from __future__ import annotations

import pytest

from activities.clients.ports import GateRefusedError
from gate.api import FenceCommand, ProblemKind, PromoteCommand, RevertCommand, Role, SealCommand, ServerState
from gate.record import Intent, Mode, Record
from tests.contract.conftest import Bench

RUN = "contract/1"


async def test_leader_and_standby_say_what_they_are(bench: Bench) -> None:
    leader, standby = await bench.leader(), await bench.standby()
    first = await bench.gates.status(bench.target, leader)
    second = await bench.gates.status(bench.target, standby)
    assert (first.role, second.role) == (Role.PRIMARY, Role.STANDBY)
    assert second.upstream == leader
    assert first.system_identifier == second.system_identifier
    assert [row.member for row in first.followers] == [standby]
    assert second.lag_bytes is not None


def _promotion(record: Record, epoch: int, end_lsn: str | None = None) -> PromoteCommand:
    system = record.system_identifier
    return PromoteCommand(epoch=epoch, run=RUN, system_identifier=system, at_least_lsn=end_lsn, replayed=True)


def _seal(epoch: int, *, stop_unfinished: bool = False) -> SealCommand:
    return SealCommand(epoch=epoch, run=RUN, stop_unfinished=stop_unfinished)


@pytest.mark.parametrize("command", ["prepare", "promote"])
async def test_nobody_is_promoted_without_an_intent(bench: Bench, command: str) -> None:
    record = await bench.record()
    with pytest.raises(GateRefusedError) as refused:
        await getattr(bench.gates, command)(bench.target, await bench.standby(), _promotion(record, record.epoch))
    assert refused.value.problem.kind is ProblemKind.RECORD_FORBIDS


async def test_a_standby_is_not_fenced_as_a_primary(bench: Bench) -> None:
    command = FenceCommand(epoch=(await bench.record()).epoch, run=RUN)
    with pytest.raises(GateRefusedError) as refused:
        await bench.gates.fence(bench.target, await bench.standby(), command)
    assert refused.value.problem.kind is ProblemKind.NOT_PRIMARY


async def test_a_running_standby_does_not_lead_again_as_it_was(bench: Bench) -> None:
    record = await bench.record()
    command = RevertCommand(
        epoch=record.epoch, run=RUN, system_identifier=record.system_identifier, timeline=9, history=((8, "0/3000000"),)
    )
    with pytest.raises(GateRefusedError) as refused:
        await bench.gates.revert(bench.target, await bench.standby(), command)
    assert refused.value.problem.kind is ProblemKind.NOT_UNTOUCHED


async def test_the_transactions_since_a_promotion_can_be_counted(bench: Bench) -> None:
    leader = await bench.leader()
    status = await bench.gates.status(bench.target, leader)
    assert status.next_xid is not None
    assert status.promoted_xid is None or status.promoted_xid <= status.next_xid
    assert not status.untouched


async def test_a_claim_is_given_back_and_a_late_promotion_changes_nothing(bench: Bench) -> None:
    record, standby = await bench.record(), await bench.standby()
    epoch = record.epoch + 1
    await bench.write(epoch=epoch, intent=Intent(candidate=standby, mode=Mode.PLANNED, run=RUN))
    fenced = await bench.gates.fence(bench.target, record.leader, FenceCommand(epoch=epoch, run=RUN))
    again = await bench.gates.fence(bench.target, record.leader, FenceCommand(epoch=epoch, run=RUN))
    sealed = await bench.gates.seal(bench.target, standby, _seal(epoch + 1))
    with pytest.raises(GateRefusedError) as late:
        await bench.gates.promote(bench.target, standby, _promotion(record, epoch))
    await bench.write(epoch=epoch + 1, intent=None)
    status = await bench.gates.unfence(bench.target, record.leader, epoch + 1, RUN)
    assert fenced.clean
    assert again.end_lsn == fenced.end_lsn
    assert not sealed.promoted
    assert late.value.problem.kind is ProblemKind.STALE_EPOCH
    assert (status.role, status.server) == (Role.PRIMARY, ServerState.RUNNING)


async def test_a_promotion_is_answered_alike_twice_and_sealed_as_promoted(bench: Bench) -> None:
    record, standby = await bench.record(), await bench.standby()
    epoch = record.epoch + 1
    await bench.write(epoch=epoch, intent=Intent(candidate=standby, mode=Mode.PLANNED, run=RUN))
    fenced = await bench.gates.fence(bench.target, record.leader, FenceCommand(epoch=epoch, run=RUN))
    command = _promotion(record, epoch, fenced.end_lsn)
    await bench.gates.prepare(bench.target, standby, command)
    answers = [await bench.gates.promote(bench.target, standby, command) for _ in range(2)]
    await bench.gates.prepare(bench.target, standby, command)
    sealed = await bench.gates.seal(bench.target, standby, _seal(epoch + 1, stop_unfinished=True))
    await bench.write(leader=standby, previous=record.leader, epoch=epoch + 1, intent=None, sync="none")
    assert answers[0].timeline == answers[1].timeline == fenced.timeline + 1
    assert sealed.promoted
    await bench.until(bench.is_whole)
