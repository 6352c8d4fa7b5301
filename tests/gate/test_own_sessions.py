"""A gate's sessions inherit nothing: what the cluster, a database or a role sets for applications does not blind it."""

from __future__ import annotations

import asyncio
import os
import signal

import psycopg
import pytest

from gate.api import Command, Role
from tests.gate.harness import Cluster

_HOSTILE = {
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "default_transaction_deferrable": "on",
    "statement_timeout": "1ms",
    "idle_session_timeout": "1ms",
    "DateStyle": "SQL, DMY",
    "search_path": "nowhere",
    "standard_conforming_strings": "off",
}


async def _set_for_everybody(cluster: Cluster, member: str) -> None:
    for name, value in _HOSTILE.items():
        await cluster.as_superuser(member, f"alter system set {name} = '{value}'")
    await cluster.as_superuser(member, "select pg_reload_conf()")
    await _until_in_force(cluster, member)


async def _until_in_force(cluster: Cluster, member: str) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await cluster.sql(member, "select pg_sleep(1)")
            except psycopg.Error:
                return


async def test_a_gate_sees_its_server_whatever_is_set_for_applications(pair: Cluster) -> None:
    for member in ("pg-1", "pg-0"):
        await _set_for_everybody(pair, member)
    epoch = pair.claim("pg-1")
    await pair.call("pg-0", "checkpoint", Command(epoch=epoch, run="test/1"))
    await pair.until_role("pg-1", Role.STANDBY, 60)
    await pair.until_role("pg-0", Role.PRIMARY, 60)
    fenced = await pair.fence("pg-0", epoch)
    assert (await pair.promote("pg-1", epoch, fenced.end_lsn)).timeline == fenced.timeline + 1
    pair.route("pg-1")
    await pair.until_synchronous("pg-0", 60)


@pytest.mark.parametrize("whose", ["role postgres", "database postgres"])
async def test_nor_by_what_is_set_for_its_role_or_database(pair: Cluster, whose: str) -> None:
    await pair.as_superuser("pg-0", f"alter {whose} set default_transaction_isolation = 'serializable'")
    before = pair.postmaster("pg-1")
    os.kill(before, signal.SIGKILL)
    await pair.until(lambda: pair.server_of("pg-1") not in {None, before}, 60)
    await pair.until_role("pg-1", Role.STANDBY, 60)
