"""A gate's commands on real servers: what a planned switch needs, and what a late or mistaken one must not get."""

from __future__ import annotations

import pytest

from gate.api import ProblemKind, Role, ServerState
from tests.gate.harness import Cluster, RefusedError


async def test_a_switch_moves_every_acknowledged_row_and_the_old_primary_follows(pair: Cluster) -> None:
    await pair.sql("pg-0", "create table rows (n int)")
    await pair.sql("pg-0", "insert into rows select generate_series(1, 500)")
    epoch = pair.claim("pg-1")
    fenced = await pair.fence("pg-0", epoch)
    promoted = await pair.promote("pg-1", epoch, fenced.end_lsn)
    pair.route("pg-1")
    assert fenced.clean
    assert promoted.timeline == fenced.timeline + 1
    assert await pair.sql("pg-1", "select count(*) from rows") == [(500,)]
    await pair.until_synchronous("pg-0")
    assert (await pair.until_role("pg-0", Role.STANDBY)).upstream == "pg-1"
    await pair.sql("pg-1", "insert into rows values (0)")


async def test_a_fenced_server_stays_stopped_when_its_gate_dies(pair: Cluster) -> None:
    epoch = pair.claim("pg-1")
    await pair.fence("pg-0", epoch)
    pair.kill("pg-0")
    pair.start("pg-0")
    status = None
    while status is None:
        status = await pair.status("pg-0")
    assert status.fenced_at_epoch == epoch
    assert status.server is ServerState.STOPPED


async def test_a_fence_is_answered_alike_twice(pair: Cluster) -> None:
    epoch = pair.claim("pg-1")
    first = await pair.fence("pg-0", epoch)
    second = await pair.fence("pg-0", epoch)
    assert (first.end_lsn, first.timeline, first.clean) == (second.end_lsn, second.timeline, second.clean)


async def test_after_a_seal_a_late_promotion_changes_nothing(pair: Cluster) -> None:
    epoch = pair.claim("pg-1")
    await pair.fence("pg-0", epoch)
    sealed = await pair.seal("pg-1", epoch + 1)
    with pytest.raises(RefusedError) as late:
        await pair.promote("pg-1", epoch)
    assert not sealed.promoted
    assert late.value.problem.kind is ProblemKind.STALE_EPOCH
    assert (await pair.until_role("pg-1", Role.STANDBY)).timeline == 1


async def test_an_undo_gives_the_writes_back(pair: Cluster) -> None:
    epoch = pair.claim("pg-1")
    await pair.fence("pg-0", epoch)
    await pair.seal("pg-1", epoch + 1)
    pair.api.write(epoch=epoch + 1, intent=None)
    status = await pair.unfence("pg-0", epoch + 1)
    assert status.role is Role.PRIMARY
    assert status.fenced_at_epoch is None
    await pair.sql("pg-0", "create table back (n int)")


async def test_a_seal_after_the_promotion_says_so(pair: Cluster) -> None:
    epoch = pair.claim("pg-1")
    fenced = await pair.fence("pg-0", epoch)
    await pair.promote("pg-1", epoch, fenced.end_lsn)
    assert (await pair.seal("pg-1", epoch + 1)).promoted


async def test_nobody_is_promoted_without_an_intent_in_the_record(pair: Cluster) -> None:
    with pytest.raises(RefusedError) as refused:
        await pair.promote("pg-1", pair.record.epoch)
    assert refused.value.problem.kind is ProblemKind.RECORD_FORBIDS


async def test_a_candidate_that_lacks_wal_is_not_promoted(pair: Cluster) -> None:
    epoch = pair.claim("pg-1")
    await pair.fence("pg-0", epoch)
    with pytest.raises(RefusedError) as refused:
        await pair.promote("pg-1", epoch, "7/0")
    assert refused.value.problem.kind is ProblemKind.LSN_NOT_REACHED


async def test_a_standby_cannot_be_fenced_as_a_primary(pair: Cluster) -> None:
    with pytest.raises(RefusedError) as refused:
        await pair.fence("pg-1", pair.record.epoch + 1)
    assert refused.value.problem.kind is ProblemKind.NOT_PRIMARY


async def test_a_wrong_token_is_refused(pair: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.gate.harness.TOKEN", "guessed")
    with pytest.raises(RefusedError) as refused:
        await pair.status("pg-0")
    assert refused.value.problem.kind is ProblemKind.UNAUTHORIZED


async def test_a_former_primary_turns_applications_away_while_the_route_moves(pair: Cluster) -> None:
    epoch = pair.claim("pg-1")
    fenced = await pair.fence("pg-0", epoch)
    await pair.promote("pg-1", epoch, fenced.end_lsn)
    pair.route("pg-1")
    await pair.until_role("pg-0", Role.STANDBY)
    with pytest.raises(Exception, match=r"pg_hba\.conf rejects"):
        await pair.sql("pg-0", "select 1")
    assert await pair.sql("pg-0", "select pg_is_in_recovery()", user="failover") == [(True,)]
    await pair.until(lambda: "open to applications" in (pair.folder / "pg-0.log").read_text(encoding="utf-8"))


async def test_new_segments_that_are_all_zeros_do_not_hide_the_end_of_wal(pair: Cluster) -> None:
    wal = pair.directory("pg-0") / "pgdata" / "pg_wal"
    for number in range(0x10, 0x20):
        with (wal / f"0000000100000000000000{number:02X}").open("wb") as segment:
            segment.truncate(16 * 1024 * 1024)
    epoch = pair.claim("pg-1")
    fenced = await pair.fence("pg-0", epoch)
    assert fenced.clean
    await pair.promote("pg-1", epoch, fenced.end_lsn)
