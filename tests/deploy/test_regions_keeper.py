"""The keeper of two regions behind its control socket, with regions in memory: what commands hear from it."""

from __future__ import annotations

import asyncio
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deploy.lab.names import LabError, LabUsageError
from deploy.lab.regions import control
from deploy.lab.regions.keeper import Keeper
from tests.azure.traffic import until
from tests.deploy.scene import FakeScene


@pytest.fixture
def home() -> Iterator[Path]:
    """Make one whose path is too long for a socket's."""
    top = Path(tempfile.mkdtemp())
    made = top / ("long" * 30)
    made.mkdir()
    yield made
    shutil.rmtree(top)


@pytest_asyncio.fixture
async def keeper(home: Path) -> AsyncIterator[Keeper]:
    one = Keeper(home)
    async with await one.serve():
        yield one


async def _ask(home: Path, *said: list[str], **request: str) -> dict[str, Any]:
    return await asyncio.to_thread(control.ask, home, said[0].append if said else print, 20, **request)


@pytest.mark.usefixtures("keeper")
async def test_nobody_else_may_speak_to_it(home: Path) -> None:
    assert stat.S_IMODE((home / "control").stat().st_mode) == 0o600


async def test_whoever_starts_it_follows_the_start_and_hears_that_it_is_ready(keeper: Keeper, home: Path) -> None:
    scene, said = FakeScene(), list[str]()
    keeper.say("  one")
    waiting = asyncio.create_task(_ask(home, said, do="await"))
    await until(lambda: bool(said))
    with pytest.raises(LabError, match="still starting"):
        await _ask(home, do="break", what="region")
    keeper.say("  two")
    keeper.ready(scene, scene.facts)
    assert await waiting == {"parts": {"edge": True}}
    assert said == ["  one", "  two"]
    assert await _ask(home, do="status") == {"parts": {"edge": True}}
    later = list[str]()
    await _ask(home, later, do="await")
    assert later == []


async def test_whoever_waits_hears_why_it_does_not_start(keeper: Keeper, home: Path) -> None:
    waiting = asyncio.create_task(_ask(home, do="await"))
    with pytest.raises(LabError, match="still starting"):
        await _ask(home, do="status")
    await keeper.fail("the two regions did not start: no disk")
    with pytest.raises(LabError, match="no disk"):
        await waiting


async def test_it_breaks_and_heals_and_refuses_what_was_typed_wrongly(keeper: Keeper, home: Path) -> None:
    scene = FakeScene()
    keeper.ready(scene, scene.facts)
    assert (await _ask(home, do="break", what="edge", target=""))["done"] == "ended the public edge"
    assert (await _ask(home, do="status")) == {"parts": {"edge": False}}
    assert (await _ask(home, do="heal", what="edge", target=""))["done"] == "the public edge is back"
    with pytest.raises(LabUsageError, match="is no region"):
        await _ask(home, do="break", what="region", target="nope")


async def test_one_change_at_a_time_and_a_look_meanwhile(keeper: Keeper, home: Path) -> None:
    scene = FakeScene()
    keeper.ready(scene, scene.facts)
    await _ask(home, do="break", what="region")
    scene.hold.clear()
    healing = asyncio.create_task(_ask(home, do="heal", what="region"))
    while scene.calls[-1] != "restore eastus":
        await asyncio.sleep(0.01)
    breaking = asyncio.create_task(_ask(home, do="break", what="edge"))
    assert await _ask(home, do="status") == {"parts": {"edge": True}}
    assert "end edge" not in scene.calls
    scene.hold.set()
    assert (await healing)["done"] == "eastus is back as before"
    assert (await breaking)["done"] == "ended the public edge"


async def test_a_failure_is_one_sentence_and_the_next_order_is_taken(
    keeper: Keeper, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = FakeScene()
    keeper.ready(scene, scene.facts)

    async def fails(_: str) -> None:
        raise OSError("no more processes")

    with monkeypatch.context() as patched:
        patched.setattr(scene, "lose", fails)
        with pytest.raises(LabError, match=r"break failed .*no more processes.*ask again"):
            await _ask(home, do="break", what="region")
    assert "lost eastus" in (await _ask(home, do="break", what="region"))["done"]


async def test_an_interrupted_command_interrupts_nothing(keeper: Keeper, home: Path) -> None:
    scene = FakeScene()
    keeper.ready(scene, scene.facts)
    await _ask(home, do="break", what="region")
    scene.hold.clear()
    with pytest.raises(LabError, match="said nothing for"):
        await asyncio.to_thread(control.ask, home, print, 0.1, do="heal", what="region")
    scene.hold.set()
    while scene.lost:
        await asyncio.sleep(0.01)


async def test_a_keeper_that_dies_while_it_is_asked_and_one_that_is_dead(home: Path) -> None:
    listener = control.listener(home)

    def die() -> None:
        line, _ = listener.accept()
        line.recv(10)
        line.close()

    dying = asyncio.create_task(asyncio.to_thread(die))
    with pytest.raises(LabError, match=r"has ended; failover lab down removes what is left|does not answer"):
        await _ask(home, do="await")
    await dying
    listener.close()
    assert control.is_there(home)
    with pytest.raises(LabError, match="does not answer"):
        await _ask(home, do="status")
    control.listener(home).close()
