"""Passes in front of a cluster in memory: what they find, since when, and what they leave alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from temporalio.client import Client

from tests.fakes.world import B, World
from tests.postgres.bench import Bench, serving
from tests.readiness.bench import Passes, checking, of
from workflows.readiness.models import Readiness


@pytest_asyncio.fixture(loop_scope="session")
async def checked(temporal: Client, tmp_path: Path) -> AsyncIterator[tuple[Bench, Passes]]:
    """Check one healthy cluster."""
    async with serving(temporal, tmp_path, World()) as bench, checking(temporal, bench.queue) as passes:
        yield bench, passes


async def test_a_healthy_cluster_is_ready_and_untouched(checked: tuple[Bench, Passes]) -> None:
    bench, passes = checked
    said = await passes.until(lambda one: one.passes == 1)
    assert said.counts == {"ready": 2, "warning": 0, "blocked": 0, "unknown": 0}
    assert {(one.procedure, one.target, one.variant) for one in said.checks} == {
        ("postgres-failover", bench.lock, "planned"),
        ("postgres-failover", bench.lock, "forced"),
    }
    assert bench.world.changed == []
    assert said.checked_at is not None
    assert said.next_at is not None
    assert (said.next_at - said.checked_at).total_seconds() == 1800


async def test_it_tells_since_when_and_keeps_what_has_changed(checked: tuple[Bench, Passes]) -> None:
    bench, passes = checked
    first = await passes.until(lambda one: one.passes == 1)
    bench.world.members[B].asynchronous = True
    second = await passes.another()
    blocked = of(second, "postgres-failover", "planned")
    assert (blocked.readiness, blocked.reasons[0].refusal) == (Readiness.BLOCKED, "StandbyAsynchronous")
    assert B in blocked.reasons[0].message
    assert blocked.since == second.checked_at
    third = await passes.another()
    assert of(third, "postgres-failover", "planned").since == second.checked_at
    assert of(third, "postgres-failover", "forced").since == first.checked_at
    bench.world.members[B].asynchronous = False
    last = await passes.another()
    assert of(last, "postgres-failover", "planned").readiness is Readiness.READY
    assert [(one.variant, one.before.value, one.after.value) for one in last.changes] == [
        ("planned", "blocked", "ready"),
        ("planned", "ready", "blocked"),
    ]
