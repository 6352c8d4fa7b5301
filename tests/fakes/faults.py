"""Faults that a test orders beforehand, by the name of a step (``postgres.fence``) or of a call (``gates.seal``)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from activities.clients.ports import ForbiddenError, UnreachableError
from activities.errors import Refusal, refuse


class Fault(StrEnum):
    """What goes wrong, once."""

    REFUSED = "refused before it acts"
    FORBIDDEN = "the API server says that we may not"
    SILENT = "silence, nothing done"
    UNREPORTED = "done, then silence"
    HANGS = "hangs before it acts, until cancelled or released"
    OUTLIVES = "done, then goes on until released, however often it is cancelled"


@dataclass
class _Ordered:
    fault: Fault
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: bool = False


class Faults:
    """The faults of one test; each strikes the first time its name comes up, or every time if ``for_ever``."""

    def __init__(self) -> None:
        self._ordered: dict[str, _Ordered] = {}
        self._for_ever: set[str] = set()
        self._held: list[_Ordered] = []
        self.calls: list[str] = []

    def order(self, name: str, fault: Fault, *, for_ever: bool = False) -> _Ordered:
        """Let ``name`` go wrong; return what to wait for."""
        ordered = self._ordered[name] = _Ordered(fault)
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
        ordered = self._ordered.get(name) if name in self._for_ever else self._ordered.pop(name, None)
        if ordered is None:
            yield
            return
        await _before(ordered, name)
        yield
        await _after(ordered, name)


async def _before(ordered: _Ordered, name: str) -> None:
    if ordered.fault in {Fault.UNREPORTED, Fault.OUTLIVES}:
        return
    ordered.reached.set()
    if ordered.fault is Fault.REFUSED:
        raise refuse(Refusal.NOT_AVAILABLE, f"{name} was made to fail")
    if ordered.fault is Fault.FORBIDDEN:
        raise ForbiddenError(f"{name} in namespace aiagent-prod: forbidden")
    if ordered.fault is Fault.SILENT:
        raise UnreachableError(f"{name} was made to meet silence")
    try:
        await ordered.released.wait()
    except asyncio.CancelledError:
        ordered.cancelled = True
        raise


async def _after(ordered: _Ordered, name: str) -> None:
    if ordered.fault is Fault.UNREPORTED:
        ordered.reached.set()
        raise UnreachableError(f"{name} was made to act and not to report")
    if ordered.fault is Fault.OUTLIVES:
        ordered.reached.set()
        while not ordered.released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await ordered.released.wait()
