"""A backend falls ill and is well again: the watch has it taken out once and put in once, and guesses nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml
from temporalio.client import Client

from tests.detection.gateway_bench import WATCH, WatchedGateway, watching
from tests.gateways.conftest import gateway, shared_gateway  # noqa: F401 - fixtures
from tests.gateways.world import DECLARED, GATEWAY, A, B, C, GatewayWorld
from workflows.detection.models import WatchStatus


@pytest_asyncio.fixture(loop_scope="session")
async def one(temporal: Client, gateway: GatewayWorld, tmp_path: Path) -> AsyncIterator[WatchedGateway]:  # noqa: F811
    async with watching(temporal, gateway, tmp_path) as bench:
        yield bench


def _lines(status: WatchStatus) -> str:
    return "\n".join(status.witnesses)


async def test_a_backend_that_falls_ill_is_taken_out_and_put_in_when_it_is_well_each_once(one: WatchedGateway) -> None:
    world = one.world
    watch = await one.watch()
    world.hosts.status[B] = 503
    await one.until(lambda _: world.pool() == [A, C], 40)
    status = await one.until(lambda status: not status.open and not status.gone)
    assert "completed" in status.last_words or "has begun" in status.last_words
    assert (len(world.puts()), await one.begun(watch)) == (1, 1)

    world.hosts.status.clear()
    await one.until(lambda _: sorted(world.pool()) == [A, B, C], 40)
    await one.until(lambda status: not status.open and not status.gone)
    assert (len(world.puts()), await one.begun(watch)) == (2, 2)
    assert (await one.standing()).headline.startswith(("healthy", "cool-down"))


async def test_what_somebody_else_has_taken_out_stays_out(one: WatchedGateway) -> None:
    one.world.lay_out(backends=(A, C))
    await one.world.until_up()
    watch = await one.watch()
    status = await one.until(lambda status: status.advice)
    assert f"failover start gateway-failover aiagent-appgw --member {B} --by NAME" in status.advice[0]
    assert f"{B} is out of service and healthy, say" in status.gone[0]
    assert (status.alarm, await one.begun(watch), one.world.puts()) == (True, 0, [])


async def test_a_backend_that_answers_although_the_gateway_calls_it_down_is_for_people(one: WatchedGateway) -> None:
    one.world.lay_out(probe={**DECLARED, "path": "/nowhere"})
    for address in (A, B, C):
        await one.world.until_told(address, "Down")
    watch = await one.watch()
    status = await one.until(lambda status: len(status.gone) == 3)
    assert all("see the network" in words for words in status.advice)
    assert (await one.begun(watch), one.world.puts()) == (0, [])


async def test_when_every_backend_is_ill_people_are_told_and_nothing_is_begun(one: WatchedGateway) -> None:
    for address in (A, B, C):
        one.world.hosts.status[address] = 503
    watch = await one.watch()
    status = await one.until(lambda status: status.advice)
    assert "EVERY BACKEND IS UNHEALTHY" in status.gone[0]
    assert (await one.begun(watch), one.world.puts()) == (0, [])


@pytest.mark.parametrize("how", ["blind", "frozen"])
async def test_one_witness_that_sees_begins_nothing(one: WatchedGateway, how: str) -> None:
    """The other two see nothing, or stand still: theirs are no votes, whatever the third says."""
    watch = await one.watch()
    setattr(one, how, {"north", "west"})
    if how == "blind":
        await one.until(lambda status: status.blind)
    one.world.hosts.status[B] = 503
    status = await one.until(lambda status: f"east: {B} is down" in _lines(status))
    assert (status.gone, await one.begun(watch), one.world.puts()) == ((), 0, [])
    if how == "blind":
        assert status.headline.startswith("BLIND: 1 of 3 sees")


async def test_a_gateway_whose_estate_does_not_say_watch_is_not_watched(one: WatchedGateway) -> None:
    content = yaml.safe_load(one.estate.read_text(encoding="utf-8"))
    del content["gateways"][GATEWAY]["watch"]
    one.estate.write_text(yaml.safe_dump(content), encoding="utf-8")
    listed = await one.client.execute_workflow("watchers-start", {}, id=f"watchers-start/{one.queue}", task_queue=one.queue)
    assert listed == {"started": [], "running": []}
    watch = await one.client.start_workflow("gateway-watch", {"target": GATEWAY}, id=WATCH, task_queue=one.queue)
    kind, words = await one.ending(watch)
    assert (kind, "gateways.aiagent-appgw.watch: missing" in words) == ("BadEstate", True)
