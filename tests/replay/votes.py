"""Runs that wait for approval and do not get it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from tests.postgres.bench import Handle
from workflows.run.models import Status

_ASKS = {"roles": ["DBA"], "window": "PT1M"}
_EXPIRES = {"roles": ["DBA"], "window": "PT0.3S"}


class _Bench(Protocol):
    async def until_phase(self, handle: Handle, phase: str) -> Status: ...


B = TypeVar("B", bound=_Bench)
Begin = Callable[[B], Awaitable[Handle]]


def unapproved(name: str, begin: Begin[B]) -> dict[str, Begin[B]]:
    """Return the runs that ``begin`` begins and that are rejected, expire, or are cancelled before anybody has decided."""
    return {
        f"{name}-rejected": _rejected(begin),
        f"{name}-expired": begin,
        f"{name}-cancelled-awaiting-approval": _cancelled(begin),
    }


def policies(name: str, kind: str) -> dict[str, dict[str, Any]]:
    """Return what the estate says for each of them, where ``kind`` is what is to be approved."""
    return {
        f"{name}-rejected": {"approvals": {kind: _ASKS}},
        f"{name}-expired": {"approvals": {kind: _EXPIRES}},
        f"{name}-cancelled-awaiting-approval": {"approvals": {kind: _ASKS}},
    }


def _rejected(begin: Begin[B]) -> Begin[B]:
    async def run(bench: B) -> Handle:
        handle = await begin(bench)
        plan = (await bench.until_phase(handle, "awaiting approval")).plan
        assert plan is not None
        await handle.execute_update("decide", {"by": "dana", "plan": plan.digest, "approve": False, "note": "noted"})
        return handle

    return run


def _cancelled(begin: Begin[B]) -> Begin[B]:
    async def run(bench: B) -> Handle:
        handle = await begin(bench)
        await bench.until_phase(handle, "awaiting approval")
        await handle.cancel()
        return handle

    return run
