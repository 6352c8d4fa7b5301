"""Faults that a test orders beforehand, by the name of a step (``postgres.fence``) or of a call (``gates.seal``)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from activities.clients.ports import ForbiddenError, UnreachableError
from activities.run.errors import Refusal, refuse


class Fault(StrEnum):
    """What goes wrong, once."""

    REFUSED = "refused"
    """Answers no, before it acts."""
    FORBIDDEN = "forbidden"
    """The API server says that we may not."""
    SILENT = "silent"
    """Nobody answers, nothing was done."""
    UNREPORTED = "unreported"
    """It is done, and nobody answers."""
    HANGS = "hangs"
    """Does nothing until it is cancelled; acts when released."""
    FROZEN = "frozen"
    """As HANGS, but a cancel does not reach it."""
    OUTLIVES = "outlives"
    """It is done and goes on until released, however often it is cancelled."""


@dataclass
class Ordered:
    """One ordered fault: ``reached`` when it strikes, ``over`` when what it struck has ended."""

    fault: Fault
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Faults:
    """The faults of one test; each strikes the first time its name comes up, or every time if ``for_ever``."""

    def __init__(self) -> None:
        self._ordered: dict[str, Ordered] = {}
        self._for_ever: set[str] = set()
        self._held: list[Ordered] = []
        self.calls: list[str] = []
        self.silenced = ""
        """How the names of calls begin that nobody answers until this is empty again."""

    def order(self, name: str, fault: Fault, *, for_ever: bool = False) -> Ordered:
        """Let ``name`` go wrong; return what to wait for."""
        ordered = self._ordered[name] = Ordered(fault)
        self._held.append(ordered)
        if for_ever:
            self._for_ever.add(name)
        return ordered

    def release(self) -> None:
        """Let everything go on that hangs."""
        for ordered in self._held:
            ordered.released.set()

    def lift(self, name: str) -> None:
        """Take back what was ordered for ``name``."""
        self._ordered.pop(name, None)

    @asynccontextmanager
    async def around(self, name: str) -> AsyncIterator[None]:
        """Run a step or a call with what was ordered for it."""
        self.calls.append(name)
        if self.silenced and name.startswith(self.silenced):
            raise UnreachableError(f"{name}: nobody answers")
        ordered = self._ordered.get(name) if name in self._for_ever else self._ordered.pop(name, None)
        if ordered is None:
            yield
            return
        try:
            await _before(ordered, name)
            yield
            await _after(ordered, name)
        finally:
            if ordered.reached.is_set():
                ordered.over.set()
            else:  # it failed by itself before the fault struck: the next attempt's turn
                self._ordered.setdefault(name, ordered)


async def _before(ordered: Ordered, name: str) -> None:
    if ordered.fault in {Fault.UNREPORTED, Fault.OUTLIVES}:
        return
    ordered.reached.set()
    if ordered.fault is Fault.REFUSED:
        raise refuse(Refusal.NOT_AVAILABLE, f"{name} was made to fail")
    if ordered.fault is Fault.FORBIDDEN:
        raise ForbiddenError(f"{name} in namespace aiagent-prod: forbidden")
    if ordered.fault is Fault.SILENT:
        raise UnreachableError(f"{name} was made to meet silence")
    if ordered.fault is Fault.FROZEN:
        await _until_released(ordered)
    else:
        await ordered.released.wait()


async def _after(ordered: Ordered, name: str) -> None:
    if ordered.fault is Fault.UNREPORTED:
        ordered.reached.set()
        raise UnreachableError(f"{name} was made to act and not to report")
    if ordered.fault is Fault.OUTLIVES:
        ordered.reached.set()
        await _until_released(ordered)


async def _until_released(ordered: Ordered) -> None:
    while not ordered.released.is_set():
        with contextlib.suppress(asyncio.CancelledError):
            await ordered.released.wait()
