"""Whether a watch has begun this run, and what follows from that.

Nobody can claim it: Temporal itself says who a run's parent is. A name typed as ``by`` says nothing. What a run that a watch
has begun begins in its turn is held by a pause like itself; it asks people all the same.
"""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow

from activities.run.errors import Refusal, refuse
from activities.run.models.lease import Unrenewed
from activities.run.models.wire import Wire
from activities.run.watches import WATCHES
from estate.base import Target
from estate.watching import Policy
from gate.loop.pause import is_paused, pause_words
from gate.record import Record
from workflows.run.models import ShortName

FOUND = "found"
"""Name of the memo that holds a ``Found``."""
BY_ITSELF = "by-itself"
"""Name of the memo, true, of a run that was begun by one that nobody has asked for."""


class Found(Wire):
    """What a watch has found: memo of a run that it has begun, and ignored in any other."""

    member: ShortName
    since: datetime | None = None
    """When the first of its witnesses began to see it so."""
    unrenewed: Unrenewed | None = None


def is_watch(workflow_id: str) -> bool:
    """Whether ``workflow_id`` is a watch's."""
    return workflow_id.removeprefix(WATCHES) != workflow_id


def begun_by_watch() -> bool:
    """Whether this run's parent is a watch."""
    parent = workflow.info().parent
    return parent is not None and is_watch(parent.workflow_id)


def by_itself() -> bool:
    """Whether nobody has asked for this run: a watch has begun it, or the run that has begun it says so."""
    return begun_by_watch() or workflow.memo_value(BY_ITSELF, False, type_hint=bool)  # noqa: FBT003 - a default


def handed_on() -> dict[str, bool]:
    """Return the memo of a run that this one begins: a pause holds it too when nobody has asked for this one."""
    return {BY_ITSELF: True} if by_itself() else {}


def goes_by_itself(target: Target) -> bool:
    """Whether a watch has begun this run, and the estate lets it go on without asking anybody."""
    return begun_by_watch() and target.watching.policy is Policy.AUTOMATIC


def found_by_watch() -> Found | None:
    """Return what a watch has found, in a run that it has begun."""
    return workflow.memo_value(FOUND, None, type_hint=Found) if begun_by_watch() else None


def must_not_be_held(record: Record | None) -> None:
    """Return unless a pause holds what happens by itself.

    Raises:
        ApplicationError: ``Paused``; nothing was changed.

    """
    if record is not None and is_paused(record, workflow.now()) and by_itself():
        raise refuse(Refusal.PAUSED, f"nobody has asked for this run, and automatic actions are {pause_words(record)}")
