"""Who may lead after a restart: no server that others are ahead of, and none without data."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import ResponseError

from tests.redis.cluster import SENTINELS, SERVERS, Cluster, running, until

_DOWN_AFTER = 2000


@pytest.fixture
def cluster(_real_servers: None, tmp_path: Path) -> Iterator[Cluster]:
    """Hand over a whole cluster with one row in it; Sentinel is quicker than it ships, to save time."""
    with running(tmp_path, down_after=_DOWN_AFTER) as whole:
        whole.write(whole.leader(), "row", "kept")
        until("row copied", lambda: all(whole.read(one, "row") == "kept" for one in SERVERS))
        yield whole


def _elected(cluster: Cluster, old: str) -> str:
    """Return who leads instead of ``old``, once all Sentinels that answer name it and it takes writes."""

    def leads() -> bool:
        named = set(cluster.named())
        if len(named) != 1 or old in named:
            return False
        cluster.write(named.pop(), "after")
        return True

    until(f"another one than {old} leads", leads)
    return cluster.named()[0]


def _never_led(cluster: Cluster, member: str, seconds: float) -> None:
    """Look all the time, as a client that still has the old address would."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        assert cluster.role(member) != "master"
        time.sleep(0.02)


def _refused(cluster: Cluster, member: str) -> bool:
    """Return whether the server takes no write although both others follow it."""
    until("followed", lambda: cluster.probe(_others(member)[0]) and cluster.probe(_others(member)[1]))
    try:
        cluster.write(member, "early")
    except ResponseError as error:
        return "NOREPLICAS" in str(error)
    return False


def _identity(cluster: Cluster, sentinel: str) -> str:
    with cluster.client(sentinel) as client:
        return str(client.execute_command("sentinel", "myid"))


def _others(member: str) -> list[str]:
    return [one for one in SERVERS if one != member]


def test_a_killed_master_comes_back_as_a_replica_of_the_one_that_was_elected(cluster: Cluster) -> None:
    old = cluster.leader()
    cluster.kill(old)
    cluster.start(old)
    _never_led(cluster, old, _DOWN_AFTER / 1000 + 2)
    leader = _elected(cluster, old)
    until("whole", lambda: cluster.is_whole(leader))
    assert "Sentinel may elect another one" in cluster.log(old)
    assert [cluster.read(one, "row") for one in SERVERS] == ["kept"] * 3


def test_a_master_that_comes_back_after_the_failover_never_leads(cluster: Cluster) -> None:
    old = cluster.leader()
    cluster.kill(old)
    leader = _elected(cluster, old)
    cluster.start(old)
    _never_led(cluster, old, 1)
    until("whole", lambda: cluster.is_whole(leader))
    assert cluster.read(old, "after") == "1"


def test_a_master_that_lost_its_disk_does_not_make_the_others_empty(cluster: Cluster) -> None:
    old = cluster.leader()
    cluster.kill(old)
    cluster.wipe(old)
    cluster.start(old)
    leader = _elected(cluster, old)
    until("whole", lambda: cluster.is_whole(leader))
    assert [cluster.read(one, "row") for one in SERVERS] == ["kept"] * 3


def test_when_all_servers_have_died_nobody_but_the_last_master_leads_again(cluster: Cluster) -> None:
    old = cluster.leader()
    cluster.kill(old)
    leader = _elected(cluster, old)
    cluster.start(old)
    until("whole", lambda: cluster.is_whole(leader))
    cluster.kill(*SERVERS)
    cluster.start(*_others(leader))
    until("others up", lambda: all(cluster.role(one) == "slave" for one in _others(leader)))
    until("an election without a result", lambda: "no-good-slave" in "".join(cluster.log(one) for one in SENTINELS))
    time.sleep(1)
    assert set(cluster.named()) == {leader}, "a replica that may lack the last writes was elected"
    cluster.start(leader)
    until("whole", cluster.is_whole)
    assert [cluster.read(one, "after") for one in SERVERS] == ["1"] * 3


