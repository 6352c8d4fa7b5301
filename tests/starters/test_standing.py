"""Bare ``status``: which clusters take writes, and an exit code when one does not."""

from __future__ import annotations

import asyncio

from tests.fakes.world import A, B
from tests.starters.command import Command, Ran
from tests.starters.conftest import Stage


async def _until_known(failover: Command, *args: str) -> Ran:
    """Ask until a worker has answered in time: on a busy machine it may not at once."""
    async with asyncio.timeout(90):
        while (ran := await failover("status", *args)).out.count("unknown:") or '"clusters": null' in ran.out:
            await asyncio.sleep(0.2)
    return ran


async def test_a_line_a_cluster_and_an_outage_first(stage: Stage) -> None:
    calm = await _until_known(stage.failover)
    assert calm.code in {0, 4}, "others may wait for people"
    (line,) = [line for line in calm.out.splitlines() if line.startswith(stage.cluster)]
    assert line.split()[1:] == [A, "yes", "yes"]
    (one,) = (await _until_known(stage.failover, "-o", "json")).document["clusters"]
    assert (one["name"], one["leader"], one["takes_writes"], one["redundant"]) == (stage.cluster, A, True, True)

    stage.world.members[A].alive = False
    down = await _until_known(stage.failover)
    assert down.code in {1, 4}, "others may wait for people"
    first, second = down.out.splitlines()[:2]
    assert first.startswith(f"{stage.cluster}: WRITES ARE DOWN: its leader {A} "), down.out
    assert f"{B} is fit to lead" in first
    assert second.strip() == f"→ failover plan postgres-failover {stage.cluster} --mode forced"
    stage.world.members[A].alive = True


async def test_without_a_worker_nobody_knows(unserved: Command) -> None:
    ran = await unserved("status", "-o", "json")
    assert ran.document["clusters"] is None
    assert "whether the clusters take writes is unknown: no worker is there to look" in (await unserved("status")).out


async def test_a_name_that_never_ran_is_told_from_one_that_does_not_exist(stage: Stage) -> None:
    for command in ("status", "report", "cancel", "follow"):
        never, wrong = await stage.failover(command, stage.cluster), await stage.failover(command, "order")
        assert (never.code, wrong.code) == (2, 2)
        assert f"nothing has run for {stage.cluster} yet" in never.err, never
        assert f"nothing has ever run for 'order', and the estate does not list it; it lists {stage.cluster}" in wrong.err
