"""``failover kept`` against a real server."""

from __future__ import annotations

from tests.fakes.world import B
from tests.starters.conftest import Stage


async def test_it_lists_and_removes_one_thing(stage: Stage) -> None:
    stage.world.members[B].kept = [set()]
    listed = await stage.failover("kept", stage.cluster)
    removal = ("--member", B, "--remove", "pgdata-0", "--by", "mona")
    unexplained = await stage.failover("kept", stage.cluster, *removal)
    removed = await stage.failover("kept", stage.cluster, *removal, "--reason", "looked through")
    again = await stage.failover("kept", stage.cluster, *removal, "--reason", "looked through")
    stranger = await stage.failover("kept", stage.cluster, "--member", "pg-9")
    after = await stage.failover("kept", stage.cluster, "--output", "json")

    assert (listed.code, unexplained.code, removed.code, after.code) == (0, 2, 0, 0), (listed, unexplained, removed, after)
    assert "--member MEMBER --remove NAME --by YOU --reason WHY" in listed.out
    assert "reason: missing" in unexplained.err
    assert f"removed: pgdata-0 of {B}" in removed.out
    assert "nothing is kept aside" in removed.out
    assert f"{B} does not keep pgdata-0 (any more)" in again.out
    assert (stranger.code, "has no pg-9" in stranger.err) == (2, True)
    assert [one["items"] for one in after.document["members"]] == [[], []]
