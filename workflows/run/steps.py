"""How a workflow takes a step: one typed call; how long to insist and what the UI shows stand beside the activity."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from temporalio import workflow

from activities.run.declare import declared
from activities.run.models.wire import RunId
from activities.run.postures import Posture

R = TypeVar("R")
T = TypeVar("T")

_LONGEST_SUMMARY = 200


def me() -> RunId:
    """Return this run."""
    info = workflow.info()
    return RunId(workflow_id=info.workflow_id, run_id=info.run_id)


def begin(
    method: Callable[[Any, R], Awaitable[T]], request: R, *, posture: Posture | None = None
) -> workflow.ActivityHandle[T]:
    """Begin a step beside others. ``posture``: instead of the step's own."""
    step = declared(method)
    summary = step.summary(request)[:_LONGEST_SUMMARY]
    # A run from before asks for a step by its earlier name.
    if step.earlier is not None and not workflow.patched("plain-step-names"):
        method = step.earlier
    return workflow.start_activity_method(method, request, summary=summary, **(posture or step.posture))


async def step(method: Callable[[Any, R], Awaitable[T]], request: R, *, posture: Posture | None = None) -> T:
    """Take a step and return its answer.

    Raises:
        ActivityError: the step refused, failed for as long as its posture insists, or was cancelled.

    """
    return await begin(method, request, posture=posture)
