"""``failover repair`` against a real server."""

from __future__ import annotations

from tests.fakes.world import A, B
from tests.starters.conftest import Stage


async def test_it_shows_repairs_and_then_finds_nothing_to_do(stage: Stage) -> None:
    stage.world.members[B].remember(epoch=9)
    unexplained = await stage.failover("repair", stage.cluster, "--by", "mona")
    shown = await stage.failover("repair", stage.cluster, "--dry-run")
    assert stage.world.record.epoch == 5
    done = await stage.failover("repair", stage.cluster, "--by", "mona", "--reason", "a restored copy")
    again = await stage.failover("repair", stage.cluster, "--dry-run", "--output", "json")

    assert (unexplained.code, shown.code, done.code, again.code) == (2, 0, 0, 0), (unexplained, shown, done, again)
    assert "reason: missing" in unexplained.err
    assert "--dry-run" in unexplained.err
    assert "would be changed" in shown.out
    assert f"failover repair {stage.cluster} --by YOU --reason WHY" in shown.out
    assert "repaired" in done.out
    assert "epoch: 5 → 10" in done.out
    assert again.document["repair"]["changes"] == []
    assert (stage.world.record.leader, stage.world.record.epoch) == (A, 10)


async def test_in_doubt_it_is_refused(stage: Stage) -> None:
    refused = await stage.failover("repair", stage.cluster, "--leader", B, "--by", "mona", "--reason", "a restored copy")
    assert (refused.code, f"{A} runs as primary, not {B}" in refused.err) == (2, True), refused
