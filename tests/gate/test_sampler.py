"""What a gate makes of a server that answers late, or not everything, and what it finds out about weak commits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psycopg
import pytest

from gate.api import GateStatus, Role, ServerState
from tests.gate.harness import Cluster


async def _until(cluster: Cluster, member: str, holds: Callable[[GateStatus], object]) -> list[GateStatus]:
    """Return all that the member's gate has said until ``holds``."""
    seen: list[GateStatus] = []
    async with asyncio.timeout(60):
        while not seen or not holds(seen[-1]):
            status = await cluster.status(member)
            assert status is not None
            seen.append(status)
            await asyncio.sleep(0.02)
    return seen


@pytest.mark.parametrize("member", ["pg-0", "pg-1"])
async def test_a_server_whose_figures_come_late_keeps_its_role_its_place_and_its_standby(pair: Cluster, member: str) -> None:
    await pair.until_role("pg-1", Role.STANDBY)
    await _until(pair, member, lambda status: status.ready and status.role is not None)
    before = pair.record
    folder = str(pair.directory("pg-0") / "gate" / "run")
    locks = await psycopg.AsyncConnection.connect(host=folder, port=pair.postgres_port, user="postgres", dbname="postgres")
    async with locks:
        await locks.execute("lock table pg_db_role_setting in access exclusive mode")
        seen = await _until(pair, member, lambda status: "took more than 2 s" in status.unanswered)
        late = seen[-1]
        seen += await _until(pair, member, lambda status: status.at.timestamp() - late.at.timestamp() > 4)
        await locks.rollback()
    seen += await _until(pair, member, lambda status: not status.unanswered)
    role = Role.PRIMARY if member == "pg-0" else Role.STANDBY
    assert {(one.role, one.server, one.ready) for one in seen} == {(role, ServerState.RUNNING, True)}
    assert {one.system_identifier for one in seen} == {before.system_identifier}
    assert (pair.record.sync, pair.record.epoch) == (before.sync, before.epoch)


@pytest.mark.parametrize("value", ["off", "local", "false", "no", "0", "'OFF'"])
async def test_both_gates_name_who_commits_without_waiting_however_that_was_spelt(pair: Cluster, value: str) -> None:
    await pair.as_superuser("pg-0", f"alter role app set synchronous_commit = {value}")
    await pair.as_superuser("pg-0", "alter role app in database aiagent_prod set synchronous_commit = on")
    await pair.as_superuser("pg-0", "alter database aiagent_prod set synchronous_commit = remote_write")
    named = f"role app: synchronous_commit={value.strip(chr(39))}"
    for member in pair.members:
        seen = await _until(pair, member, lambda status: status.weak_commit_settings)
        assert seen[-1].weak_commit_settings == (named,)
    pair.die("pg-0")
    await _until(pair, "pg-1", lambda status: status.upstream is None)
    assert (await _until(pair, "pg-1", lambda status: status.role))[-1].weak_commit_settings == (named,)
