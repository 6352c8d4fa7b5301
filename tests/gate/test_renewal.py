"""Who must vouch, and what a leader must show, before the leadership lease lasts any longer."""

from __future__ import annotations

from typing import Any

import pytest

from gate.api import GateStatus
from gate.lease.kube import ConflictError
from gate.lease.lease import Lease, now
from gate.lease.renewal import Renewal
from gate.lease.vouching import Outside
from gate.record import Intent, Mode, Record
from tests.postgres.samples import A, B, record, status

CLAIMED = Intent(candidate=B, mode=Mode.FORCED, run="test/1")


class Renewing:
    """A renewal of member ``A``, whose gate knows of epoch 5, and what it has shown and logged."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.lease, self.failure = Lease.make(), failure
        self.shown: list[Record] = []
        self.logged: list[str] = []
        self.renewal = Renewal(A, self.lease, lambda: 5, lambda: True, lambda: 1, self._show, self._log)

    def _log(self, message: str, **_: object) -> None:
        self.logged.append(message)

    async def _show(self, seen: Record) -> None:
        if self.failure is not None:
            raise self.failure
        self.shown.append(seen)

    async def renews(self, outside: Outside, *, shows: bool) -> bool:
        asked = now() + 100
        if shows:
            await self.renewal.by_showing_itself(asked, outside)
        else:
            self.renewal.by_a_look(asked, outside)
        return self.lease.renewed_at == asked


def _seen(peer: GateStatus | None = None, *, answers: bool = True, **changes: Any) -> Outside:
    return Outside(api_answers=answers, record=record(**{"epoch": 5, **changes}), mirror=None, peers={B: peer})


@pytest.mark.parametrize(
    ("seen", "renews"),
    [
        (_seen(leader=A), False),
        (_seen(leader=B, intent=Intent(candidate=A, mode=Mode.PLANNED, run="test/1")), True),
        (_seen(leader=B), False),
        (_seen(answers=False), False),
        (_seen(status(B, epoch=5), answers=False), True),
        (_seen(status(B, epoch=6), answers=False), False),
    ],
)
async def test_a_look_is_enough_for_everybody_but_the_leader(seen: Outside, renews: bool) -> None:  # noqa: FBT001
    assert await Renewing().renews(seen, shows=False) is renews


async def test_a_leader_renews_the_kubernetes_lease_first() -> None:
    one = Renewing()
    assert await one.renews(_seen(leader=A), shows=True)
    assert [shown.leader for shown in one.shown] == [A]


@pytest.mark.parametrize("failure", [ConflictError("a later epoch"), TimeoutError("silent")])
async def test_a_leader_that_cannot_show_itself_needs_a_peer(failure: Exception) -> None:
    one = Renewing(failure)
    assert not await one.renews(_seen(leader=A), shows=True)
    assert one.logged == ["the Lease is not renewed"]
    assert await one.renews(_seen(status(B, epoch=5), leader=A), shows=True)


async def test_a_leader_that_was_passed_over_by_force_shows_nothing() -> None:
    one = Renewing()
    assert not await one.renews(_seen(leader=A, intent=CLAIMED), shows=True)
    assert one.shown == []
