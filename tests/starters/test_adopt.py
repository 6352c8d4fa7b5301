"""``failover adopt`` against a real server, with gates and servers in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.fakes.faults import Fault
from tests.fakes.world import A, B, World
from tests.postgres.bench import serving
from tests.starters.conftest import Stage, command_for
from tests.starters.test_usage import run


@asynccontextmanager
async def _pair(temporal: Client, folder: Path, **estate: Any) -> AsyncIterator[Stage]:
    """Serve a pair that has run without gates."""
    world = World()
    world.forget_gates()
    async with serving(temporal, folder, world, **estate) as bench:
        yield Stage(bench, command_for(temporal, bench.queue))


@pytest_asyncio.fixture
async def old(temporal: Client, tmp_path: Path) -> AsyncIterator[Stage]:
    """Serve a pair that has run without gates; a DBA must agree."""
    async with _pair(temporal, tmp_path, approvals={"adopt": {"roles": ["DBA"]}}) as stage:
        yield stage


@pytest_asyncio.fixture
async def unasked(temporal: Client, tmp_path: Path) -> AsyncIterator[Stage]:
    """Serve a pair that has run without gates; nobody must agree."""
    async with _pair(temporal, tmp_path) as stage:
        yield stage


async def test_a_pair_is_planned_approved_and_adopted(old: Stage) -> None:
    before = old.world.snapshot
    planned = await old.failover("adopt", old.cluster, "--plan")
    alike = await old.failover("plan", "postgres-adopt", old.cluster, "--to", A, "--output", "json")
    untouched = old.world.snapshot == before
    asked = await old.failover("adopt", old.cluster, "--leader", A, "--by", "omar", "--reason", "take it over")
    digest = await old.digest()
    approved = await old.failover("approve", old.cluster, "--by", "dana", "--plan", digest)
    watched = await old.failover("watch", old.cluster)
    report, history = await old.failover("report", old.cluster), await old.failover("history", old.cluster)

    assert (planned.code, alike.code, untouched, asked.code) == (0, 0, True, 4), (planned, asked)
    for part in (f"nobody → {A}", "no way back from here", f"failover adopt {old.cluster} --by YOU", "approval by: DBA"):
        assert part in planned.out
    assert alike.document["known"]["plan"]["digest"] != digest, "an approval is of one run"
    assert (approved.code, watched.code, report.code) == (0, 0, 0), watched.out
    for part in (f"{A} leads", "made on", "role replicator", "REPAIR SOON: replication slots", f"{B} follows (sync)"):
        assert part in watched.out
    assert "approved by dana as DBA" in report.out
    assert "postgres-adopt" in history.out
    assert old.world.writers == [A]


async def test_doubt_is_refused_with_a_sentence(old: Stage) -> None:
    old.world.members[B].standby_signal = False
    before = old.world.snapshot

    two = await old.failover("adopt", old.cluster, "--by", "omar", "--watch")
    old.world.members[B].standby_signal = True
    wrong = await old.failover("adopt", old.cluster, "--leader", B, "--plan")

    assert (two.code, wrong.code) == (3, 2)
    assert "more than one directory" in two.out
    assert f"{A} was the primary" in wrong.err
    old.world.members[B].standby_signal = False
    assert old.world.snapshot == before


async def test_one_that_is_given_up_does_not_say_that_nothing_was_touched(unasked: Stage) -> None:
    unasked.world.faults.order("postgres.first_record", Fault.REFUSED)
    refused = await unasked.failover("adopt", unasked.cluster, "--by", "omar", "--watch")
    assert refused.code == 3, refused
    assert "Abandoned: nobody leads yet" in refused.out
    assert "nothing was changed" not in refused.out


async def test_what_is_stranded_is_resumed_and_a_second_adoption_does_nothing_more(unasked: Stage) -> None:
    failover, cluster = unasked.failover, unasked.cluster
    unasked.world.faults.order("postgres.verify", Fault.REFUSED)
    stranded = await failover("adopt", cluster, "--by", "omar", "--watch")
    status = await failover("status", cluster)
    resumed = await failover("resume", cluster, "--by", "omar", "--watch")
    second = await failover("adopt", cluster, "--by", "omar", "--watch")
    await failover("start", "postgres-failover", cluster, "--watch")
    late = await failover("adopt", cluster, "--by", "omar", "--watch")

    assert (stranded.code, resumed.code, second.code, late.code) == (1, 0, 0, 3), (stranded, resumed, second, late)
    assert "takes nothing back" in status.out
    assert f"failover resume {cluster} --by YOU" in status.out
    assert unasked.world.changed.count(f"adopt {A}") == 1
    assert "there is nothing to adopt" in late.out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("adopt", "Orders!"), ("target:", "estate")),
        (("start", "postgres-adopt", "orders", "--mode", "planned"), ("mode:", "leave it out")),
        (("start", "postgres-adopt", "orders", "--member", "a-0"), ("member:", "--to")),
    ],
)
def test_bad_input_names_field_and_remedy(args: tuple[str, ...], says: tuple[str, ...]) -> None:
    ran = run(*args)

    assert ran.exit_code == 2
    assert all(part in ran.stderr for part in says), ran.stderr
