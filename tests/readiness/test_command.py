"""``failover readiness`` and what ``status`` and ``history`` say of it, in front of a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest_asyncio
from temporalio.client import Client
from temporalio.service import RPCError

from tests.fakes.world import B, World
from tests.postgres.bench import Bench, serving
from tests.readiness.bench import Passes
from tests.starters.command import Command
from tests.starters.conftest import command_for


class Stage(NamedTuple):
    """A served cluster, the command, and what checks it once somebody has started that."""

    bench: Bench
    failover: Command
    passes: Passes


@pytest_asyncio.fixture(loop_scope="session")
async def stage(temporal: Client, tmp_path: Path) -> AsyncIterator[Stage]:
    """Check nothing yet."""
    async with serving(temporal, tmp_path, World()) as bench:
        passes = Passes(temporal)
        try:
            yield Stage(bench, command_for(temporal, bench.queue), passes)
        finally:
            with suppress(RPCError):
                await passes.handle.terminate("the test is over")


async def test_it_is_started_once_shown_and_stopped(stage: Stage) -> None:
    bench, failover, passes = stage
    before = await failover("readiness", "--output", "json")
    assert (before.code, before.document["readiness"]) == (1, None)
    assert "failover readiness start" in before.document["error"]
    assert "readiness is not checked; start it: failover readiness start" in (await failover("status")).out
    started = await failover("readiness", "start", "--output", "json")
    assert (started.code, started.document["started"]) == (0, True), started
    run = (await passes.handle.describe()).run_id
    await passes.until(lambda said: said.passes == 1)
    again = await failover("readiness", "start", "--output", "json")
    assert (again.code, again.document["started"]) == (0, False), again
    await passes.until(lambda said: said.passes == 2)
    first = passes.client.get_workflow_handle(passes.handle.id, run_id=run)
    assert (await first.describe()).status.name == "CONTINUED_AS_NEW"  # type: ignore[union-attr]
    shown = await failover("readiness")
    assert (shown.code, "readiness: 0 blocked, 0 unknown, 0 warning, 2 ready; checked " in shown.out) == (0, True), shown
    stopped = await failover("readiness", "stop", "--output", "json")
    assert (stopped.code, stopped.document["stopped"]) == (0, True)
    await bench.until(lambda: _is_over(passes))
    late = await failover("readiness", "--now")
    assert (late.code, "readiness is not checked" in late.err) == (1, True), late
    assert (await failover("readiness", "stop", "--output", "json")).document["stopped"] is False


async def test_what_is_blocked_is_shown_everywhere_and_leaves_the_history_alone(stage: Stage) -> None:
    bench, failover, passes = stage
    await failover("readiness", "start")
    await passes.until(lambda said: said.passes == 1)
    bench.world.members[B].asynchronous = True
    shown = await failover("readiness", bench.cluster, "--now")
    assert shown.code == 1, shown
    flat = " ".join(shown.out.split())
    assert "1 blocked, 0 unknown, 0 warning, 1 ready" in flat
    assert f"StandbyAsynchronous: {B} is" in flat
    assert f"{bench.lock} postgres-failover planned: ready → blocked" in flat
    whole = (await failover("readiness", bench.cluster, "--output", "json")).document["readiness"]["checks"]
    assert [one["variant"] for one in whole] == ["planned", "forced"], "a target that is named is shown with what is ready"
    told = (await failover("readiness", "--output", "json")).document["readiness"]
    (blocked,) = [one for one in told["checks"] if one["readiness"] == "blocked"]
    assert (blocked["target"], blocked["reasons"][0]["refusal"]) == (bench.lock, "StandbyAsynchronous")
    status = await failover("status", "--output", "json")
    assert status.document["readiness"]["counts"] == {"ready": 1, "warning": 0, "blocked": 1, "unknown": 0}
    assert [one["readiness"] for one in status.document["readiness"]["checks"]] == ["blocked"]
    out = (await failover("status")).out
    assert "readiness: 1 blocked" in out
    assert "StandbyAsynchronous" in out
    listed = await failover("history", "--plans", "--limit", "100", "--output", "json")
    assert [one for one in listed.document["runs"] if one["cluster"] == bench.cluster] == []
    unknown = await failover("readiness", "nothing")
    assert (unknown.code, "target: 'nothing' is not checked" in unknown.err) == (2, True), unknown


async def test_without_a_worker_what_is_known_is_shown_and_a_pass_is_refused(stage: Stage) -> None:
    bench, failover, passes = stage
    await failover("readiness", "start")
    await passes.until(lambda said: said.passes == 1)
    bench.world.members[B].asynchronous = True
    await passes.another()
    nobody = Command(failover.address)
    shown = await nobody("readiness")
    assert (shown.code, "1 blocked" in shown.out) == (1, True), shown
    refused = await nobody("readiness", "--now")
    assert (refused.code, "no pass was made" in refused.err) == (4, True), refused
    assert (await nobody("readiness", "start")).code == 4


async def _is_over(passes: Passes) -> bool:
    await asyncio.sleep(0)
    return (await passes.handle.describe()).status.name != "RUNNING"  # type: ignore[union-attr]
