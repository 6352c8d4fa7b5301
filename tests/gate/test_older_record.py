"""A record that is older than what has been seen: a Service that was restored, GitOps, an annotation by hand."""

from __future__ import annotations

import asyncio
import copy
import signal
from typing import Any

import pytest
from pydantic import ValidationError

from deploy.lab.patience import stretched
from gate.api import Command, GateStatus, ProblemKind, Role, ServerState
from gate.lease.vouching import Outside, to_show, vouches
from gate.loop.decide import decide, fence_stands
from gate.loop.situation import Action, Decision, Local
from gate.loop.state import State, Store
from gate.record import HIGHEST_EPOCH, Intent, MalformedRecordError, Mirror, Mode, Record, read_record, record_patch
from tests.gate.harness import Cluster, RefusedError
from tests.postgres.samples import A, B, C, status

CLAIMED = Intent(candidate=B, mode=Mode.PLANNED, run="test/1")


def _decide(record: Record | None, *, mirror: Mirror | None = None, unreadable: str = "", **mine: Any) -> Decision:
    peers = mine.pop("peers", {B: None, C: None})
    usual: dict[str, Any] = {
        "member": A, "members": (A, B, C), "state": State(epoch=6), "server": ServerState.STOPPED, "role": None,
        "empty": False, "standby_signal": False, "timeline": 2, "following": "",
    }  # fmt: skip
    outside = Outside(api_answers=True, record=record, mirror=mirror, peers=peers, unreadable=unreadable)
    return decide(Local(**{**usual, **mine}), outside)


def _recovering(**mine: Any) -> Decision:
    """Decide as a standby that runs and that a record of the epoch that has been seen names."""
    usual: dict[str, Any] = {"role": Role.STANDBY, "standby_signal": True, "received": "0/5000"}
    return _decide(Record(leader=A, epoch=6), server=ServerState.RUNNING, **{**usual, **mine})


def _standby(name: str, received: str, timeline: int = 2, **changes: Any) -> GateStatus:
    return status(name, **{"epoch": 6, "role": Role.STANDBY, "receive_lsn": received, "timeline": timeline, **changes})


@pytest.mark.parametrize(
    ("record", "mirror", "action"),
    [
        (Record(leader=A, epoch=5), None, Action.WAIT),
        (Record(leader=A, epoch=5), Mirror(B, 6), Action.WAIT),
        (Record(leader=A, epoch=5), Mirror(A, 5), Action.WAIT),
        (Record(leader=B, epoch=5), Mirror(A, 6), Action.WAIT),
        (Record(leader=A, epoch=5, intent=CLAIMED), Mirror(A, 6), Action.WAIT),
        (Record(leader=A, epoch=5), Mirror(A, 6), Action.START_LEADER),
        (Record(leader=A, epoch=6), Mirror(A, 6), Action.START_LEADER),
        (Record(leader=A, epoch=6), Mirror(B, 7), Action.WAIT),
    ],
)
def test_a_stopped_leader_starts_only_where_record_and_lease_agree(
    record: Record, mirror: Mirror | None, action: Action
) -> None:
    agreeing = {B: _standby(B, "0/1"), C: _standby(C, "0/1")}
    decision = _decide(record, mirror=mirror, peers=agreeing)
    assert decision.action is action
    if record.epoch < 6:
        for doubt in (None, _standby(B, "0/1", epoch=7), _standby(B, "0/1", role=Role.PRIMARY)):
            assert _decide(record, mirror=mirror, peers={**agreeing, B: doubt}).action is Action.WAIT
    later = max(6, mirror.epoch if mirror else 0)
    if action is Action.WAIT:
        assert f"names {record.leader} at epoch {record.epoch}, " in decision.reason
        assert f"epoch {later}" in decision.reason
        assert "failover repair" in decision.reason


def test_a_stopped_leader_waits_where_a_peer_has_seen_a_later_epoch() -> None:
    decision = _decide(Record(leader=A, epoch=6), peers={B: _standby(B, "0/1", epoch=7), C: None})
    assert (decision.action, f"{B} has seen epoch 7" in decision.reason) == (Action.WAIT, True)
    undone = Record(leader=A, epoch=6, intent=Intent(candidate=A, mode=Mode.DISCARD, run="test/1"))
    assert _decide(undone, peers={B: _standby(B, "0/1", epoch=7), C: None}).action is Action.START_LEADER


