"""Servers that die, freeze or are cut off: what their gates do so that a forced failover is safe."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import psycopg
import pytest

from deploy.lab.patience import stretched
from deploy.lab.processes import start_time
from gate.api import GateStatus, Role, ServerState
from gate.record import Mode
from tests.gate.harness import Cluster, running_cluster


async def test_a_forced_fence_stops_a_server_that_is_frozen(pair: Cluster) -> None:
    pair.freeze("pg-0", gate=False)
    async with asyncio.timeout(10):
        while not (status := await pair.status("pg-0")) or not status.frozen:
            await asyncio.sleep(0.05)
    epoch = pair.claim("pg-1", Mode.FORCED)
    began = time.monotonic()
    fenced = await pair.fence("pg-0", epoch, clean=False)
    assert time.monotonic() - began < 4
    assert not fenced.clean
    assert (await _answer(pair, "pg-0")).server is ServerState.STOPPED


async def test_a_forced_fence_of_a_healthy_server_is_a_clean_stop(pair: Cluster) -> None:
    epoch = pair.claim("pg-1", Mode.FORCED)
    fenced = await pair.fence("pg-0", epoch, clean=False)
    assert fenced.clean
    await pair.promote("pg-1", epoch, wanted=fenced.end_lsn)
    assert not pair.said("pg-1", "leads without the end of the old primary's WAL")
    pair.route("pg-1")
    await pair.until_synchronous("pg-0", 60)


async def test_what_a_primary_wrote_that_no_standby_was_sent_keeps_no_candidate_from_leading(pair: Cluster) -> None:
    await pair.sql("pg-0", "create table kept (n int)")
    pair.kill("pg-1", signal.SIGTERM)
    await pair.as_superuser("pg-0", "checkpoint")
    epoch = pair.claim("pg-1", Mode.FORCED)
    fenced = await pair.fence("pg-0", epoch, clean=False)
    assert fenced.clean
    pair.start("pg-1")
    await pair.until_role("pg-1", Role.STANDBY)
    began = time.monotonic()
    await pair.promote("pg-1", epoch, wanted=fenced.end_lsn)
    assert time.monotonic() - began < 2
    assert pair.said("pg-1", "leads without the end of the old primary's WAL")
    pair.route("pg-1")
    await pair.sql("pg-1", "insert into kept values (1)")
    await pair.until_synchronous("pg-0", 60)


async def test_a_forced_claim_stops_a_primary_that_only_reads_of_it(pair: Cluster) -> None:
    pair.claim("pg-1", Mode.FORCED)
    await _until_stopped(pair, "pg-0", 10)
    assert pair.said("pg-0", "a forced failover to pg-1 has been claimed")


async def test_the_lag_is_known_after_the_primary_has_died(pair: Cluster) -> None:
    await pair.sql("pg-0", "create table rows (n int)")
    async with asyncio.timeout(20):
        while (seen := await _answer(pair, "pg-1")).lag_bytes != 0 or "pg-0" not in seen.heard:
            await asyncio.sleep(0.05)
    pair.die("pg-0")
    async with asyncio.timeout(20):
        while not (status := await pair.status("pg-1")) or status.upstream is not None or status.lag_bytes != 0:
            await asyncio.sleep(0.05)
    assert status.lag_seconds == 0.0
    assert status.upstream_lsn is not None
    assert status.heard.get("pg-0", 99) < 20


async def test_a_standby_that_has_just_lost_its_primary_stays_ready(pair: Cluster) -> None:
    pair.die("pg-0")
    for _ in range(40):
        status = await pair.status("pg-1")
        assert status is not None
        assert status.ready
        await asyncio.sleep(0.1)


async def test_a_cut_off_primary_is_dead_when_its_lease_has_run_out(pair: Cluster) -> None:
    await pair.isolated_soon(3)
    await pair.until_synchronous("pg-1")
    pair.api.silent = True
    pair.kill("pg-1")
    began = time.monotonic()
    await _until_stopped(pair, "pg-0", 8)
    assert time.monotonic() - began < 4
    await pair.until(lambda: pair.said("pg-0", "ISOLATED"), stretched(5))  # the watchdog kills first, and tells then


async def test_a_peer_that_knows_of_a_later_epoch_vouches_for_nobody(pair: Cluster) -> None:
    await pair.isolated_soon(3)
    await pair.until_synchronous("pg-1")
    pair.api.silent = True
    await asyncio.sleep(4)
    assert (await _answer(pair, "pg-0")).role is Role.PRIMARY  # its peer vouches
    await pair.seal("pg-1", pair.record.epoch + 1)
    await _until_stopped(pair, "pg-0", 8)


async def test_a_primary_that_thaws_after_it_was_passed_over_acknowledges_nothing(pair: Cluster) -> None:
    """A commit hangs in it when it thaws. It is held at once, then killed; the standby that could confirm is gone anyway."""
    await pair.sql("pg-0", "create table late (n int)")
    warm = await psycopg.AsyncConnection.connect(
        host=pair.address("pg-0"), port=pair.postgres_port, user="app", password="secret", dbname="aiagent_prod",
        autocommit=True,
    )  # fmt: skip
    pair.freeze("pg-0")
    epoch = pair.claim("pg-1", Mode.FORCED)
    await asyncio.sleep(2)
    await pair.promote("pg-1", epoch)
    pair.route("pg-1")
    hung = asyncio.create_task(warm.execute("insert into late values (1)"))
    await asyncio.sleep(0.2)
    pair.freeze("pg-0", signal.SIGCONT)
    with pytest.raises(psycopg.Error):
        await asyncio.wait_for(hung, 20)
    await pair.until(lambda: pair.said("pg-0", "WAS FROZEN"), 10)
    await pair.until_synchronous("pg-0", 60)
    assert await pair.sql("pg-1", "select count(*) from late") == [(0,)]


async def test_a_primary_that_thaws_and_still_leads_goes_on(pair: Cluster) -> None:
    pair.freeze("pg-0")
    await asyncio.sleep(2)
    pair.freeze("pg-0", signal.SIGCONT)
    async with asyncio.timeout(10):
        await pair.sql("pg-0", "create table on_and_on (n int)")
    await pair.until(lambda: pair.said("pg-0", "still leads: the server goes on"), 20)


async def test_a_gate_that_is_stuck_beside_its_server_does_not_keep_it_alive(pair: Cluster) -> None:
    await pair.isolated_soon(3)
    postmaster, gate = pair.postmaster("pg-0"), pair.gates["pg-0"].pid
    os.kill(gate, signal.SIGSTOP)
    await pair.until(lambda: start_time(postmaster) is None, 5)
    os.kill(gate, signal.SIGCONT)
    await pair.until(lambda: pair.said("pg-0", "ISOLATED"), 5)
    await pair.until_role("pg-0", Role.PRIMARY)


async def test_a_watchdog_that_dies_is_replaced(pair: Cluster) -> None:
    await pair.isolated_soon(3)
    before, postmaster = pair.watchdog("pg-0"), pair.postmaster("pg-0")
    assert before is not None
    os.kill(before, signal.SIGKILL)
    await pair.until(lambda: pair.said("pg-0", "THE WATCHDOG ENDED") and pair.watchdog("pg-0") not in {None, before}, 5)
    os.kill(pair.gates["pg-0"].pid, signal.SIGSTOP)
    await pair.until(lambda: start_time(postmaster) is None, 5)
    os.kill(pair.gates["pg-0"].pid, signal.SIGCONT)


async def test_a_standby_that_is_promoted_has_a_lease_at_once(settled: Path) -> None:
    async with running_cluster(settled, ISOLATION_TIMEOUT="2", POLL_SECONDS="30") as pair:
        await pair.until_synchronous("pg-1")
        await asyncio.sleep(3)
        await pair.promote("pg-1", pair.claim("pg-1", Mode.FORCED))
        pair.route("pg-1")
        await asyncio.sleep(1)
        assert not pair.said("pg-1", "ISOLATED")
        assert (await _answer(pair, "pg-1")).role is Role.PRIMARY


async def test_a_standby_that_starts_again_is_not_taken_for_a_primary_whose_lease_has_run_out(settled: Path) -> None:
    async with running_cluster(settled, ISOLATION_TIMEOUT="1") as pair:
        await asyncio.sleep(2)
        for _ in range(3):
            before = pair.postmaster("pg-1")
            os.kill(before, signal.SIGKILL)
            await pair.until(lambda before=before: pair.server_of("pg-1") not in {None, before})  # type: ignore[misc]
            await pair.until_role("pg-1", Role.STANDBY)
        assert not pair.said("pg-1", "ISOLATED")


async def _answer(pair: Cluster, member: str) -> GateStatus:
    status = await pair.status(member)
    assert status is not None
    return status


async def _until_stopped(pair: Cluster, member: str, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while (await _answer(pair, member)).server is not ServerState.STOPPED:
            await asyncio.sleep(0.05)
