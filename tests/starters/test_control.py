"""``failover hold``, ``release``, ``skip`` and ``force`` in front of a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.fakes.faults import Fault
from tests.run.controlled import ControlBench, controlled
from tests.starters.command import Command
from tests.starters.conftest import Stage, command_for

_LONG = timedelta(minutes=10)
"""A run of these tests may last for as long as many commands take on a busy machine."""
_WHY = ("--by", "mona", "--reason", "look [at] it first")


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.postgres.bench._LONGEST", _LONG)


async def test_a_run_is_held_shown_and_released(stage: Stage) -> None:
    hanging = stage.world.faults.order("postgres.survey", Fault.HANGS)
    handle = await stage.bench.switch()
    await hanging.reached.wait()
    held = await stage.failover("hold", stage.cluster, *_WHY)
    hanging.released.set()
    await stage.bench.until_phase(handle, "held")
    status, listed, twice, nobody, skipped = await asyncio.gather(
        stage.failover("status", stage.cluster),
        stage.failover("status", "-o", "json"),
        stage.failover("hold", stage.cluster, *_WHY),
        stage.failover("release", stage.cluster, "--by", "stranger"),
        stage.failover("skip", stage.cluster, "fence", *_WHY),
    )
    released = await stage.failover("release", stage.cluster, "--by", "dana", "-o", "json")
    await stage.bench.finished(handle)
    report = await stage.failover("report", stage.cluster)

    assert (held.code, status.code, twice.code, nobody.code, skipped.code, released.code) == (0, 4, 3, 3, 3, 0)
    assert "held by mona since " in held.out
    assert f"failover release {stage.cluster} --by NAME" in held.out
    assert "Held by a person; goes on only when released" in status.out
    assert "look [at] it first" in status.out
    assert f"  failover release {stage.cluster} --by NAME" in status.out
    (run,) = [one for one in listed.document["runs"] if one["workflow_id"] == stage.bench.lock]
    assert (run["waits_for_people"], run["phase"]) == (True, "held")
    assert "the order to hold does not count: held by mona" in twice.err
    assert "who can: dana, mona, omar" in nobody.err
    assert "no step of this procedure can be skipped" in skipped.err
    assert (released.document["control"], released.document["status"]["held"]) == ("release", "")
    assert "held by mona, " in report.out
    assert "released by dana, " in report.out
    assert "waiting for people 0.000 s" not in report.out


@pytest_asyncio.fixture(loop_scope="session")
async def small(temporal: Client, tmp_path: Path) -> AsyncIterator[tuple[ControlBench, Command]]:
    async with controlled(temporal, tmp_path) as bench:
        yield bench, command_for(temporal, bench.queue)


async def test_status_shows_what_can_be_skipped_and_forced(small: tuple[ControlBench, Command]) -> None:
    bench, failover = small
    hanging = bench.world.faults.order("small.move", Fault.HANGS)
    handle = await bench.begin()
    await hanging.reached.wait()
    status = await failover("status", bench.cluster)
    forced, hold = await asyncio.gather(
        failover("force", bench.cluster, "wait", *_WHY), failover("hold", bench.cluster, *_WHY)
    )
    after = await failover("status", bench.cluster, "-o", "json")
    skipped, _ = await asyncio.gather(
        failover("skip", bench.cluster, "wait", *_WHY), failover("release", bench.cluster, "--by", "mona")
    )
    hanging.released.set()
    assert (await bench.finished(handle)).outcome == "completed"

    assert "can be skipped: wait (nobody waits)" in status.out
    assert "can be forced: wait (one is enough)" in status.out
    assert f"  failover skip {bench.cluster} STEP --by NAME --reason WHY" in status.out
    assert (forced.code, hold.code, skipped.code) == (0, 0, 0), forced.err + hold.err + skipped.err
    assert f"wait of {bench.cluster} is forced, by mona" in forced.out
    assert "it goes on until then: nobody is served before it has moved" in hold.out.replace("\n", " ")
    assert [one["step"] for one in after.document["status"]["can_skip"]] == ["wait"]
    assert after.document["status"]["can_force"] == []


async def test_what_has_ended_or_is_served_by_nobody(stage: Stage, unserved: Command) -> None:
    await stage.bench.finished(await stage.bench.switch())
    ended = await stage.failover("hold", stage.cluster, *_WHY)
    assert (ended.code, "has ended" in ended.err) == (3, True)
    nothing = await unserved("hold", "not-there", *_WHY)
    assert nothing.code == 2
