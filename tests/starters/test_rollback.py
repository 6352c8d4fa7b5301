"""A rollback from the command line: what it would cost, what it cost, and where the rest is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from temporalio.client import Client

from tests.fakes.world import A, B, World
from tests.postgres.bench import serving
from tests.postgres.test_rollback import promoted_badly
from tests.starters.conftest import Stage, command_for

_DISCARD = ("--mode", "discard", "--max-bytes", "1MiB", "--max-transactions", "10", "--by", "omar", "--reason", "bad data")


@pytest_asyncio.fixture(loop_scope="session")
async def stage(temporal: Client, tmp_path: Path) -> AsyncIterator[Stage]:
    world = World()
    promoted_badly(world)
    async with serving(temporal, tmp_path, world) as bench:
        yield Stage(bench, command_for(temporal, bench.queue))


async def test_a_plan_shows_the_loss_the_caps_and_where_the_data_is_kept(stage: Stage) -> None:
    ran = await stage.failover("plan", "postgres-rollback", stage.cluster, *_DISCARD)
    assert ran.code == 0, ran
    for words in (
        "3 transactions",
        "768 bytes",
        "1048576 bytes",
        "gate/kept/pgdata-*",
        "--mode discard --max-bytes 1048576",
    ):
        assert words in ran.out, ran.out
    assert stage.world.record.leader == B


async def test_a_plan_without_caps_shows_the_loss(stage: Stage) -> None:
    ran = await stage.failover("plan", "postgres-rollback", stage.cluster, "--mode", "discard")
    assert ran.code == 0, ran
    for words in (
        "so far 768 bytes of WAL and 3 transactions written since the promotion would be lost",
        "a start says how much may be lost",
        "--mode discard --max-bytes 768 --max-transactions 3",
    ):
        assert words in ran.out, ran.out
    refused = await stage.failover("start", "postgres-rollback", stage.cluster, "--mode", "discard", "--by", "omar")
    assert (refused.code, "needs both" in refused.err) == (2, True), refused
    assert stage.world.record.leader == B


async def test_a_report_shows_what_was_given_up(stage: Stage) -> None:
    ran = await stage.failover("start", "postgres-rollback", stage.cluster, *_DISCARD, "--watch")
    assert ran.code == 0, ran
    assert stage.world.record.leader == A
    report = await stage.failover("report", stage.cluster)
    for words in (
        "at most 3 transactions (768 bytes of WAL), lost as approved",
        f"kept in gate/kept/pgdata-* on the volume of {B}",
    ):
        assert words in report.out, report.out
    listed = await stage.failover("history", stage.cluster)
    assert "discard" in listed.out


async def test_more_than_allowed_is_refused_with_the_figures(stage: Stage) -> None:
    few = ("--mode", "discard", "--max-bytes", "1MiB", "--max-transactions", "2", "--by", "omar")
    ran = await stage.failover("start", "postgres-rollback", stage.cluster, *few)
    assert ran.code == 3, ran
    assert "3 transactions" in ran.out
