"""Who asks must be somebody of the estate: else one person could ask under one name and approve under another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from tests.fakes.world import World
from tests.nodes.bench import serving as serving_node
from tests.postgres.bench import Bench, serving
from tests.starters.conftest import command_for

_NOBODY = "people: nobody is called zed; the estate lists dana, mona, omar"


@pytest.mark.parametrize("more", [{"run": "real"}, {"run": "plan"}, {"run": "real", "mode": "forced"}])
async def test_nobody_asks_under_a_name_that_the_estate_does_not_list(asking: Bench, more: dict[str, Any]) -> None:
    before = asking.world.snapshot
    refusal = await asking.refused(await asking.switch(by="zed", **more))
    assert (refusal.type, refusal.message) == ("BadInput", _NOBODY)
    assert asking.world.snapshot == before


@pytest.mark.parametrize("workflow", ["postgres-rejoin", "postgres-rollback", "postgres-adopt"])
async def test_every_procedure_asks(bench: Bench, workflow: str) -> None:
    refusal = await bench.refused(
        await bench.start({"cluster": bench.cluster, "run": "real", "by": "zed"}, workflow=workflow)
    )
    assert refusal.message == _NOBODY


async def test_the_node_procedure_asks_too(temporal: Client, tmp_path: Path) -> None:
    async with serving_node(temporal, tmp_path) as bench:
        handle = await bench.start(by="zed")
        kind, message = await bench.ending(handle)
    assert (kind, message.startswith("people: nobody is called zed; the estate lists ")) == ("BadInput", True)


@pytest.mark.parametrize("by", ["OMAR", " omar ", ""])
async def test_names_are_compared_as_people_write_them(bench: Bench, by: str) -> None:
    assert (await bench.finished(await bench.switch(run="plan", by=by))).outcome == "dry run"


async def test_an_estate_without_people_asks_nothing(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, World(), people={}) as bench:
        assert (await bench.finished(await bench.switch(run="plan", by="zed"))).outcome == "dry run"


async def test_the_command_says_so(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, World()) as bench:
        failover, cluster = command_for(temporal, bench.queue), bench.cluster
        started = await failover("start", "postgres-failover", cluster, "--by", "zed")
        paused = await failover("pause", cluster, "--for", "1h", "--by", "zed", "--reason", "look")
        kept = ("--member", "postgresql-standby-0", "--remove", "wal-1", "--by", "zed", "--reason", "old")
        removed = await failover("kept", cluster, *kept)
    assert (started.code, _NOBODY in started.out) == (2, True), started
    assert (paused.code, _NOBODY in paused.err) == (2, True), paused
    assert (removed.code, _NOBODY in removed.err) == (2, True), removed
