"""Whether a watch has begun this run, and what follows from that.

Nobody can claim it: Temporal itself says who a run's parent is. A name typed as ``by`` says nothing.
"""

from __future__ import annotations

from temporalio import workflow

from activities.errors import Refusal, refuse
from estate.base import Target
from estate.watching import Policy
from gate.pause import is_paused, pause_words
from gate.record import Record
from workflows.watch_models import FOUND, WATCHES, Found


def begun_by_watch() -> bool:
    """Whether this run's parent is a watch."""
    parent = workflow.info().parent
    return parent is not None and parent.workflow_id.startswith(WATCHES)


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
    if record is not None and begun_by_watch() and is_paused(record, workflow.now()):
        raise refuse(Refusal.PAUSED, f"a watch has begun this run, and what happens by itself is {pause_words(record)}")
