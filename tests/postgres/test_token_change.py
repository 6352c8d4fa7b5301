"""The token of the gates is changed in the middle of a move: kubelets update its mounts one after the other."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from temporalio.client import Client

from gate.api import ProblemKind
from tests.fakes.gatehand import GateHand
from tests.fakes.world import A, B, World
from tests.postgres.bench import UNHURRIED, Bench, serving


class _Locks:
    """The candidate's gate refuses every token from the fence on, until ``opened``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened, self.refused, accept = asyncio.Event(), asyncio.Event(), GateHand.accept
        self.closed = False

        def checked(hand: GateHand, epoch: int) -> None:
            if hand._member.name == B and self.closed and not self.opened.is_set():
                self.refused.set()
                raise hand.no(ProblemKind.UNAUTHORIZED, "the bearer token is missing or wrong")
            accept(hand, epoch)
            self.closed = self.closed or hand._member.state.fenced_at is not None or hand._member.name == A

        monkeypatch.setattr(GateHand, "accept", checked)


async def test_a_move_goes_on_when_the_token_is_right_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    locks = _Locks(monkeypatch)
    handle = await bench.switch()
    await asyncio.wait_for(locks.refused.wait(), 20)
    locks.opened.set()
    result = await bench.finished(handle)
    assert (result.outcome, bench.world.writers, bench.world.violations) == ("completed", [B], [])


async def test_an_undo_waits_for_the_right_token_and_strands_nobody(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = _Locks(monkeypatch)
    async with serving(temporal, tmp_path, World(), thresholds={**UNHURRIED, "outage_budget": "PT2S"}) as bench:
        handle = await bench.switch()
        await bench.until_phase(handle, "undoing")
        locks.opened.set()
        ending = await bench.ending(handle)
        assert (ending, bench.world.writers, bench.world.violations) == ("RolledBack", [A], [])