@pytest.mark.parametrize(
    ("peers", "mine", "words"),
    [
        ({}, {}, "asks the others first"),
        ({B: status(B, epoch=6, role=Role.PRIMARY, timeline=1), C: None}, {}, f"{B} runs as primary"),
        ({B: _standby(B, "0/6000"), C: None}, {}, f"{B} has received 0/6000 on timeline 2"),
        ({B: _standby(B, "0/1000", 3), C: None}, {}, f"{B} has received 0/1000 on timeline 3"),
        ({B: _standby(B, "0/1000"), C: None}, {"received": None}, f"{B} has received"),
    ],
)
def test_a_named_member_in_recovery_does_not_promote_itself_past_others(
    peers: dict[str, GateStatus | None], mine: dict[str, Any], words: str
) -> None:
    decision = _recovering(peers=peers, **mine)
    assert (decision.action, words in decision.reason) == (Action.WAIT, True)


def test_a_named_member_in_recovery_goes_on_where_nobody_has_more_or_a_run_has_decided() -> None:
    assert _recovering(peers={B: _standby(B, "0/5000"), C: _standby(C, "0/9000", 1)}).action is Action.PROMOTE_SELF
    assert _recovering(peers={B: None, C: None}).action is Action.PROMOTE_SELF
    assert _recovering(peers={}, members=(A,)).action is Action.PROMOTE_SELF
    decided = State(epoch=6, promoted_at=6)
    assert _recovering(peers={B: _standby(B, "0/6000"), C: None}, state=decided).action is Action.PROMOTE_SELF


def test_a_record_that_cannot_be_read_lets_everybody_go_on() -> None:
    runs = _decide(None, unreadable="epoch x", server=ServerState.RUNNING, role=Role.PRIMARY)
    assert (runs.action, "epoch x" in runs.reason) == (Action.KEEP, True)
    assert _decide(None, unreadable="epoch x").action is Action.WAIT
    assert _decide(None, unreadable="epoch x", empty=True, member=A).action is Action.WAIT


def test_an_older_record_lifts_no_fence() -> None:
    assert fence_stands(State(epoch=9, fenced_at=6), A, Record(leader=B, epoch=8))
    assert not fence_stands(State(epoch=8, fenced_at=6), A, Record(leader=B, epoch=8))


@pytest.mark.parametrize(
    ("record", "unreadable", "mirror", "peer", "vouched"),
    [
        (Record(leader=B, epoch=5), "", Mirror(A, 6), None, True),
        (Record(leader=B, epoch=5), "", Mirror(B, 6), None, True),
        (Record(leader=A, epoch=5), "", Mirror(B, 7), None, False),
        (Record(leader=A, epoch=5), "", None, None, False),
        (Record(leader=B, epoch=5), "", None, 6, True),
        (Record(leader=B, epoch=5), "", Mirror(B, 7), 7, False),
        (None, "", None, None, True),
        (None, "", Mirror(A, 7), None, True),
        (None, "", Mirror(B, 6), None, True),
        (None, "", Mirror(B, 7), None, False),
        (None, "epoch x", Mirror(A, 6), None, True),
        (None, "epoch x", Mirror(B, 7), None, False),
        (None, "epoch x", None, None, False),
        (None, "epoch x", None, 6, True),
    ],
)
def test_the_lease_stands_in_for_a_record_that_does_not_count(
    record: Record | None, unreadable: str, mirror: Mirror | None, peer: int | None, *, vouched: bool
) -> None:
    peers = {B: None if peer is None else status(B, epoch=peer)}
    outside = Outside(api_answers=True, record=record, mirror=mirror, peers=peers, unreadable=unreadable)
    assert vouches(outside, A, 6, leads=True) is vouched
    shown = to_show(outside, A, 6, leads=True)
    assert (shown and (shown.leader, shown.epoch)) == (mirror and (A, max(mirror.epoch, 6)))
    assert to_show(outside, A, 6, leads=False) is None
    if record is not None and peer is None:
        assert not vouches(outside, A, 6, leads=False)


def test_an_epoch_on_disk_is_never_lowered(tmp_path: Any) -> None:
    store = Store(tmp_path)
    store.write(epoch=9)
    store.write(epoch=6, fenced_at=6)
    assert (store.state.epoch, store.state.fenced_at) == (9, 6)