def test_nobody_leads_when_the_last_master_has_lost_its_disk_and_nobody_can_be_elected(cluster: Cluster) -> None:
    old = cluster.leader()
    first, second = _others(old)
    cluster.kill(*SERVERS, *SENTINELS)
    cluster.wipe(old)
    cluster.start(*SENTINELS, *SERVERS)
    words = f"I am named but have no data, and others have some or may have: {first}=holding-data {second}=holding-data"
    until("it says why it waits", lambda: words in cluster.log(old))
    _never_led(cluster, old, 1)
    assert [cluster.read(one, "row") for one in (first, second)] == ["kept"] * 2
    with cluster.client(second) as chosen:
        chosen.config_set("replica-priority", 100)
    until("whole", lambda: cluster.is_whole(second))
    assert [cluster.read(one, "row") for one in SERVERS] == ["kept"] * 3


def test_a_server_without_data_waits_for_others_that_may_have_some(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    try:
        cluster.start(*SENTINELS, "redis-0", "redis-1")
        words = "others have some or may have: redis-1=empty redis-2=silent"
        until("redis-0 says why it waits", lambda: words in cluster.log("redis-0"))
        assert cluster.role("redis-0") == "silent"
        cluster.start("redis-2")
        until("whole", cluster.is_whole)
        assert "nobody has any data" in cluster.log("redis-0")
    finally:
        cluster.end()


def test_a_master_takes_no_writes_before_the_sentinels_see_it(cluster: Cluster) -> None:
    leader = cluster.leader()
    cluster.kill(*SERVERS)
    cluster.start(*_others(leader))
    until("others up", lambda: all(cluster.role(one) == "slave" for one in _others(leader)))
    cluster.start(leader)
    until("it leads", lambda: cluster.log(leader).count(f"{leader}: leading") == 2)
    for sentinel in SENTINELS:
        cluster.signal(sentinel, signal.SIGSTOP)
    refused = _refused(cluster, leader)
    for sentinel in SENTINELS:
        cluster.signal(sentinel, signal.SIGCONT)
    assert refused
    until("whole", cluster.is_whole)


def test_without_a_majority_of_sentinels_nobody_starts(cluster: Cluster) -> None:
    old = cluster.leader()
    first = _others(old)[0]
    cluster.kill(old, first, *SENTINELS[1:])
    cluster.start(old, first)
    for member in (old, first):
        words = f"must name one master; named: {old}"
        until("it says why it waits", lambda member=member, words=words: words in cluster.log(member))  # type: ignore[misc]
    _never_led(cluster, old, 1)
    assert cluster.role(first) == "silent"
    began = time.monotonic()
    cluster.stop(first)
    assert time.monotonic() - began < 3
    cluster.start(SENTINELS[1], first)
    leader = _elected(cluster, old)
    assert cluster.read(leader, "row") == "kept"


def test_a_sentinel_that_lost_its_disk_is_the_same_one_and_learns_from_the_others_who_leads(cluster: Cluster) -> None:
    old = cluster.leader()
    cluster.kill(old)
    leader = _elected(cluster, old)
    identity = _identity(cluster, SENTINELS[0])
    cluster.kill(SENTINELS[0], *_others(old))
    cluster.wipe(SENTINELS[0])
    cluster.start(SENTINELS[0])
    until("it answers", lambda: len(cluster.named()) == 3)
    assert set(cluster.named()) == {leader}
    assert _identity(cluster, SENTINELS[0]) == identity
    for sentinel in SENTINELS:
        with cluster.client(sentinel) as client:
            assert client.execute_command("sentinel", "ckquorum", "mymaster")
            assert len(client.execute_command("sentinel", "sentinels", "mymaster")) == 2


def test_sentinels_that_all_lost_their_disks_learn_from_the_servers_who_leads(cluster: Cluster) -> None:
    old = cluster.leader()
    cluster.kill(old)
    leader = _elected(cluster, old)
    cluster.start(old)
    until("whole", lambda: cluster.is_whole(leader))
    cluster.kill(*SENTINELS)
    cluster.wipe(*SENTINELS)
    cluster.start(*SENTINELS)
    until("whole", lambda: cluster.is_whole(leader))
    assert cluster.role(old) == "slave"
