"""What a gate keeps on its disk of a leader record that it has read."""

from __future__ import annotations

from typing import Any

import pytest

from gate.loop.decide import heeded
from gate.loop.state import State
from gate.record import Intent, Mode
from tests.postgres.samples import A, B, record

CLAIMED = {"intent": Intent(candidate=B, mode=Mode.FORCED, run="test/1")}
FORGOTTEN = {"promoted_at": None, "promoted_xid": None, "reverting": None}


@pytest.mark.parametrize(
    ("state", "seen", "changes"),
    [
        ({"epoch": 5}, {"leader": A, "epoch": 5}, {}),
        ({"epoch": 5}, {"leader": A, "epoch": 6}, {"epoch": 6}),
        ({"epoch": 5}, {"leader": A, "epoch": 6, **CLAIMED}, {}),
        ({"epoch": 6}, {"leader": A, "epoch": 5}, {}),
        ({"epoch": 6, "fenced_at": 6}, {"leader": A, "epoch": 6}, {}),
        ({"epoch": 6, "fenced_at": 6}, {"leader": A, "epoch": 7, **CLAIMED}, {}),
        ({"epoch": 6, "fenced_at": 6}, {"leader": A, "epoch": 7}, {"epoch": 7, "fenced_at": None}),
        ({"epoch": 6, "fenced_at": 6}, {"leader": B, "epoch": 6}, {"fenced_at": None}),
        ({"epoch": 6, "promoted_at": 6}, {"leader": A, "epoch": 7}, {"epoch": 7}),
        ({"epoch": 6, "promoted_at": 6}, {"leader": B, "epoch": 6}, {}),
        ({"epoch": 6, "promoted_at": 6, "promoted_xid": 9}, {"leader": B, "epoch": 7}, {"epoch": 7, **FORGOTTEN}),
        ({"epoch": 6, "rejoin_behind": B}, {"leader": B, "epoch": 6}, {}),
        ({"epoch": 6, "rejoin_behind": B}, {"leader": A, "epoch": 6}, {"rejoin_behind": ""}),
    ],
)
def test_it_forgets_what_the_record_has_left_behind_and_nothing_else(
    state: dict[str, Any], seen: dict[str, Any], changes: dict[str, Any]
) -> None:
    assert heeded(State.model_validate(state), A, record(**seen)) == changes
