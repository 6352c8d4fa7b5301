"""A leader that is asked to end: it waits for whoever takes over, as long as somebody may, and stops as before otherwise."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from deploy.lab.patience import stretched
from gate.api import MEMBER_HEADER, WATCH, GateStatus, Role
from tests.gate.harness import TOKEN, Cluster, running_cluster
from tests.gate.test_standby_goes import writing


async def _look(pair: Cluster) -> GateStatus:
    """Look at the leader as a detection does."""
    headers = {"Authorization": f"Bearer {TOKEN}", MEMBER_HEADER: WATCH}
    url = f"http://{pair.address('pg-0')}:{pair.gate_port}/v1/status"
    async with pair.http.get(url, headers=headers) as answer:
        return GateStatus.model_validate_json(await answer.text())


async def _asked_to_end(pair: Cluster) -> None:
    """Ask the leader to end while a detection looks, and wait until it says that it hands over."""
    assert not (await _look(pair)).hands_over
    pair.gates["pg-0"].send_signal(signal.SIGTERM)
    async with asyncio.timeout(stretched(10)):
        while not (await _look(pair)).hands_over:
            await asyncio.sleep(0.02)


async def _switch(pair: Cluster) -> None:
    epoch = pair.claim("pg-1")
    fenced = await pair.fence("pg-0", epoch)
    await pair.promote("pg-1", epoch, fenced.end_lsn)
    pair.route("pg-1")


async def test_a_leader_writes_until_another_member_leads_and_follows_nobody(pair: Cluster) -> None:
    async with writing(pair) as seen:
        await _asked_to_end(pair)
        rows = seen.rows
        await pair.until(lambda: seen.rows > rows + 50)
        assert (await _look(pair)).ready
    await _switch(pair)
    await asyncio.to_thread(pair.gates["pg-0"].wait, stretched(20))
    assert pair.said("pg-0", "pg-1 leads now")
    assert not pair.said("pg-0", "follows pg-1")
    assert seen.errors == []
    pair.start("pg-0")
    await pair.until_synchronous("pg-0", stretched(60))


async def test_a_switch_that_is_undone_gives_the_writes_back_to_a_leader_that_is_about_to_end(pair: Cluster) -> None:
    await _asked_to_end(pair)
    epoch = pair.claim("pg-1")
    await pair.fence("pg-0", epoch)
    await pair.seal("pg-1", epoch + 1)
    pair.api.write(epoch=epoch + 1, intent=None)
    await pair.unfence("pg-0", epoch + 1)
    await pair.until_role("pg-0", Role.PRIMARY)
    await pair.sql("pg-0", "create table again (n int)")


async def test_it_stops_as_before_when_nobody_takes_over(settled: Path) -> None:
    async with running_cluster(settled, HAND_OVER_WITHIN="2") as pair:
        await pair.until_synchronous("pg-1")
        await _asked_to_end(pair)
        await asyncio.to_thread(pair.gates["pg-0"].wait, stretched(20))
        assert pair.said("pg-0", "nobody has taken over")


async def test_a_second_signal_waits_for_nobody(pair: Cluster) -> None:
    await _asked_to_end(pair)
    await asyncio.to_thread(pair.kill, "pg-0", signal.SIGTERM)
    assert pair.said("pg-0", "nobody has taken over")


@pytest.mark.parametrize(
    ("looks", "changes", "why"),
    [
        (False, {}, "no detection looks at it"),
        (True, {"paused_until": "2999-01-01T00:00:00Z"}, "automatic actions are paused"),
    ],
)
async def test_it_ends_at_once_where_nobody_would_take_over(
    pair: Cluster, changes: dict[str, str], why: str, *, looks: bool
) -> None:
    if changes:
        pair.api.write(**changes)
        await pair.until_true(lambda: _knows_of(pair), stretched(10))
    if looks:
        await _look(pair)
    pair.gates["pg-0"].send_signal(signal.SIGTERM)
    await asyncio.to_thread(pair.gates["pg-0"].wait, stretched(20))
    assert pair.said("pg-0", f"hands nothing over: {why}")


async def _knows_of(pair: Cluster) -> bool:
    """Whether the leader has looked at the record since: it is shown that a second time."""
    await pair.until_renewed(2)
    return True


async def test_a_lone_leader_does_not_ask_to_be_relieved_until_a_standby_has_everything(pair: Cluster) -> None:
    pair.die("pg-1")
    await pair.until(lambda: pair.record.sync == "none")
    await _look(pair)
    pair.gates["pg-0"].send_signal(signal.SIGTERM)
    await pair.until(lambda: pair.said("pg-0", "waits until another member does"))
    assert not (await _look(pair)).hands_over
    pair.start("pg-1")
    async with asyncio.timeout(stretched(25)):
        while not (await _look(pair)).hands_over:
            await asyncio.sleep(0.05)
