"""One drill at a time, and none while drills are stopped.

    look -> ... -> be listed as a drill that goes on -> look again -> there

Of two that begin at once at least one sees the other when it looks again, and gives way with nothing changed; both may.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

from activities.drills.models import DrillDetails, LeverLook
from activities.drills.steps import DrillActivities
from activities.run.errors import Refusal, refuse
from estate.drilled import DrillTarget
from workflows.run.phases import Phase
from workflows.run.state import RunState
from workflows.run.steps import step

_LISTED_WITHIN = timedelta(seconds=2)
"""Until Temporal lists a run with a search attribute that it has just been given; our estimate."""


async def must_be_alone(target: DrillTarget) -> None:
    """Return if nobody has stopped drills and no other one goes on.

    Raises:
        ApplicationError: ``DrillsStopped`` or ``ClaimedElsewhere``; nothing was changed.

    """
    lever = await step(DrillActivities.lever, LeverLook(target=target))
    if lever.stopped:
        raise refuse(Refusal.DRILLS_STOPPED, f"drills are stopped {lever.stopped}; failover drill resume")
    if lever.others:
        raise refuse(Refusal.CLAIMED_ELSEWHERE, f"{lever.others[0]} goes on; one drill at a time; nothing was changed")


async def claim(state: RunState[DrillDetails], target: DrillTarget) -> None:
    """Be listed as a drill that goes on, and only then look for others. ApplicationError: as ``must_be_alone``."""
    if not workflow.patched("one-drill-at-a-time"):
        return
    state.enter(Phase.DRILLING, "does another one go on?")
    await workflow.sleep(_LISTED_WITHIN, summary="until this drill is listed as going on")
    await must_be_alone(target)
