"""What must never be, whatever is waited for: a lost row, two writers, a half state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.lab.platform import Platform

_SILENT_SECONDS = 30


class BrokenInvariantError(AssertionError):
    """Final at once: no second attempt of a test makes up for it."""


def must_hold(what: str, *, holds: bool) -> None:
    """Raise unless ``what`` holds.

    Raises:
        BrokenInvariantError: it does not.
    """
    if not holds:
        raise BrokenInvariantError(what)


def must_be_sound(seen: dict[str, Any]) -> None:
    """Fail when the checker or the row writer saw what must never be, or did not see.

    Raises:
        BrokenInvariantError: acknowledged rows are gone, two took writes at once, or a client was told a wrong thing.
        AssertionError: too little was seen to say so.
    """
    must_hold(f"never two writers: {seen['two_writers']}", holds=seen["two_writers"] == [])
    must_hold(f"no row lost: {seen['lost']}", holds=not seen["lost"])
    must_hold(f"nothing broken: {seen['broken']}", holds=seen["broken"] == [])
    assert seen["lost"] is not None  # nobody could be asked
    assert seen["commits"] > 0
    assert min(seen["checks"].values()) > 0
    assert max(seen["silent_seconds"].values()) < _SILENT_SECONDS, seen["silent_seconds"]


async def must_be_no_half_state(platform: Platform) -> None:
    """Fail when something has been begun, and nobody is there who will finish or undo it.

    Raises:
        BrokenInvariantError: an intent stands, and no run goes on.
    """
    intent = platform.note("intent")
    going_on = [run.id async for run in platform.client.list_workflows("ExecutionStatus = 'Running'")]
    must_hold(f"no half state: intent {intent} without a run", holds=not intent or bool(going_on))
