"""What the shipped settings promise: how soon writes go on, and what a master may still acknowledge that nobody copies."""

from __future__ import annotations

import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import ReadOnlyError, ResponseError

from tests.redis.cluster import SENTINELS, SERVERS, Cluster, running, until


@pytest.fixture
def cluster(_real_servers: None, tmp_path: Path) -> Iterator[Cluster]:
    """Hand over a whole cluster with the settings as they are shipped."""
    with running(tmp_path) as whole:
        yield whole


def _writes(cluster: Cluster, key: str) -> bool:
    """Write as a client does that asks the first Sentinel which answers; errors are for the caller."""
    cluster.write(cluster.named()[0], key)
    return True


def _refuses_writes(cluster: Cluster, member: str) -> bool:
    try:
        cluster.write(member, "alone")
    except (ReadOnlyError, ResponseError) as error:
        return isinstance(error, ReadOnlyError) or "NOREPLICAS" in str(error)
    return False


def test_a_dead_master_and_a_dead_sentinel_cost_less_than_the_objective(cluster: Cluster) -> None:
    old = cluster.leader()
    for number in range(200):
        cluster.write(old, f"before-{number}")
    until("copied", lambda: all(cluster.read(one, "before-199") for one in SERVERS))
    cluster.kill(old, SENTINELS[0])
    took = until("writes go on", lambda: _writes(cluster, "after"))
    assert 2.5 < took < 10
    leader = cluster.named()[0]
    assert all(cluster.read(leader, f"before-{number}") for number in range(200))


def test_a_pause_shorter_than_the_threshold_moves_nothing(cluster: Cluster) -> None:
    leader = cluster.leader()
    cluster.signal(leader, signal.SIGSTOP)
    time.sleep(2)
    cluster.signal(leader, signal.SIGCONT)
    until("writes go on", lambda: _writes(cluster, "after"), 3)
    time.sleep(2)
    assert cluster.is_whole(leader)


def test_a_master_that_hears_of_no_replica_stops_taking_writes(cluster: Cluster) -> None:
    leader = cluster.leader()
    replicas = [one for one in SERVERS if one != leader]
    for replica in replicas:
        cluster.signal(replica, signal.SIGSTOP)
    took = until("writes are refused", lambda: _refuses_writes(cluster, leader), 8)
    assert took < 4
    for replica in replicas:
        cluster.signal(replica, signal.SIGCONT)
    until("writes go on", lambda: _writes(cluster, "after"))


def test_an_old_master_that_thaws_after_the_failover_takes_no_writes(cluster: Cluster) -> None:
    old = cluster.leader()
    cluster.signal(old, signal.SIGSTOP)
    until("writes go on", lambda: _writes(cluster, "after"))
    until("nobody names it", lambda: old not in cluster.named())
    cluster.signal(old, signal.SIGCONT)
    ends = time.monotonic() + 3
    while time.monotonic() < ends:
        assert _refuses_writes(cluster, old)
    assert old not in cluster.named()


def test_after_a_stop_of_everything_the_last_master_leads_again_even_if_it_is_late(cluster: Cluster) -> None:
    leader = cluster.leader()
    cluster.write(leader, "row")
    cluster.kill(*SERVERS, *SENTINELS)
    cluster.start(*SENTINELS, *(one for one in SERVERS if one != leader))
    time.sleep(4)
    cluster.start(leader)
    until("whole", cluster.is_whole)
    assert cluster.leader() == leader
    assert [cluster.read(one, "row") for one in SERVERS] == ["1"] * 3
    assert "+sdown master" not in "".join(cluster.log(one) for one in SENTINELS)


def test_a_changed_password_is_taken_at_the_next_start_and_only_its_owner_reads_it(cluster: Cluster) -> None:
    cluster.kill(*SERVERS, *SENTINELS)
    cluster.change_password('an"other\\')
    cluster.start(*SENTINELS, *SERVERS)
    until("whole", cluster.is_whole)
    for member, name in [*((one, "redis.conf") for one in SERVERS), *((one, "sentinel.conf") for one in SENTINELS)]:
        assert stat.S_IMODE((cluster.disk(member) / name).stat().st_mode) == 0o600


def test_two_processes_never_use_one_disk(cluster: Cluster) -> None:
    for member in ("redis-1", SENTINELS[1]):
        with cluster.twin(member):
            until("it says why it waits", lambda member=member: "another pod still uses this disk" in cluster.log(member))  # type: ignore[misc]
    assert cluster.is_whole()
