"""What a gate does without being told: set up, take over, relax, step aside, come back."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path

import pytest

from deploy.lab.packages import postgres_bin
from deploy.lab.processes import start_time
from gate.api import Role, ServerState
from gate.record import Mode
from tests.gate.harness import Cluster, running_cluster


async def test_a_gate_that_is_killed_comes_back_with_one_server(pair: Cluster) -> None:
    before = pair.postmaster("pg-0")
    pair.kill("pg-0")
    pair.start("pg-0")
    await pair.until_role("pg-0", Role.PRIMARY)
    assert pair.postmaster("pg-0") == before or start_time(before) is None
    await pair.sql("pg-0", "create table still (n int)")


async def test_a_server_that_is_killed_is_started_again(pair: Cluster) -> None:
    before = pair.postmaster("pg-0")
    os.kill(before, signal.SIGKILL)
    await pair.until(lambda: pair.server_of("pg-0") not in {None, before})
    await pair.until_role("pg-0", Role.PRIMARY)
    await pair.sql("pg-0", "create table again (n int)")


async def test_lock_files_of_a_dead_container_do_not_keep_the_server_from_starting(pair: Cluster) -> None:
    before, folder = pair.postmaster("pg-0"), pair.directory("pg-0")
    pair.kill("pg-0")
    os.kill(before, signal.SIGKILL)
    await pair.until(lambda: start_time(before) is None)
    other = await asyncio.create_subprocess_exec("setpriv", "--reuid=postgres", "--clear-groups", "sleep", "60")
    for lock in [folder / "pgdata/postmaster.pid", *folder.glob("gate/run/.s.PGSQL.*.lock")]:
        _, rest = lock.read_text(encoding="utf-8").split("\n", 1)
        lock.write_text(f"{other.pid}\n{rest}", encoding="utf-8")
    pair.start("pg-0")
    try:
        await pair.until_role("pg-0", Role.PRIMARY)
    finally:
        other.terminate()
        await other.wait()
    await pair.sql("pg-0", "create table still (n int)")


async def test_commits_stop_waiting_only_after_the_record_says_so(pair: Cluster) -> None:
    epoch = pair.record.epoch
    pair.kill("pg-1", signal.SIGTERM)
    await pair.until(lambda: pair.record.sync == "none", 20)
    assert pair.record.epoch == epoch + 1
    async with asyncio.timeout(10):
        await pair.sql("pg-0", "create table alone (n int)")
    pair.start("pg-1")
    await pair.until_synchronous("pg-1")


async def test_without_the_api_server_commits_go_on_waiting(pair: Cluster) -> None:
    pair.api.silent = True
    pair.kill("pg-1", signal.SIGTERM)
    try:
        async with asyncio.timeout(8):
            await pair.sql("pg-0", "create table alone (n int)")
    except TimeoutError:
        waited = True
    else:
        waited = False
    pair.api.silent = False
    assert waited
    assert "pg-1" in pair.record.sync_members


async def test_a_primary_that_hears_nobody_stops_itself(pair: Cluster) -> None:
    pair.environment["ISOLATION_TIMEOUT"] = "3"
    pair.kill("pg-0", signal.SIGTERM)
    pair.start("pg-0")
    await pair.until_role("pg-0", Role.PRIMARY)
    pair.api.silent = True
    pair.kill("pg-1")
    async with asyncio.timeout(30):
        while True:
            status = await pair.status("pg-0")
            if status and status.server is ServerState.STOPPED:
                break
            await asyncio.sleep(0.2)
    assert status is not None
    assert "ISOLATED" in (pair.folder / "pg-0.log").read_text(encoding="utf-8")


async def test_a_primary_that_was_ahead_is_rewound_and_its_wal_is_kept(pair: Cluster) -> None:
    pair.kill("pg-1", signal.SIGTERM)
    await pair.until(lambda: pair.record.sync == "none", 20)
    await pair.sql("pg-0", "create table only_here (n int)")
    postmaster = pair.postmaster("pg-0")
    pair.kill("pg-0")
    os.kill(postmaster, signal.SIGKILL)
    pair.start("pg-1")
    await pair.until_role("pg-1", Role.STANDBY)
    epoch = pair.claim("pg-1", Mode.FORCED)
    await pair.promote("pg-1", epoch)
    pair.route("pg-1")
    pair.start("pg-0")
    await pair.until_synchronous("pg-0", 60)
    assert list((pair.directory("pg-0") / "gate" / "kept").glob("wal-*/*"))
    assert await pair.sql("pg-1", "select to_regclass('only_here')::text") == [(None,)]


@pytest.mark.parametrize("damaged", ["pg_wal/0000000*", "global/pg_control"])
async def test_a_primary_that_stopped_cleanly_and_whose_files_are_damaged_is_copied_anew(
    pair: Cluster, damaged: str
) -> None:
    await pair.sql("pg-0", "create table of_both (n int)")
    epoch = pair.claim("pg-1")
    fenced = await pair.fence("pg-0", epoch)
    await pair.promote("pg-1", epoch, fenced.end_lsn)
    pair.kill("pg-0", signal.SIGTERM)
    for file in (pair.directory("pg-0") / "pgdata").glob(damaged):
        file.unlink()
    pair.route("pg-1")
    pair.start("pg-0")
    await pair.until_synchronous("pg-0", 60)
    assert pair.said("pg-0", "taking a base backup instead")
    assert len(list((pair.directory("pg-0") / "gate" / "kept").glob("pgdata-*"))) == 1


async def test_a_promotion_that_was_cut_short_is_done_anew_on_another_timeline(pair: Cluster) -> None:
    status = await pair.status("pg-1")
    assert status is not None
    for member in ("pg-0", "pg-1"):
        pair.die(member)
    cut = pair.directory("pg-1") / "pgdata"
    (cut / "standby.signal").unlink()
    (cut / "pg_wal" / "00000002.history").write_text(
        f"1\t{status.receive_lsn}\tno recovery target specified\n", encoding="utf-8"
    )
    pair.claim("pg-1", Mode.FORCED)
    pair.route("pg-1")
    pair.start("pg-1")
    status = await pair.until_role("pg-1", Role.PRIMARY)
    assert status.timeline == 3
    pair.start("pg-0")
    await pair.until_synchronous("pg-0", 60)


async def test_a_directory_whose_promotion_was_cut_short_is_copied_anew_when_another_leads(pair: Cluster) -> None:
    pair.die("pg-1")
    (pair.directory("pg-1") / "pgdata" / "standby.signal").unlink()
    pair.start("pg-1")
    await pair.until(lambda: list((pair.directory("pg-1") / "gate" / "kept").glob("pgdata-*")), 30)
    await pair.until_synchronous("pg-1", 60)
    assert pair.said("pg-1", "a promotion was cut short")


async def test_a_former_primary_on_the_leaders_own_timeline_is_copied_anew(pair: Cluster) -> None:
    pair.kill("pg-1", signal.SIGTERM)
    (pair.directory("pg-1") / "pgdata" / "standby.signal").unlink()
    await _run_alone(pair, "pg-1")
    pair.start("pg-1")
    await pair.until(lambda: list((pair.directory("pg-1") / "gate" / "kept").glob("pgdata-*")), 30)
    await pair.until_synchronous("pg-1", 60)
    assert pair.said("pg-1", "own timeline 1")


async def _run_alone(pair: Cluster, member: str) -> None:
    """Let a member's server run as a primary for a moment, as if nobody else led, and stop it cleanly."""
    data = pair.directory(member) / "pgdata"
    programs = postgres_bin()
    assert programs is not None
    control = ("setpriv", "--reuid=postgres", "--clear-groups", str(programs / "pg_ctl"), "-D", str(data), "-w")
    options = f"-c unix_socket_directories={data} -c listen_addresses='' -c synchronous_standby_names=''"
    for command in (("-o", options, "-l", str(data / "alone.log"), "start"), ("-m", "fast", "stop")):
        process = await asyncio.create_subprocess_exec(*control, *command)
        assert await process.wait() == 0


