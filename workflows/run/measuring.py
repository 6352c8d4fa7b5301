"""The end of the measuring writer that runs beside a switch."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.run.models.measure import Measurement
from workflows.run.outcome import cause_of


async def measurement_of(writer: workflow.ActivityHandle[Measurement]) -> Measurement:
    """End ``writer`` and return what it saw; a run does not fail for its measurement."""
    writer.cancel()
    try:
        return await writer
    except (asyncio.CancelledError, FailureError) as error:
        return Measurement(note=f"not measured: {cause_of(error)[1]}")
