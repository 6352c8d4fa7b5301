"""Whether a watch has begun this run, and what follows from that.

Nobody can claim it: Temporal says who a run's parent is, and that parent must be the one watch of this target, in our own
namespace, of the right type, on our task queue, and running (``activities.run.parents``). Until that has been looked at, and
for anybody else, a run is a person's: it asks for approvals, and nobody withdraws it. A name typed as ``by`` says nothing.
What a run that a watch has begun begins in its turn is held by a pause like itself; it asks people all the same.
"""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow

from activities.run.errors import Refusal, refuse
from activities.run.models.lease import Unrenewed
from activities.run.models.wire import RunId, Wire
from activities.run.parents import ParentActivities, ParentRequest
from activities.run.watches import WATCH_TYPES, WATCHES, watch_of
from estate.base import Target
from gate.loop.pause import is_paused, pause_words
from gate.record import Record
from workflows.run.models import ShortName
from workflows.run.steps import step

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


def may_be_begun_by_watch() -> bool:
    """Whether this run's parent has the workflow ID of a watch."""
    parent = workflow.info().parent
    return parent is not None and is_watch(parent.workflow_id)


async def begun_by_watch(target: Target) -> bool:
    """Look whether this run's parent is the watch of ``target``."""
    parent, (kind, name) = workflow.info().parent, target.detection
    if parent is None or not is_watch(parent.workflow_id):
        return False
    if not workflow.patched("look-at-the-parent"):  # a run from before trusts the workflow ID
        return True
    if parent.workflow_id != watch_of(kind, name):
        return False
    own = RunId(workflow_id=parent.workflow_id, run_id=parent.run_id)
    request = ParentRequest(parent=own, namespace=parent.namespace, workflow=WATCH_TYPES.get(kind, ""))
    seen = await step(ParentActivities.look, request)
    if not seen.is_watch:
        workflow.logger.warning("Not begun by a watch: %s", seen.message)
    return seen.is_watch


def by_itself() -> bool:
    """Whether nobody has asked for this run: a watch has begun it, or the run that has begun it says so."""
    return may_be_begun_by_watch() or workflow.memo_value(BY_ITSELF, False, type_hint=bool)  # noqa: FBT003 - a default


def handed_on() -> dict[str, bool]:
    """Return the memo of a run that this one begins: a pause holds it too when nobody has asked for this one."""
    return {BY_ITSELF: True} if by_itself() else {}


def found_in_memo() -> Found | None:
    """Return what a watch says that it has found, to a run that it has begun."""
    return workflow.memo_value(FOUND, None, type_hint=Found)


def must_not_be_held(record: Record | None) -> None:
    """Return unless a pause holds what happens by itself.

    Raises:
        ApplicationError: ``Paused``; nothing was changed.

    """
    if record is not None and is_paused(record, workflow.now()) and by_itself():
        raise refuse(Refusal.PAUSED, f"nobody has asked for this run, and automatic actions are {pause_words(record)}")