async def test_a_rejoin_that_fails_is_not_tried_in_a_hurry(pair: Cluster) -> None:
    pair.kill("pg-1", signal.SIGTERM)
    await pair.until(lambda: pair.record.sync == "none", 20)
    shutil.rmtree(pair.directory("pg-1") / "pgdata")
    await pair.as_superuser("pg-0", "alter role replicator password 'another'")
    pair.start("pg-1")
    await pair.until(lambda: pair.said("pg-1", "rejoin failed"), 20)
    await asyncio.sleep(4)
    log = (pair.folder / "pg-1.log").read_text(encoding="utf-8")
    assert 1 <= log.count("rejoin failed") <= 4


async def test_a_standby_whose_wal_is_gone_is_copied_anew(pair: Cluster) -> None:
    pair.environment["STARVED_AFTER"] = "1"
    pair.kill("pg-1", signal.SIGTERM)
    await pair.until(lambda: pair.record.sync == "none", 20)
    await pair.sql("pg-0", "create table later (n int)")
    for number in range(3):
        await pair.sql("pg-0", f"insert into later values ({number})")
        await pair.as_superuser("pg-0", "select pg_switch_wal()")
    newest = (await pair.sql("pg-0", "select pg_walfile_name(pg_current_wal_lsn())", user="failover"))[0][0]
    for segment in (pair.directory("pg-0") / "pgdata" / "pg_wal").glob("0000*"):
        if segment.name < str(newest):
            segment.unlink()
    pair.start("pg-1")
    await pair.until_synchronous("pg-1", 60)
    assert list((pair.directory("pg-1") / "gate" / "kept").glob("pgdata-*"))
    await pair.until_role("pg-1", Role.STANDBY)
    assert await pair.sql("pg-1", "select count(*) from later") == [(3,)]


