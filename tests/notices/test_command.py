"""``failover notices``, and what doctor says, in front of a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio
from temporalio.client import Client

from activities.clients import notifier
from activities.notices.doctor import of_notices
from estate.loader import load_estate
from tests.fakes.world import World
from tests.notices.bench import end, list_targets, until_looking
from tests.notices.receiver import receiving
from tests.postgres.bench import Bench, serving
from tests.starters.command import Command
from tests.starters.conftest import command_for


@pytest_asyncio.fixture(loop_scope="session")
async def bench(temporal: Client, tmp_path: Path) -> AsyncIterator[Bench]:
    """Ask nobody."""
    async with serving(temporal, tmp_path, World()) as one:
        yield one
        await end(temporal.get_workflow_handle("notices"))


@pytest.fixture
def failover(bench: Bench) -> Command:
    return command_for(bench.client, bench.queue)


async def _doctor(bench: Bench) -> list[str]:
    found = await of_notices(bench.client, load_estate(bench.estate))
    return [f"{one.severity}: {one.message} → {one.remedy}" for one in found]


async def test_it_is_started_once_shown_tried_and_stopped(bench: Bench, failover: Command) -> None:
    async with receiving() as phone:
        list_targets(bench, {"phone": phone})
        assert (await failover("notices", "status")).code == 1
        assert await _doctor(bench) == ["warning: the estate lists targets, and nobody tells them → failover notices start"]
        ran = await failover("notices", "start")
        assert (ran.code, ran.out.splitlines()[0]) == (0, "notices: started; told are phone"), ran
        handle = bench.client.get_workflow_handle("notices")
        await until_looking(handle)
        first = (await handle.describe()).run_id
        again = await failover("notices", "start", "-o", "json")
        assert again.document["started"] is False
        await bench.until(lambda: _is_another(bench, first))
        shown = await failover("notices", "status")
        assert (shown.code, "takes what it is sent" in shown.out) == (0, True), shown
        assert await _doctor(bench) == ["ok: 1 targets are told of runs → "]
        assert (await failover("notices", "test")).out.strip() == "phone: ok"
        assert phone.texts[-1]["title"] == "Test of failover's notifications"
        stopped = await failover("notices", "stop", "-o", "json")
        assert stopped.document["stopped"] is True
        await bench.until(lambda: _is_over(bench))


async def _is_another(bench: Bench, first: str) -> bool:
    found = await bench.client.get_workflow_handle("notices").describe()
    return found.run_id != first and bool(await found.memo())


async def _is_over(bench: Bench) -> bool:
    found = await bench.client.get_workflow_handle("notices").describe()
    return found.status is not None and found.status.name == "CANCELED"


async def test_a_target_that_takes_nothing_is_named(bench: Bench, failover: Command) -> None:
    async with receiving() as phone:
        phone.status = 403
        list_targets(bench, {"phone": phone, "closed": "json://127.0.0.1:1"})
        ran = await failover("notices", "test", "-o", "json")
        assert ran.code == 1
        assert "error=403" in ran.document["targets"]["phone"]
        assert "onnection error" in ran.document["targets"]["closed"]
        one = await failover("notices", "test", "phone")
        assert (one.code, one.out.count("FAILED"), phone.asked) == (1, 1, 2)
        unknown = await failover("notices", "test", "nobody")
        assert (unknown.code, "they list closed, phone" in unknown.err) == (2, True), unknown


async def test_without_a_section_nothing_starts(bench: Bench, failover: Command) -> None:
    ran = await failover("notices", "start")
    assert (ran.code, "notifications: missing; add it" in ran.err) == (2, True), ran
    assert await _doctor(bench) == []


async def test_without_apprise_doctor_says_so_in_one_line(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    list_targets(bench, {"phone": "json://127.0.0.1:1", "mail": "json://127.0.0.1:1"})
    monkeypatch.setattr("activities.notices.doctor.is_installed", lambda: False)
    monkeypatch.setattr(notifier, "is_installed", lambda: False)
    told = "apprise is not installed for the worker: none of mail, phone is told of anything"
    assert await _doctor(bench) == [f"warning: {told} → pip install 'failover[notify]'"]
    handle = await bench.start({}, workflow="notices-check", id=f"notices-check/{bench.cluster}")
    assert set(cast("dict[str, str]", (await handle.result())["targets"]).values()) == {notifier.MISSING}


async def test_a_secret_that_cannot_be_read_is_named(bench: Bench) -> None:
    list_targets(bench, {"phone": "json://127.0.0.1:1"})
    (bench.estate.parent / "phone.url").unlink()
    assert "phone.url" in (await _doctor(bench))[0]
