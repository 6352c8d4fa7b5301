"""Checklists of a run: looked at by steps and said by people, before anything changes and after all has succeeded.

    before:  look (while people are asked to approve) -> they agree -> nothing mandatory is open -> survey again -> go on
    after:   all has succeeded -> look -> nothing mandatory is open, or time is up, or a cancel -> the run ends

A run whose target has no list takes no step and waits for nothing. Before, an item that stays open refuses the run once the
list's time is up; nothing was changed. After, it undoes nothing: what is open is listed as left to do. What a look cannot
find out is not done. A look that is older than 10 minutes is repeated before a run goes on.

People skip an item as they skip a step (``checklist/KEY``): with name and reason, signed where the policy says so. A run
that has the approvals of the run that has begun it has that one's list, too. One that a watch has begun without asking
anybody waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.run.models.plan import Plan
from estate.base import Target
from estate.checklists import Gate
from workflows.run.listed import Listed
from workflows.run.models import is_of_readiness
from workflows.run.state import RunState
from workflows.run.uncancellable import uncancellable

P = TypeVar("P", bound=Plan)


@asynccontextmanager
async def listed_before(state: RunState[Any], target: Target, *, asks: bool) -> AsyncIterator[Listed | None]:
    """Open the list and begin to look, while the block asks people to agree; ``None``: there is nothing to look at.

    ``asks``: people are asked of this run.
    """
    listed = Listed(state, target, Gate.BEFORE)
    if listed.is_empty or not asks or state.granted is not None:
        yield None
        return
    listed.open()
    try:
        yield listed
    finally:
        listed.close()


async def agreed_with(listed: Listed | None, agreeing: Coroutine[Any, Any, P]) -> tuple[P, bool]:
    """Await ``agreeing``, looking meanwhile; return the plan, and whether it must be made again: the list took a wait."""
    if listed is None:
        return await agreeing, False
    first = asyncio.create_task(listed.look(all_=True))
    try:
        return await agreeing, await listed.passed(first)
    finally:
        first.cancel()
        with suppress(asyncio.CancelledError, FailureError):
            await first


async def looked_before(state: RunState[Any], target: Target) -> tuple[str, ...]:
    """Look at the items of a dry run, once; return a sentence for each that would hold a run. Nobody is waited for."""
    listed = Listed(state, target, Gate.BEFORE)
    by_another = workflow.info().parent is not None or is_of_readiness(workflow.info().workflow_id)
    if listed.is_empty or by_another:
        return ()
    listed.open()
    await listed.look(all_=True)
    listed.close()
    return tuple(f"checklist: {one.told()}" for one in listed.holding if not one.human)


async def reviewed_after(state: RunState[Any], target: Target, *, asks: bool) -> str:
    """Keep the list of what must be so after a success, once; return what to say of it. Raises nothing, undoes nothing."""
    listed = Listed(state, target, Gate.AFTER)
    if listed.is_empty or state.granted is not None or any(one.gate is Gate.AFTER for one in state.checks):
        return ""
    state.forward_only = state.can_be_ended = True
    listed.open()
    if asks:
        words = await uncancellable(listed.reviewed())
    else:
        await uncancellable(listed.look(all_=True))
        words = listed.listed()
    listed.close()
    return words


def checklists_of(state: RunState[Any]) -> dict[str, Any]:
    """Return the items by gate, as a drill's record keeps them; empty: the run has no list."""
    gates = dict.fromkeys(one.gate for one in state.checks)
    return {
        gate.value: [one.model_dump(mode="json", exclude_none=True) for one in state.checks if one.gate is gate]
        for gate in gates
    }
