"""Workflows that ``tests.architecture.flow`` is tried on: one, the same written otherwise, three that do else."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError

_WITHIN = timedelta(seconds=1)


@workflow.defn(name="sample")
class Usual:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity("claim", start_to_close_timeout=_WITHIN)
        try:
            await workflow.execute_activity("fence", start_to_close_timeout=_WITHIN)
        except (asyncio.CancelledError, FailureError):
            await workflow.execute_activity("lift the fence", start_to_close_timeout=_WITHIN)
            await workflow.execute_activity("give back", start_to_close_timeout=_WITHIN)
            raise
        await workflow.execute_activity("promote", start_to_close_timeout=_WITHIN)


async def _claimed() -> None:
    await workflow.execute_activity("claim", start_to_close_timeout=_WITHIN)


async def _guarded(work: Coroutine[Any, Any, None], undo: Callable[[], Awaitable[None]]) -> None:
    try:
        await work
    except (asyncio.CancelledError, FailureError):
        await undo()
        raise


class _Transfer:
    async def fence(self) -> None:
        await workflow.execute_activity("fence", start_to_close_timeout=_WITHIN)

    async def undo(self) -> None:
        await workflow.execute_activity("lift the fence", start_to_close_timeout=_WITHIN)
        await workflow.execute_activity("give back", start_to_close_timeout=_WITHIN)


@workflow.defn(name="sample")
class WrittenOtherwise:
    def __init__(self) -> None:
        self._transfer = _Transfer()

    @workflow.run
    async def run(self) -> None:
        await _claimed()
        await _guarded(self._transfer.fence(), self._transfer.undo)
        await workflow.execute_activity("promote", start_to_close_timeout=_WITHIN)


@workflow.defn(name="sample")
class SwappedInTheUndo:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity("claim", start_to_close_timeout=_WITHIN)
        try:
            await workflow.execute_activity("fence", start_to_close_timeout=_WITHIN)
        except (asyncio.CancelledError, FailureError):
            await workflow.execute_activity("give back", start_to_close_timeout=_WITHIN)
            await workflow.execute_activity("lift the fence", start_to_close_timeout=_WITHIN)
            raise
        await workflow.execute_activity("promote", start_to_close_timeout=_WITHIN)


@workflow.defn(name="sample")
class MissingInTheUndo:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity("claim", start_to_close_timeout=_WITHIN)
        try:
            await workflow.execute_activity("fence", start_to_close_timeout=_WITHIN)
        except (asyncio.CancelledError, FailureError):
            await workflow.execute_activity("give back", start_to_close_timeout=_WITHIN)
            raise
        await workflow.execute_activity("promote", start_to_close_timeout=_WITHIN)


@workflow.defn(name="sample")
class GoesOnAfterTheUndo:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity("claim", start_to_close_timeout=_WITHIN)
        try:
            await workflow.execute_activity("fence", start_to_close_timeout=_WITHIN)
        except (asyncio.CancelledError, FailureError):
            await workflow.execute_activity("lift the fence", start_to_close_timeout=_WITHIN)
            await workflow.execute_activity("give back", start_to_close_timeout=_WITHIN)
        await workflow.execute_activity("promote", start_to_close_timeout=_WITHIN)


class _Kind(ABC):
    @abstractmethod
    async def act(self) -> None:
        """Do what a kind does."""


class _One(_Kind):
    async def act(self) -> None:
        await workflow.execute_activity("one", start_to_close_timeout=_WITHIN)


class _Other(_Kind):
    async def act(self) -> None:
        await workflow.execute_activity("other", start_to_close_timeout=_WITHIN)


class _Acts:
    def __init__(self, kind: _Kind) -> None:
        self._kind = kind

    async def act(self) -> None:
        await self._kind.act()


@workflow.defn(name="sample")
class OfAnyKind:
    @workflow.run
    async def run(self) -> None:
        await _Acts(_One()).act()