def test_an_epoch_that_no_lease_can_hold_is_no_record() -> None:
    patch = record_patch(Record(leader=A, epoch=HIGHEST_EPOCH + 1))
    with pytest.raises(MalformedRecordError, match=f"epoch {HIGHEST_EPOCH + 1} is not between 0 and {HIGHEST_EPOCH}"):
        read_record({"metadata": {**patch["metadata"], "name": "pg", "namespace": "prod"}})


def test_a_command_carries_no_epoch_that_no_record_can_have() -> None:
    assert Command(epoch=HIGHEST_EPOCH, run="test/1").epoch == HIGHEST_EPOCH
    with pytest.raises(ValidationError):
        Command(epoch=HIGHEST_EPOCH + 1, run="test/1")


async def _failed_over(pair: Cluster) -> dict[str, Any]:
    """Let ``pg-1`` lead; return the Service as it was before, and change nothing more."""
    old = copy.deepcopy(pair.api.service)
    epoch = pair.claim("pg-1")
    fenced = await pair.fence("pg-0", epoch)
    await pair.promote("pg-1", epoch, fenced.end_lsn)
    pair.route("pg-1")
    await pair.until_synchronous("pg-0")
    return old


def _put_back(pair: Cluster, old: dict[str, Any]) -> None:
    pair.api.service = copy.deepcopy(old)
    pair.api._stamp()


async def _until_it_says(pair: Cluster, member: str, *words: str) -> GateStatus:
    found: list[GateStatus] = []

    async def says() -> bool:
        found[:] = [one] if (one := await pair.status(member)) is not None else []
        return bool(found) and all(word in found[0].doing for word in words)

    try:
        await pair.until_true(says)
    except TimeoutError:
        pytest.fail(f"{member} should say {words}, and says {[one.doing for one in found]}")
    return found[0]


async def test_a_service_that_is_put_back_moves_nobody(pair: Cluster) -> None:
    old = await _failed_over(pair)
    seen = pair.record.epoch
    _put_back(pair, old)
    words = f"at epoch {pair.record.epoch}, epoch {seen} has been seen here", "failover repair"
    leads, follows = await _until_it_says(pair, "pg-1", *words), await _until_it_says(pair, "pg-0", *words)
    assert (leads.role, leads.timeline, follows.role, follows.upstream) == (Role.PRIMARY, 2, Role.STANDBY, "pg-1")
    await pair.sql("pg-1", "create table goes_on (n int)")
    await pair.until(lambda: (pair.api.lease or {})["spec"]["holderIdentity"] == "pg-1")
    await pair.until_renewed(times=2)


async def test_a_leader_that_is_alone_under_an_older_record_lives_on_by_its_lease(pair: Cluster) -> None:
    pair.environment["ISOLATION_TIMEOUT"] = "3"
    for member in pair.members:
        pair.kill(member, signal.SIGTERM)
        pair.start(member)
    await pair.until_role("pg-0", Role.PRIMARY)
    await pair.until_role("pg-1", Role.STANDBY)
    await pair.until_synchronous("pg-1")
    old = await _failed_over(pair)
    _put_back(pair, old)
    await _until_it_says(pair, "pg-1", "failover repair")
    pair.kill("pg-0", signal.SIGTERM)
    await pair.until_renewed(times=8)  # one a second: far longer than its leadership deadline
    assert (await pair.until_role("pg-1", Role.PRIMARY)).timeline == 2
    assert not pair.said("pg-1", "ISOLATED")


async def test_a_leader_whose_lease_is_of_a_later_epoch_does_not_go_on_alone(pair: Cluster) -> None:
    """It has seen nothing else of that: its machine was suspended, and its clock with it."""
    await pair.until_renewed(times=1)
    before = pair.record
    later = {"holderIdentity": "pg-1", "leaseTransitions": before.epoch + 1}
    pair.api.write_lease({"metadata": {}, "spec": later})
    pair.die("pg-1")
    await pair.until(lambda: pair.said("pg-0", "tries again:"), stretched(20))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2):
            await pair.sql("pg-0", "create table alone (n int)")
    assert (pair.record.epoch, pair.record.sync_members) == (before.epoch, ("pg-1",))


