"""A server may refuse the token of a page that it handed out itself: whoever reads begins anew and misses nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from unittest.mock import patch

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from starters.client.following import Watched, follow
from starters.client.server import read_run
from starters.client.targets import Place
from tests.starters.conftest import Stage

_REFUSAL = "Current and request branch tokens, or current and request versioned transitions, don't match."
_READ_EVENTS = WorkflowHandle.fetch_history_events


@contextmanager
def _refusing(times: int, after: int) -> Iterator[list[int]]:
    """Refuse what comes after the first events, as often as ordered. Yields when it was done: one entry each."""
    refused: list[int] = []

    async def read(handle: WorkflowHandle[Any, Any], **asked: Any) -> AsyncIterator[HistoryEvent]:
        handed_over = 0
        async for event in _READ_EVENTS(handle, **asked):
            if len(refused) < times and handed_over == after:
                refused.append(event.event_id)
                raise RPCError(_REFUSAL, RPCStatusCode.INVALID_ARGUMENT, b"")
            handed_over += 1
            yield event

    with patch.object(WorkflowHandle, "fetch_history_events", read):
        yield refused


class _Nothing:
    period = 0.05

    def show(self, watched: Watched, now: datetime) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize("times", [1, 3])
async def test_a_watch_goes_on_to_the_end(stage: Stage, times: int) -> None:
    handle = await stage.bench.switch(to="postgresql-standby-0")
    with _refusing(times, after=4) as refused:
        seen = await follow(stage.bench.client, Place(handle.id), _Nothing())

    whole = await read_run(stage.bench.client, Place(handle.id))
    assert (len(refused), seen.close, seen.steps.keys()) == (times, "completed", whole.steps.keys())


@pytest.mark.parametrize(("after", "times"), [(4, 3), (0, 1)])
async def test_one_that_is_refused_for_ever_or_from_the_start_is_said(stage: Stage, after: int, times: int) -> None:
    handle = await stage.bench.switch(to="postgresql-standby-0")
    await handle.result()
    with _refusing(times, after), pytest.raises(RPCError, match="branch tokens"):
        await read_run(stage.bench.client, Place(handle.id))
