"""How a run that was followed or looked up becomes a command's answer.

Every JSON answer about a run has the keys of ``RUN_SHAPE`` at its top: ``workflow``, ``workflow_id``, ``run_id``,
``outcome`` (``null`` while it is open), ``phase``, ``digest`` (of the plan, as ``approve --plan`` takes it) and ``status``
(what the run said of itself; ``null`` once it has ended, or when no worker answers).
"""

from __future__ import annotations

from typing import Any

from starters.client.answers import Answer
from starters.client.following import Watched
from starters.history.model import Facts, facts_of
from starters.history.parse import Chronicle
from starters.render.terminal import brief
from starters.render.waiting import notices
from starters.render.words import exit_of, headline
from workflows.run.models import Status


def machine_view(facts: Facts, status: Status | None = None) -> dict[str, Any]:
    """Return the facts as JSON, with the headline that people see."""
    plan = facts.known.plan or (status.plan if status else None)
    told = {"digest": (plan.digest or None) if plan else None, "status": status.model_dump(mode="json") if status else None}
    return {"headline": headline(facts), **facts.model_dump(mode="json"), **told}


def view_of(watched: Watched) -> dict[str, Any]:
    """Return a run that somebody looks at as JSON: with its notices, and the runs it waits for that wait for people."""
    children = [machine_view(facts_of(one.chronicle), one.status) for one in watched.children]
    facts = facts_of(watched.chronicle)
    return {**machine_view(facts, watched.status), "notices": notices(watched), "children": children}


def shape_of(chronicle: Chronicle, status: Status) -> dict[str, Any]:
    """Return what every JSON answer about a run has, for one that has just answered an update."""
    return {
        "workflow": chronicle.workflow,
        "workflow_id": chronicle.workflow_id,
        "run_id": chronicle.run_id,
        "outcome": status.outcome,
        "phase": status.phase.value,
        "digest": status.plan.digest if status.plan else None,
        "status": status.model_dump(mode="json"),
    }


def answer_of(facts: Facts) -> Answer:
    """Return the short end of a run."""
    return Answer(exit_of(facts), machine_view(facts), brief(facts))
