"""The loop of a measuring writer: who is silent right after a switch is asked again, and only then the loss is not known."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from temporalio.activity import ActivityCancellationDetails
from temporalio.testing import ActivityEnvironment

from activities.run import measured as module
from activities.run.errors import UnreachableError
from activities.run.measured import measured
from activities.run.models.measure import Measurement


class _Rows:
    """Takes every row; is silent so many times when it is asked which are missing."""

    def __init__(self, silences: int) -> None:
        self.silences, self.removed = silences, False

    async def prepare(self) -> None:
        pass

    async def write(self, row: int) -> None:
        pass

    async def missing(self, rows: tuple[int, ...]) -> int:
        if self.silences:
            self.silences -= 1
            raise UnreachableError("no server is known to be the master")
        return len(rows) - len(set(rows))

    async def remove(self) -> None:
        self.removed = True


async def _measure(rows: _Rows) -> Measurement:
    environment = ActivityEnvironment()
    running = asyncio.create_task(environment.run(measured, rows, timedelta(seconds=0.01)))
    await asyncio.sleep(0.1)
    environment.cancel()
    result = await running
    assert isinstance(result, Measurement)
    return result


async def test_the_loss_is_counted_once_the_silent_one_answers() -> None:
    rows = _Rows(silences=2)
    result = await _measure(rows)
    assert (result.lost, result.note, rows.removed) == (0, "", True)
    assert result.acknowledged > 0


async def test_who_stays_silent_leaves_the_loss_unknown_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHECK_WITHIN_SECONDS", 0.5)
    rows = _Rows(silences=1000)
    result = await _measure(rows)
    assert result.lost is None
    assert result.note == "loss could not be checked: no server is known to be the master"
    assert not rows.removed


async def test_an_attempt_that_another_one_has_followed_removes_nothing() -> None:
    """Its rows are the other one's, too: without them that one would count its own as lost."""
    rows, environment = _Rows(silences=0), ActivityEnvironment()
    running = asyncio.create_task(environment.run(measured, rows, timedelta(seconds=0.01)))
    await asyncio.sleep(0.1)
    environment.cancel(cancellation_details=ActivityCancellationDetails(not_found=True))
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not rows.removed
