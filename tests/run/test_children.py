"""The end of a child is awaited, whenever a cancel comes: nobody may undo around a change that is being made."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from workflows.run.children import end_of


class _Child(asyncio.Task[str]):
    id = "flexible/aiagent-db"


class _World:
    """A child that says that it has begun when told, and ends when told, cancelled or not."""

    def __init__(self, *, hides: bool = False) -> None:
        self.begun, self.ends, self.hears = asyncio.Event(), asyncio.Event(), 0
        self._hides = hides

    async def begin(self) -> Any:
        await self.begun.wait()
        child = _Child(self._run(), loop=asyncio.get_running_loop())
        await asyncio.sleep(0)
        return child

    async def _run(self) -> str:
        while True:
            try:
                await self.ends.wait()
            except asyncio.CancelledError:
                self.hears += 1
                if self._hides:
                    raise
            else:
                return "promoted"


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_cancel_before_it_has_begun_waits_for_its_end_and_is_passed_on() -> None:
    world = _World()
    task = asyncio.create_task(end_of(world.begin()))
    await _turns()
    task.cancel()
    await _turns()
    assert not task.done()
    world.begun.set()
    await _turns()
    assert (task.done(), world.hears) == (False, 1)
    world.ends.set()
    assert await task == "promoted"


async def test_a_cancel_after_it_has_begun_is_passed_on() -> None:
    world = _World()
    world.begun.set()
    task = asyncio.create_task(end_of(world.begin()))
    await _turns()
    task.cancel()
    await _turns()
    assert (task.done(), world.hears) == (False, 1)
    world.ends.set()
    assert await task == "promoted"


async def test_an_end_that_a_cancel_hides_is_not_taken_for_nothing() -> None:
    world = _World(hides=True)
    world.begun.set()
    task = asyncio.create_task(end_of(world.begin()))
    await _turns()
    task.cancel()
    with pytest.raises(ApplicationError, match="nobody knows how the run flexible/aiagent-db has ended") as refused:
        await task
    assert refused.value.type == "Stranded"


async def test_a_child_that_cannot_begin_says_why() -> None:
    async def refused() -> Any:
        raise ApplicationError("its lock is held")

    with pytest.raises(ApplicationError, match="its lock is held"):
        await end_of(refused())