async def test_a_leader_that_restarts_under_an_older_record_waits_and_so_does_its_standby(pair: Cluster) -> None:
    old = await _failed_over(pair)
    _put_back(pair, old)
    pair.kill("pg-1", signal.SIGTERM)
    pair.start("pg-1")
    waits = await _until_it_says(pair, "pg-1", "names pg-0 at epoch", "failover repair")
    assert waits.server is ServerState.STOPPED
    pair.kill("pg-0", signal.SIGTERM)
    pair.start("pg-0")
    waits = await _until_it_says(pair, "pg-0", "names pg-0 at epoch", "failover repair")
    assert (waits.server, waits.role) == (ServerState.STOPPED, None)
    pair.api.write(leader="pg-1", epoch=pair.record.epoch + 9)
    await pair.until_role("pg-1", Role.PRIMARY)
    await pair.until_synchronous("pg-0")


async def test_a_member_without_memory_is_held_by_its_peer_or_the_lease(pair: Cluster) -> None:
    old = await _failed_over(pair)
    pair.kill("pg-0", signal.SIGTERM)
    (pair.directory("pg-0") / "gate/state.json").unlink()
    _put_back(pair, old)
    pair.start("pg-0")
    await _until_it_says(pair, "pg-0", "its Lease is at epoch", "failover repair")
    pair.api.lease = None
    waits = await _until_it_says(pair, "pg-0", "pg-1 ")
    assert waits.role is not Role.PRIMARY
    assert (await pair.until_role("pg-1", Role.PRIMARY)).timeline == 2


async def test_a_primary_outlives_a_record_that_is_broken_or_gone(pair: Cluster) -> None:
    pair.environment["ISOLATION_TIMEOUT"] = str(int(stretched(3)))
    pair.kill("pg-0", signal.SIGTERM)
    pair.start("pg-0")
    await pair.until_role("pg-0", Role.PRIMARY)
    await pair.until_synchronous("pg-1")
    pair.kill("pg-1", signal.SIGTERM)
    notes = pair.api.service["metadata"]["annotations"]
    epoch, notes["failover/epoch"] = notes["failover/epoch"], "six"
    await _until_it_says(pair, "pg-0", "cannot be read", "going on as before")
    await pair.until_renewed(times=8)
    assert not pair.said("pg-0", "ISOLATED")
    notes["failover/epoch"] = epoch
    await _until_it_says(pair, "pg-0", "runs as primary")


async def test_an_epoch_far_above_the_record_is_refused(pair: Cluster) -> None:
    far = pair.record.epoch + 1001
    with pytest.raises(RefusedError) as refused:
        await pair.seal("pg-1", far)
    assert (refused.value.problem.kind, str(far) in str(refused.value)) == (ProblemKind.RECORD_FORBIDS, True)
    with pytest.raises(RefusedError):
        await pair.fence("pg-0", HIGHEST_EPOCH, clean=False)
    await pair.seal("pg-1", far - 1)
    pair.api.silent = True
    await pair.seal("pg-1", far + 5000)


@pytest.mark.parametrize(
    ("record_epoch", "peer_epoch", "peer_timeline", "overtaken"),
    [
        (6, 7, 3, True),
        (7, 7, 3, False),  # a switch that goes on, or is over: the record is as new as the peer
        (6, 6, 3, False),  # somebody has promoted it past its gate, which stops it
        (6, 7, 2, False),  # a claim that came to nothing
    ],
)
@pytest.mark.parametrize("role", [Role.PRIMARY, Role.STANDBY, None])
def test_a_primary_that_has_slept_through_a_promotion_stops_when_a_peer_shows_it(
    record_epoch: int, peer_epoch: int, peer_timeline: int, role: Role | None, *, overtaken: bool
) -> None:
    record = Record(leader=A, epoch=record_epoch)
    peers = {B: status(B, epoch=peer_epoch, timeline=peer_timeline, role=role), C: None}
    decision = _decide(record, peers=peers, server=ServerState.RUNNING, role=Role.PRIMARY)
    assert (decision.action, "THE LEADER RECORD IS OLDER" in decision.reason) == (
        (Action.STOP_NOW, True) if overtaken else (Action.KEEP, False)
    )
    outside = Outside(api_answers=True, record=record, mirror=None, peers=peers)
    assert vouches(outside, A, 6, leads=True, timeline=2) is not overtaken