async def test_a_copy_that_is_being_made_does_not_count_as_a_standby(pair: Cluster) -> None:
    await pair.sql("pg-0", "create table much as select repeat(md5(n::text), 30) as text from generate_series(1, 120000) n")
    pair.kill("pg-1", signal.SIGTERM)
    await pair.until(lambda: pair.record.sync == "none", 20)
    shutil.rmtree(pair.directory("pg-1") / "pgdata")
    pair.start("pg-1")
    seen = set()
    async with asyncio.timeout(60):
        while not pair.record.sync_members:
            rows = await pair.sql("pg-0", "select application_name from pg_stat_replication", user="failover")
            seen |= {str(row[0]) for row in rows} if pair.server_of("pg-1") is None else set()
    assert (seen, pair.record.sync_members) == ({"pg_basebackup"}, ("pg-1",))


async def test_a_server_whose_commits_were_weakened_says_so_and_is_mended_by_its_next_start(pair: Cluster) -> None:
    for statement in ("alter system set synchronous_commit = local", "select pg_reload_conf()"):
        await pair.as_superuser("pg-0", statement)
    async with asyncio.timeout(20):
        while (seen := await pair.status("pg-0")) is None or not seen.weak_commit_settings:
            await asyncio.sleep(0.1)
    assert seen.weak_commit_settings == ("the server: synchronous_commit=local",)
    pair.die("pg-0")
    pair.start("pg-0")
    await pair.until_role("pg-0", Role.PRIMARY)
    assert await pair.sql("pg-0", "show synchronous_commit") == [("on",)]


async def test_a_copy_that_was_cut_short_leaves_nothing_in_the_way(pair: Cluster) -> None:
    pair.kill("pg-1", signal.SIGTERM)
    shutil.rmtree(pair.directory("pg-1") / "pgdata")
    left = pair.directory("pg-1") / "pgdata.new" / "base"
    left.mkdir(parents=True)
    (left / "1").write_bytes(b"half")
    for path in (left.parent, left, left / "1"):
        shutil.chown(path, "postgres")
    pair.start("pg-1")
    await pair.until_role("pg-1", Role.STANDBY, 60)
    assert not left.exists()


async def test_strict_lets_commits_of_a_new_primary_wait_for_its_first_standby(folder: Path) -> None:
    async with running_cluster(folder, DURABILITY="strict") as pair:
        await pair.until_synchronous("pg-1", 40)
        await pair.sql("pg-0", "create table strictly (n int)")
        pair.die("pg-0")
        epoch = pair.claim("pg-1", Mode.FORCED)
        await pair.seal("pg-1", epoch)
        await pair.promote("pg-1", epoch)
        pair.route("pg-1")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(4):
                await pair.sql("pg-1", "insert into strictly values (1)")
        pair.start("pg-0")
        await pair.until_synchronous("pg-0", 60)
        await pair.sql("pg-1", "insert into strictly values (2)")
