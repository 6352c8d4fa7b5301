"""The wait for a person's statement that what failed is stopped, and for whatever else may end the same wait."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import workflow

from workflows.run.state import RunState


async def attested(
    state: RunState[Any],
    within: timedelta,
    *,
    before: str = "",
    or_when: Callable[[], bool] = lambda: False,
    summary: str = "wait for an attestation",
) -> bool:
    """Wait for a statement other than ``before``, or until ``or_when``; return whether either has come in time.

    Raises:
        CancelledError: the run is cancelled meanwhile.

    """
    try:
        await workflow.wait_condition(
            lambda: or_when() or state.attested_by != before,
            timeout=max(within, timedelta(0)),
            timeout_summary=summary,
        )
    except TimeoutError:
        return False
    return True
