"""Faults around a failover on the real platform, each with its right outcome: refused, undone, or completed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import pytest_asyncio

from activities.postgres.models.details import PostgresDetails
from activities.run.errors import Refusal
from activities.run.models.report import Outcome
from deploy.lab.network import in_hub
from deploy.lab.patience import stretched
from deploy.lab.processes import pid_of, run, wait_until
from deploy.lab.switching import CLUSTER, OPERATOR, approve, ending, start, switch
from deploy.lab.workload import kubectl, secret_of
from starters.history.model import Facts
from tests.gate.test_tls import self_signed
from tests.lab.circumstances import DISK_BYTES, crowd, patched, small_disk
from tests.lab.histories import completed
from tests.lab.platform import Platform
from workflows.run.models import TASK_QUEUE

pytestmark = pytest.mark.lab


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def _look(platform: Platform) -> None:
    await platform.fresh_pods()
    platform.look()


def _must_have_moved(platform: Platform, facts: Facts) -> None:
    assert facts.outcome is Outcome.COMPLETED, facts.reason
    assert platform.leader == platform.candidate
    platform.settle(200)


@pytest.mark.parametrize("step", [pytest.param("postgres.prove", marks=[pytest.mark.matrix]), "postgres.promote"])
async def test_a_candidate_that_dies_around_its_promotion(platform: Platform, step: str) -> None:
    platform.break_it("pod", platform.old)
    handle = await start(platform.client, mode="forced", attest=True)
    await approve(handle, attest=True)
    await completed(handle, step)
    platform.break_it("container", platform.candidate)
    facts = await ending(handle, within=240)
    assert facts.outcome in {Outcome.COMPLETED, Outcome.ROLLED_BACK}, facts.reason
    platform.settle(200)
    assert platform.leader == (platform.candidate if facts.outcome is Outcome.COMPLETED else platform.old)


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("left", "refusal", "words"),
    [(100, Refusal.DISK_TOO_FULL, "bytes free, the limit is"), (0, Refusal.NO_STANDBY, "bytes free, the limit is")],
)
async def test_a_candidate_whose_disk_is_full_is_not_promoted(
    platform: Platform, left: int, refusal: Refusal, words: str
) -> None:
    with small_disk(platform, platform.candidate):
        inside = "/var/lib/postgresql/data/filler"
        filled = _free(platform) - left * 1024 * 1024 if left else DISK_BYTES
        platform.kubectl("exec", platform.candidate, "--", "sh", "-c", f"head -c {filled} /dev/zero > {inside}; true")
        try:
            wait_until("seen as full", lambda: _free(platform) <= left * 1024 * 1024, 20)
            platform.break_it("container", platform.old)
            facts = await _refused(platform, refusal)
            assert words in facts.reason
            assert platform.leader == platform.old
        finally:
            platform.kubectl("exec", platform.candidate, "--", "rm", "-f", inside)
        platform.settle(200)


@pytest.mark.matrix
async def test_wal_that_is_gone_makes_the_old_primary_a_copy_and_its_gate_says_so(platform: Platform) -> None:
    kept = platform.kept_aside(platform.old)
    platform.break_it("pod", platform.old)
    handle = await start(platform.client, mode="forced", attest=True)
    pgdata = platform.lab.disks / platform.old / "pgdata"
    platform.kubectl("scale", "statefulset", platform.old.removesuffix("-0"), "--replicas=0")
    try:
        await approve(handle, attest=True)
        await completed(handle, "postgres.verify")
        for segment in (pgdata / "pg_wal").glob("0000000*"):
            segment.unlink()
    finally:
        platform.kubectl("scale", "statefulset", platform.old.removesuffix("-0"), "--replicas=1")
    assert (await ending(handle)).outcome is Outcome.COMPLETED
    platform.settle(200)
    assert "rewind failed, taking a base backup instead" in platform.log(platform.old)
    assert platform.kept_aside(platform.old) - kept


async def test_a_wrong_operator_password_is_refused_with_the_servers_own_words(platform: Platform) -> None:
    right = secret_of(platform.lab, "postgresql-passwords", "operator")
    platform.sql(platform.old, "alter role failover password 'another'")
    try:
        facts = await ending(await start(platform.client, mode="forced", attest=True))
        assert facts.outcome is Outcome.REFUSED
        assert "password authentication failed" in facts.reason
        assert platform.leader == platform.old
    finally:
        platform.sql(platform.old, f"alter role failover password '{right}'")
    await platform.until_fit()


@pytest.mark.matrix
async def test_a_server_that_wants_tls_is_failed_over_with_tls(platform: Platform, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    secret = ("create", "secret", "generic", "postgresql-tls", f"--from-file={certificate}", f"--from-file={key}")
    platform.kubectl(*secret)
    try:
        with patched(platform, _TLS):
            assert "no encryption" in _refusal_without_tls(platform)
            platform.break_it("container", platform.old)
            _must_have_moved(platform, await platform.force())
    finally:
        platform.kubectl("delete", "secret", "postgresql-tls")


@pytest.mark.matrix
async def test_a_replication_slot_that_was_left_behind_is_not_in_the_way(platform: Platform) -> None:
    platform.sql(platform.old, "select pg_create_physical_replication_slot('left_behind', true)")
    platform.break_it("pod", platform.old)
    _must_have_moved(platform, await platform.force())
    assert platform.sql(platform.candidate, "select count(*) from pg_replication_slots").strip() == "0"


@pytest.mark.matrix
@pytest.mark.parametrize("mode", ["planned", "forced"])
async def test_a_long_transaction_and_200_open_connections(platform: Platform, mode: str) -> None:
    for member in (platform.candidate, platform.old):
        platform.sql(member, "alter system set max_connections = 300", database="postgres")
        platform.break_it("container", member)
        wait_until("restarted", lambda member=member: _max_connections(platform, member) == "300", 90)  # type: ignore[misc]
        platform.settle(200)
    await platform.until_fit()
    with crowd(platform, 200):
        facts = await (switch(platform.client) if mode == "planned" else platform.force())
        details = facts.known.of(PostgresDetails)
        assert details.evicted is not None
        assert (details.evicted.ended or 0) >= 200
        assert details.evicted.remaining == 0
        _must_have_moved(platform, facts)


async def test_without_dns_a_forced_failover_still_succeeds(platform: Platform) -> None:
    run(_kubectl(platform, "-n", "kube-system", "scale", "deployment", "coredns", "--replicas=0"))
    try:
        wait_until("DNS gone", lambda: not _dns_pods(platform), 60)
        platform.break_it("container", platform.old)
        handle = await start(platform.client, mode="forced", attest=True)
        await approve(handle, attest=True)
        await completed(handle, "postgres.verify")
    finally:
        run(_kubectl(platform, "-n", "kube-system", "scale", "deployment", "coredns", "--replicas=2"))
    _must_have_moved(platform, await ending(handle, within=400))


@pytest.mark.matrix
async def test_a_clock_that_is_an_hour_off_changes_nothing(platform: Platform) -> None:
    run(["apt-get", "install", "-y", "-qq", "faketime"])
    library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
    statefulset = f"statefulset/{platform.candidate.removesuffix('-0')}"
    fake = ("LD_PRELOAD=" + library, "FAKETIME=+1h", "DONT_FAKE_MONOTONIC=1")
    platform.kubectl("set", "env", statefulset, *fake)
    try:
        platform.kubectl("rollout", "status", statefulset, "--timeout=120s")
        platform.settle(200)
        await platform.until_fit()
        ahead = float(platform.sql(platform.candidate, "select extract(epoch from clock_timestamp())")) - time.time()
        assert ahead > 3000
        facts = await switch(platform.client)
        assert facts.outcome is Outcome.COMPLETED, facts.reason
        platform.settle(200)
        platform.break_it("container", platform.candidate)
        facts = await platform.force()
        assert facts.outcome is Outcome.COMPLETED, facts.reason
        platform.settle(200)
    finally:
        platform.kubectl("set", "env", statefulset, "LD_PRELOAD-", "FAKETIME-", "DONT_FAKE_MONOTONIC-")
        platform.kubectl("rollout", "status", statefulset, "--timeout=120s")
        platform.settle(200)


async def test_the_api_server_is_gone_for_20_seconds_in_the_middle(platform: Platform) -> None:
    platform.break_it("container", platform.old)
    handle = await start(platform.client, mode="forced", attest=True)
    await approve(handle, attest=True)
    await completed(handle, "postgres.claim")
    pid = pid_of(platform.lab, "apiserver")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(20)
    finally:
        os.kill(pid, signal.SIGCONT)
    facts = await ending(handle, within=240)
    assert facts.outcome in {Outcome.COMPLETED, Outcome.ROLLED_BACK}, facts.reason
    platform.settle(200)


@pytest.mark.matrix
async def test_a_pause_keeps_the_old_primary_as_it_is_until_it_is_taken_off(platform: Platform) -> None:
    platform.break_it("pod", platform.old)
    await _pause(platform, lasts="1h", reason="keep the disk")
    try:
        facts = await platform.force()
        assert facts.outcome is Outcome.COMPLETED, facts.reason
        details = facts.known.of(PostgresDetails)
        assert details.redundancy is not None
        assert "NOT REDUNDANT" in details.redundancy.note
        assert platform.note("sync") == "none"
        assert "paused until" in platform.log(platform.old)
    finally:
        await _pause(platform, off=True)
    _must_have_moved(platform, facts)


async def _pause(platform: Platform, **asked: object) -> None:
    request = {"cluster": CLUSTER, "by": OPERATOR, **asked}
    await platform.client.execute_workflow("postgres-pause", request, id=f"pause/postgres/{CLUSTER}", task_queue=TASK_QUEUE)


def _refusal_without_tls(platform: Platform) -> str:
    address = platform.kubectl("get", "pod", platform.old, "-o", "jsonpath={.status.podIP}")
    script = f"import psycopg; psycopg.connect(host='{address}', user='app', dbname='aiagent_prod', sslmode='disable')"
    done = subprocess.run(in_hub(platform.lab, sys.executable, "-c", script), capture_output=True, text=True, check=False)
    return done.stderr


def _max_connections(platform: Platform, member: str) -> str:
    socket = "/var/lib/postgresql/data/gate/run"
    psql = ("psql", "-X", "-A", "-t", "-h", socket, "-U", "postgres", "-c", "show max_connections")
    return kubectl(platform.lab, platform.binaries, "exec", member, "--", *psql, check=False).strip()


async def _refused(platform: Platform, refusal: Refusal) -> Facts:
    """Start a forced failover again and again until it is refused for this reason: the cluster notices bit by bit."""
    async with asyncio.timeout(stretched(60)):
        while True:
            facts = await ending(await start(platform.client, mode="forced", attest=True))
            assert facts.outcome is Outcome.REFUSED, facts.reason
            if facts.refusal == refusal:
                return facts
            await asyncio.sleep(0.5)


def _kubectl(platform: Platform, *arguments: str) -> list[str]:
    return [str(platform.binaries / "kubectl"), f"--kubeconfig={platform.lab.kubeconfig}", *arguments]


def _dns_pods(platform: Platform) -> str:
    return run(_kubectl(platform, "-n", "kube-system", "get", "pods", "-l", "k8s-app=kube-dns", "-o", "name")).strip()


def _free(platform: Platform) -> int:
    found = platform.kubectl("exec", platform.candidate, "--", "df", "-B1", "--output=avail", "/var/lib/postgresql/data")
    return int(found.split()[-1])


_TLS = {
    "volumes": [{"name": "tls", "secret": {"secretName": "postgresql-tls"}}],
    "containers": [
        {
            "name": "postgresql",
            "volumeMounts": [{"name": "tls", "mountPath": "/etc/gate/tls", "readOnly": True}],
            "env": [
                {"name": "GATE_TLS_CERTIFICATE", "value": "/etc/gate/tls/tls.crt"},
                {"name": "GATE_TLS_KEY", "value": "/etc/gate/tls/tls.key"},
            ],
        }
    ],
}
