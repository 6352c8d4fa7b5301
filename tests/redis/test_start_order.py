"""Who may lead after a restart: no server that others are ahead of, and none without data."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.redis.cluster import SENTINELS, SERVERS, Cluster, running, until

_DOWN_AFTER = 1000


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Hand over a whole cluster with one row in it; Sentinel is quicker than it ships, to save time."""
    with running(tmp_path, down_after=_DOWN_AFTER) as whole:
        whole.write("redis-0", "row", "kept")
        until("row copied", lambda: all(whole.read(one, "row") == "kept" for one in SERVERS))
        yield whole


def _leads(cluster: Cluster, *members: str) -> str | None:
    """Return which of ``members`` all Sentinels name, once it takes writes."""
    named = set(cluster.named())
    leader = next(iter(named)) if len(named) == 1 else ""
    if leader not in members:
        return None
    cluster.write(leader, "after")
    return leader


def _elected(cluster: Cluster, *members: str) -> str:
    until(f"one of {members} leads", lambda: _leads(cluster, *members) is not None)
    return cluster.named()[0]


def _never_led(cluster: Cluster, member: str, seconds: float) -> None:
    """Look all the time, as a client that still has the old address would."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        assert cluster.role(member) != "master"
        time.sleep(0.02)


def test_a_killed_master_comes_back_as_a_replica_of_the_one_that_was_elected(cluster: Cluster) -> None:
    cluster.kill("redis-0")
    cluster.start("redis-0")
    _never_led(cluster, "redis-0", _DOWN_AFTER / 1000 + 2)
    leader = _elected(cluster, "redis-1", "redis-2")
    until("whole", lambda: cluster.is_whole(leader))
    assert "Sentinel may elect another one" in cluster.log("redis-0")
    assert [cluster.read(one, "row") for one in SERVERS] == ["kept"] * 3


def test_a_master_that_comes_back_after_the_failover_never_leads(cluster: Cluster) -> None:
    cluster.kill("redis-0")
    leader = _elected(cluster, "redis-1", "redis-2")
    cluster.start("redis-0")
    _never_led(cluster, "redis-0", 1)
    until("whole", lambda: cluster.is_whole(leader))
    assert cluster.read("redis-0", "after") == "1"


def test_a_master_that_lost_its_disk_does_not_make_the_others_empty(cluster: Cluster) -> None:
    cluster.kill("redis-0")
    cluster.wipe("redis-0")
    cluster.start("redis-0")
    leader = _elected(cluster, "redis-1", "redis-2")
    until("whole", lambda: cluster.is_whole(leader))
    assert [cluster.read(one, "row") for one in SERVERS] == ["kept"] * 3


def test_after_a_stop_of_everything_the_last_master_leads_again(cluster: Cluster) -> None:
    cluster.kill("redis-0")
    leader = _elected(cluster, "redis-1", "redis-2")
    cluster.start("redis-0")
    until("whole", lambda: cluster.is_whole(leader))
    cluster.kill(*SERVERS, *SENTINELS)
    others = [one for one in SERVERS if one != leader]
    cluster.start(*SENTINELS, *others)
    until("others up", lambda: all(cluster.role(one) == "slave" for one in others))
    time.sleep(_DOWN_AFTER / 1000 + 1)
    assert set(cluster.named()) == {leader}, "a replica that may lack the last writes was elected"
    cluster.start(leader)
    until("whole", lambda: cluster.is_whole(leader))
    assert [cluster.read(one, "after") for one in SERVERS] == ["1"] * 3


def test_nobody_leads_when_the_last_master_has_lost_its_disk_and_nobody_can_be_elected(cluster: Cluster) -> None:
    cluster.kill(*SERVERS, *SENTINELS)
    cluster.wipe("redis-0")
    cluster.start(*SENTINELS, *SERVERS)
    words = "I am named but have no data, and others have some or may have: redis-1=holding-data redis-2=holding-data"
    until("redis-0 says why it waits", lambda: words in cluster.log("redis-0"))
    _never_led(cluster, "redis-0", 1)
    assert [cluster.read(one, "row") for one in SERVERS[1:]] == ["kept"] * 2
    with cluster.client("redis-2") as chosen:
        chosen.config_set("replica-priority", 100)
    until("whole", lambda: cluster.is_whole("redis-2"))
    assert [cluster.read(one, "row") for one in SERVERS] == ["kept"] * 3


def test_a_server_without_data_waits_for_others_that_may_have_some(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    try:
        cluster.start(*SENTINELS, "redis-0", "redis-1")
        words = "others have some or may have: redis-1=empty redis-2=silent"
        until("redis-0 says why it waits", lambda: words in cluster.log("redis-0"))
        assert cluster.role("redis-0") == "silent"
        cluster.start("redis-2")
        until("whole", lambda: cluster.is_whole("redis-0"))
        assert "nobody has any data" in cluster.log("redis-0")
    finally:
        cluster.end()


def test_without_a_majority_of_sentinels_nobody_starts(cluster: Cluster) -> None:
    cluster.kill("redis-0", "redis-1", *SENTINELS[1:])
    cluster.start("redis-0", "redis-1")
    for member in ("redis-0", "redis-1"):
        until("says why it waits", lambda member=member: "must name one master; named: redis-0" in cluster.log(member))  # type: ignore[misc]
    _never_led(cluster, "redis-0", 1)
    assert cluster.role("redis-1") == "silent"
    began = time.monotonic()
    cluster.stop("redis-1")
    assert time.monotonic() - began < 3
    cluster.start(SENTINELS[1], "redis-1")
    leader = _elected(cluster, "redis-1", "redis-2")
    assert cluster.read(leader, "row") == "kept"


def test_a_sentinel_that_lost_its_disk_is_the_same_one_and_learns_who_leads(cluster: Cluster) -> None:
    cluster.kill("redis-0")
    leader = _elected(cluster, "redis-1", "redis-2")
    cluster.kill(SENTINELS[0])
    cluster.wipe(SENTINELS[0])
    cluster.start(SENTINELS[0])
    until("it answers", lambda: len(cluster.named()) == 3)
    assert set(cluster.named()) == {leader}
    for sentinel in SENTINELS:
        with cluster.client(sentinel) as client:
            assert client.execute_command("sentinel", "ckquorum", "mymaster")
            assert len(client.execute_command("sentinel", "sentinels", "mymaster")) == 2


def test_sentinels_that_all_lost_their_disks_learn_from_the_servers_who_leads(cluster: Cluster) -> None:
    cluster.kill("redis-0")
    leader = _elected(cluster, "redis-1", "redis-2")
    cluster.start("redis-0")
    until("whole", lambda: cluster.is_whole(leader))
    cluster.kill(*SENTINELS)
    cluster.wipe(*SENTINELS)
    cluster.start(*SENTINELS)
    until("whole", lambda: cluster.is_whole(leader))
    assert cluster.role("redis-0") == "slave"
