"""A run that did not come to its end, in plain words: what is the matter, what is left, and what to type.

A run settles first what an earlier one left in the leader record, so starting the same procedure again is the remedy,
with two exceptions. Where the record is clean already, starting it again would be a new move, back again. Where somebody
else has written the record, nobody should start anything before it is known who.
"""

from __future__ import annotations

from dataclasses import dataclass

from activities.run.errors import Refusal
from activities.run.models.report import Outcome
from activities.run.models.todo import Todo, kinds_of
from starters.client.requests import ADOPT, REJOIN
from starters.client.targets import Place
from starters.history.model import Facts
from workflows.catalog import spec_of
from workflows.run.phases import Phase
from workflows.run.procedure import Remedies

_CUT_OFF = {"terminated", "timed out", "failed"}


@dataclass(frozen=True)
class Remedy:
    """What a person does about a run."""

    lines: tuple[str, ...]
    """What is the matter, then what to do."""
    resumable: bool
    """Starting the same procedure again finishes what is left."""


def remedy_of(facts: Facts) -> Remedy | None:
    """Return what to do about a run; ``None`` when it needs nobody."""
    spec = spec_of(facts.workflow)
    if spec and spec.request.subject == "postgres":
        return _of_postgres(facts)
    told = spec.remedies if spec else Remedies()
    cut_off = facts.outcome is None and facts.close in _CUT_OFF
    matters = {Outcome.STRANDED: told.stranded, Outcome.ROLLBACK_INCOMPLETE: told.undo_incomplete}
    matter = told.cut_off if cut_off else matters.get(facts.outcome) if facts.outcome else None
    if matter is None:
        return None
    look = told.look or f"failover plan {facts.workflow} {{target}}"
    lines = (line.format(target=facts.asked.cluster, close=facts.close) for line in (matter, f"Look: {look}", told.again))
    return Remedy(tuple(filter(None, lines)), resumable=False)


def _of_postgres(facts: Facts) -> Remedy | None:
    """Return what to do about a cluster: what an interrupted run left in the leader record comes first."""
    if facts.open:
        return _of_open(facts)
    if facts.outcome is Outcome.ROLLBACK_INCOMPLETE:
        return _resume(
            facts,
            "WRITES MAY BE STOPPED: the undo did not come to its end, so the old primary may still be fenced.",
            "Repair what is silent or refuses (failover doctor says what), then",
            "It first undoes what is left, or finishes it if the new primary leads already; then it makes a new plan.",
        )
    if facts.outcome is Outcome.STRANDED:
        return _of_stranded(facts)
    return _of_cut_off(facts) if facts.outcome is None and facts.close in _CUT_OFF else None


def _of_open(facts: Facts) -> Remedy | None:
    if facts.phase != Phase.STRANDED:
        return None
    candidate = facts.known.plan.candidate if facts.known.plan else "the candidate"
    return Remedy(
        (
            f"WRITES ARE STOPPED: {candidate} did not confirm its promotion, and until its gate answers nobody may decide.",
            f"Bring the pod or node of {candidate} back: the run then goes on, forward or back. Do not terminate it.",
        ),
        resumable=False,
    )


def _of_stranded(facts: Facts) -> Remedy:
    left = kinds_of(facts.known.left_to_do)
    if facts.workflow == ADOPT:
        return _resume(
            facts,
            "The first leader record is written, or may be; what follows is not done.",
            "Repair the cause (failover doctor), then",
            "It finishes this adoption and takes nothing back.",
        )
    if Todo.ROUTE in left and facts.refusal == Refusal.SUPERSEDED:
        return Remedy(
            (
                "THE NEW PRIMARY GETS NO WRITES: it was promoted, and then somebody else wrote the leader record.",
                "Start nothing yet. Find out who: see failover/* on the write Service, and the logs of both gates.",
            ),
            resumable=False,
        )
    if Todo.RESTORE_PRIMARY in left:
        return _resume(
            facts,
            "WRITES MAY BE STOPPED: nobody could find out whether the new primary was promoted.",
            "Bring its pod or node back, then",
            "It asks the gate: a promotion that happened is finished, one that did not is undone.",
        )
    if Todo.FINISH in left or Todo.ROUTE in left:
        return _resume(
            facts,
            "The new primary leads; what follows the promotion is not done, and the leader record says so.",
            "Repair the cause (failover doctor), then",
            "It finishes this switch and moves nothing.",
        )
    return _by_hand(facts)


def _by_hand(facts: Facts) -> Remedy:
    name = Place(facts.workflow_id).name
    return Remedy(
        (
            "Service is restored and the leader record is clean; only what is listed as left to do is missing.",
            f"Restart such Deployments by hand; for redundancy: failover start {REJOIN} {name} --by YOU",
            f"Do not start {facts.workflow} again for this: it would move the writes once more.",
        ),
        resumable=False,
    )


def _of_cut_off(facts: Facts) -> Remedy:
    if any(step.name == "postgres.finish" and step.end == "completed" for step in facts.steps):
        return Remedy(("It was ended after its last step: everything was done.",), resumable=False)
    if facts.workflow == REJOIN:
        return Remedy(("It was ended, and only observed: the gates go on.",), resumable=False)
    return _resume(
        facts,
        f"It was ended from outside ({facts.close}): nothing was undone, and WRITES MAY BE STOPPED.",
        "Now",
        "It first undoes or finishes what is left in the leader record.",
    )


def _resume(facts: Facts, matter: str, before: str, then: str) -> Remedy:
    command = f"failover resume {Place(facts.workflow_id).name} --by YOU"
    return Remedy((matter, f"{before}: {command}", then), resumable=True)
