"""Lets the emulated Azure fail at each call of a run: whatever is asked, and however often, meets a fault."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from deploy.lab.azure.faults import Fault, Faults

_OPERATION = re.compile(r"/azureAsyncOperation/[^/]+$")

LATER = Fault(status=429, retry_after=1, code="TooManyRequests")
THROTTLED = Fault(status=429, code="TooManyRequests")
UNAVAILABLE = Fault(status=503, code="ServiceUnavailable")
UNHEARD, UNTOLD = Fault(drop="before"), Fault(drop="after")
LOOKS: dict[str, tuple[Fault | None, ...]] = {
    "throttled": (LATER, None, THROTTLED, None, THROTTLED, None),
    "unavailable": (UNAVAILABLE, None),
    "dropped": (UNHEARD, UNHEARD, None),  # two are one: aiohttp sends a look again when a kept connection breaks
}
"""What each call that only reads meets in turn, by what Azure does; ``None``: it answers."""
ANSWERS = ["throttled", "dropped", pytest.param("unavailable", marks=[pytest.mark.matrix])]
"""For what differs from another test in the calls alone: 503 is met there."""
CHANGES = {"throttled": (LATER,), "unavailable": (UNAVAILABLE,), "dropped": (UNHEARD,)}


def call_of(method: str, path: str) -> str:
    """Return which call it is, without the subscription and the operation's number."""
    return f"{method} {_OPERATION.sub('/azureAsyncOperation/*', path).split('/providers/')[-1]}"


class EachCall(Faults):
    """Each call that only reads meets ``looks`` in turn, and again from the first; each that changes something, ``changes``.

    ``None``: answered as ever; so is a change that has met all of its faults. The calls are found, not listed: one that the
    product learns to ask is met as well.
    """

    def __init__(self, looks: tuple[Fault | None, ...], changes: tuple[Fault, ...]) -> None:
        super().__init__()
        self._looks, self._changes = looks, changes
        self.asked: dict[str, list[Fault | None]] = defaultdict(list)
        """Call → what each has met."""

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault that a call meets."""
        before = self.asked[call_of(method, path)]
        turn = len(before)
        if method == "GET":
            fault = self._looks[turn % len(self._looks)]
        else:
            fault = self._changes[turn] if turn < len(self._changes) else None
        before.append(fault)
        return fault

    @property
    def unmet(self) -> list[str]:
        """Calls that were asked, and have never met a fault."""
        return [call for call, asked in self.asked.items() if not any(asked)]
