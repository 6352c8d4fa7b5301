"""A pair that has run without gates: they wait for a person, and after the adoption they do the rest by themselves."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from aiohttp import web

from gate.api import AdoptCommand, Adopted, GateStatus, ProblemKind, Role, ServerState
from gate.record import Record, record_patch
from gate.settings import Settings
from tests.gate.harness import PASSWORD, Cluster, RefusedError

_WAITS = "a person must decide"
_NO_DDL = """
create function frozen() returns event_trigger language plpgsql as $$ begin
if session_user = 'postgres' then raise exception 'DDL is frozen: ask the release team'; end if; end $$;
create event trigger frozen on ddl_command_start execute function frozen()
"""


@asynccontextmanager
async def _pair_without_gates(folder: Path, superuser: str) -> AsyncIterator[Cluster]:
    """Make a primary, ``pg-0``, with data and roles of its own, and a standby, ``pg-1``; stop both; start their gates."""
    cluster = Cluster(folder, 2, {})
    runner = web.AppRunner(cluster.api.application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", cluster.api_port).start()
    try:
        await asyncio.to_thread(_make_pair, cluster, superuser)
        for member in cluster.members:
            cluster.start(member)
        await cluster.until(lambda: all(cluster.said(member, _WAITS) for member in cluster.members))
        yield cluster
    finally:
        await asyncio.to_thread(cluster.stop)
        await cluster.http.close()
        await runner.cleanup()


def _make_pair(cluster: Cluster, superuser: str) -> None:
    first, second = (cluster.directory(member) for member in cluster.members)
    for directory in (first, second):
        directory.mkdir()
        shutil.chown(directory, "postgres", "postgres")
    _pg("initdb", "-D", f"{first}/pgdata", "-U", superuser, "-k", "-E", "UTF8", "--auth=trust")
    own = f"-c listen_addresses= -c unix_socket_directories={first} -c port={cluster.postgres_port}"
    _pg("pg_ctl", "-D", f"{first}/pgdata", "-o", own, "-w", "-l", f"{first}/by-hand.log", "start")
    try:
        with psycopg.connect(host=str(first), port=cluster.postgres_port, user=superuser, dbname="postgres") as shop:
            shop.autocommit = True
            shop.execute(f"create role shop login password '{PASSWORD}'")
            shop.execute("create role reader login password 'md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'")
            shop.execute("create database aiagent_prod owner shop")
            shop.execute("select pg_create_physical_replication_slot('left_behind')")
            shop.execute("alter system set synchronous_standby_names = 'gone'")
        with psycopg.connect(host=str(first), port=cluster.postgres_port, user=superuser, dbname="aiagent_prod") as shop:
            shop.execute(_NO_DDL)
        with psycopg.connect(host=str(first), port=cluster.postgres_port, user="shop", dbname="aiagent_prod") as shop:
            shop.execute("create table sold as select n from generate_series(1, 1000) n")
        source = f"host={first} port={cluster.postgres_port} user={superuser}"
        _pg("pg_basebackup", "-D", f"{second}/pgdata", "-d", source, "-R", "-c", "fast")
    finally:
        _pg("pg_ctl", "-D", f"{first}/pgdata", "-m", "fast", "-w", "stop")


def _pg(program: str, *args: str) -> None:
    path = f"{Settings.model_construct(postgres_bin=None).programs}/{program}"
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", path, *args]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment, cwd="/")


async def _status(cluster: Cluster, member: str) -> GateStatus:
    status = await cluster.status(member)
    assert status is not None
    return status


async def _adopt(cluster: Cluster, member: str, epoch: int = 1, system: str = "") -> Adopted:
    system = system or (await _status(cluster, member)).system_identifier or ""
    command = AdoptCommand(epoch=epoch, run="test/1", system_identifier=system)
    return Adopted.model_validate_json(await cluster.call(member, "adopt", command))


def _write_first_record(cluster: Cluster, leader: str, adopted: Adopted) -> None:
    version = cluster.api.service["metadata"]["resourceVersion"]
    record = Record(leader=leader, epoch=adopted.epoch, system_identifier=adopted.system_identifier)
    cluster.api.patch(record_patch(record.model_copy(update={"resource_version": version})))


async def _as_shop(cluster: Cluster, member: str, query: str) -> list[tuple[object, ...]]:
    return await cluster.sql(member, query, user="shop")


@pytest.mark.parametrize("superuser", ["postgres", "boss"])
async def test_an_adopted_pair_leads_follows_and_has_its_data(folder: Path, superuser: str) -> None:
    async with _pair_without_gates(folder, superuser) as cluster:
        first, second = await _status(cluster, "pg-0"), await _status(cluster, "pg-1")
        assert (first.standby_directory, second.standby_directory) == (False, True)
        assert (first.control_state, first.system_identifier) == ("shut down", second.system_identifier)
        adopted, again = await _adopt(cluster, "pg-0"), await _adopt(cluster, "pg-0")
        assert ("role postgres" in adopted.made) is (superuser == "boss")
        assert {"role replicator", "role failover"} <= set(adopted.made)
        assert again.made == ()
        assert again.notes == adopted.notes
        assert ["reader" in adopted.notes[0], "left_behind" in adopted.notes[1]] == [True, True]
        assert (await _status(cluster, "pg-0")).server is ServerState.STOPPED
        assert "gone" in (cluster.directory("pg-0") / "gate/before-adoption.auto.conf").read_text(encoding="utf-8")
        _write_first_record(cluster, "pg-0", adopted)
        await cluster.until_synchronous("pg-1", 60)
        await _as_shop(cluster, "pg-0", "insert into sold values (1001)")
        assert await _as_shop(cluster, "pg-0", "select count(*) from sold") == [(1001,)]
        await cluster.until_role("pg-1", Role.STANDBY)
        assert await _as_shop(cluster, "pg-1", "select count(*) from sold where n <= 1000") == [(1000,)]
        await cluster.sql("pg-0", "create table failover.own (n int)", user="failover")
        with pytest.raises(RefusedError) as late:
            await _adopt(cluster, "pg-0")
        assert late.value.problem.kind is ProblemKind.RECORD_FORBIDS


async def test_what_is_no_primary_of_this_cluster_is_not_adopted(folder: Path) -> None:
    async with _pair_without_gates(folder, "postgres") as cluster:
        before = (cluster.directory("pg-1") / "pgdata/global/pg_control").read_bytes()
        for member, system, kind in (("pg-1", "", ProblemKind.NOT_PRIMARY), ("pg-0", "7", ProblemKind.WRONG_SYSTEM)):
            with pytest.raises(RefusedError) as refused:
                await _adopt(cluster, member, system=system)
            assert refused.value.problem.kind is kind
        await cluster.seal("pg-0", 5)
        with pytest.raises(RefusedError) as stale:
            await _adopt(cluster, "pg-0", epoch=4)
        assert stale.value.problem.kind is ProblemKind.STALE_EPOCH
        assert (cluster.directory("pg-1") / "pgdata/global/pg_control").read_bytes() == before


async def test_a_gate_that_is_killed_in_the_middle_prepares_again(folder: Path) -> None:
    async with _pair_without_gates(folder, "postgres") as cluster:
        hanging = asyncio.create_task(_adopt(cluster, "pg-0"))
        await cluster.until(lambda: cluster.server_of("pg-0") is not None)
        cluster.kill("pg-0")
        await asyncio.gather(hanging, return_exceptions=True)
        cluster.start("pg-0")
        async with asyncio.timeout(30):
            while (status := await cluster.status("pg-0")) is None or _WAITS not in status.doing:
                await asyncio.sleep(0.1)
        assert (await _status(cluster, "pg-0")).server is ServerState.STOPPED
        _write_first_record(cluster, "pg-0", await _adopt(cluster, "pg-0"))
        await cluster.until_synchronous("pg-1", 60)
        assert await _as_shop(cluster, "pg-0", "select count(*) from sold") == [(1000,)]
