"""Sentences and figures that all formats of a report share."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from activities.run.errors import Refusal
from activities.run.models.checks import CheckEntry
from activities.run.models.control import Control
from activities.run.models.report import Outcome
from activities.run.models.todo import Todo, kinds_of
from starters.client.answers import Exit
from starters.history.model import Facts
from workflows.run.phases import Phase

_MINUTE, _HOUR = 60.0, 3600.0

_ENDS = {
    Outcome.DRY_RUN: "A plan; nothing was changed",
    Outcome.COMPLETED: "Done",
    Outcome.RECOVERED: "An earlier run's switch was finished; nothing else was done",
    Outcome.REFUSED: "Refused; nothing was changed",
    Outcome.FAILED: "FAIL: the drill did not pass; everything is as before",
    Outcome.WITHDRAWN: "Withdrawn by detection before anybody had decided; nothing was changed",
    Outcome.CANCELLED: "Cancelled before anything had changed",
    Outcome.ROLLED_BACK: "Undone: the old primary has its writes back",
    Outcome.ROLLBACK_INCOMPLETE: "THE UNDO FAILED: writes may be stopped until somebody acts",
    Outcome.STRANDED: "STRANDED past the point of no return: not all was done, and it cannot be undone",
}
_ENDS_OF = {
    "node-failover": {
        Outcome.ROLLED_BACK: "Undone: the node takes pods again",
        Outcome.ROLLBACK_INCOMPLETE: "THE UNDO FAILED: the node may still be cordoned",
    }
}
_ENDS_OF["postgres-region-failover"] = {
    Outcome.STRANDED: "STRANDED: Azure was asked to promote; not all was done, and it cannot be undone from here",
}
_ENDS_OF["region-failover"] = _ENDS_OF["region-failback"] = {
    Outcome.ROLLED_BACK: "Undone: nothing was promoted, and the regions are as they were",
    Outcome.ROLLBACK_INCOMPLETE: "THE UNDO IS NOT COMPLETE: nothing was promoted; the regions are not as they were",
}
_ENDS_OF["gateway-failover"] = {
    Outcome.ROLLED_BACK: "Undone: the gateway is as it was",
    Outcome.ROLLBACK_INCOMPLETE: "THE UNDO IS NOT COMPLETE: the gateway is not as it was before",
}
_ENDS_OF["failover-drill"] = {
    Outcome.COMPLETED: "PASS; everything is as before",
    Outcome.CANCELLED: "Cancelled; everything is as before",
    Outcome.STRANDED: "STRANDED: not everything is as it was before the drill",
}
_HELD_UP: dict[str, str] = {
    Phase.AWAITING_APPROVAL: "Waits for approval; nothing has been changed yet",
    Phase.PROVING: "Waits for proof, or for an attestation, that the failed server is stopped",
    Phase.JUDGING: "Over, and everything is as before; waits for a person to judge it: failover drill judge",
    Phase.CHECKING: "Waits for its checklist; nothing has been changed yet",
    Phase.REVIEWING: "Done; waits for what the checklist asks for afterwards",
    Phase.HELD: "Held by a person; goes on only when released",
    Phase.BLOCKED: "Blocked by a disruption budget; waits until it allows, or for an override",
}
_GIVEN_UP_ADOPTION = "Abandoned: nobody leads yet; the directories are as they were, but for the product's own roles"


def headline(facts: Facts) -> str:
    """Return how the run stands, in one line."""
    if facts.outcome in {Outcome.REFUSED, Outcome.CANCELLED} and any(step.name == "postgres.adopt" for step in facts.steps):
        return _GIVEN_UP_ADOPTION
    if facts.outcome is Outcome.COMPLETED and (skipped(facts) or unchecked(facts)):
        return "Done, but for what was skipped" if skipped(facts) else "Done, but the checklist has open items"
    if facts.outcome is not None:
        return _ENDS_OF.get(facts.workflow, {}).get(facts.outcome, _ENDS[facts.outcome])
    if facts.open:
        return _HELD_UP.get(facts.phase, f"Still going on: {facts.phase or 'no worker has touched it yet'}")
    if facts.close == "terminated":
        return "Terminated in Temporal: nothing was undone; start it again, and it first recovers what was left"
    return f"Ended without a report ({facts.close}); start it again, and it first recovers what was left"


def exit_of(facts: Facts) -> Exit:
    """Return the exit code that tells how the run stands."""
    if facts.waits_for_people:
        return Exit.WAITING
    if facts.outcome is Outcome.REFUSED:
        return Exit.USAGE if facts.refusal == Refusal.BAD_INPUT else Exit.REFUSED
    if facts.outcome is Outcome.WITHDRAWN:
        return Exit.REFUSED
    if facts.outcome in {Outcome.DRY_RUN, Outcome.RECOVERED}:
        return Exit.DONE
    if facts.outcome is Outcome.COMPLETED and facts.verdict.met is not False and not skipped(facts) and not unchecked(facts):
        return Exit.DONE
    return Exit.FAILED


def skipped(facts: Facts) -> bool:
    """Whether people have left a step out."""
    return any(one.what is Control.SKIP and not one.too_late for one in facts.known.control)


def unchecked(facts: Facts) -> bool:
    """Whether mandatory items of what must be so after a success are not done."""
    return Todo.CHECKLIST in kinds_of(facts.known.left_to_do)


def check_lines(checks: Iterable[CheckEntry]) -> list[str]:
    """Return the items of the checklists, a line each, with what was read or who has said it, and when."""
    return [f"{one.gate.value}: {one.told()}{f', {moment(one.at)}' if one.at else ''}" for one in checks]


def verdict_line(facts: Facts) -> str:
    """Return the verdict in three words; empty when there is none."""
    if facts.verdict.met is None:
        return ""
    return "objective met" if facts.verdict.met else "OBJECTIVE MISSED"


def duration(seconds: float | None) -> str:
    """Return seconds as people read them."""
    if seconds is None:
        return "unknown"
    if seconds >= _HOUR:
        return f"{seconds // _HOUR:.0f} h {seconds % _HOUR // _MINUTE:02.0f} min"
    if seconds >= _MINUTE:
        return f"{seconds // _MINUTE:.0f} min {seconds % _MINUTE:04.1f} s"
    return f"{seconds:.3f} s" if seconds < 10 else f"{seconds:.1f} s"  # noqa: PLR2004 - three figures are enough


def moment(at: datetime | None) -> str:
    """Return a time in UTC to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "unknown"


def who(name: str) -> str:
    """Return a person's name, or that nobody was named."""
    return name or "nobody named"


def title(facts: Facts) -> str:
    """Return what the run is, in one line."""
    asked = facts.asked
    kind = {"plan": "plan of ", "drill": "drill of "}.get(asked.run, "")
    mode = f" ({asked.mode})" if asked.mode and facts.workflow != "postgres-rejoin" else ""
    return f"{kind}{facts.workflow} {asked.cluster or facts.workflow_id}{mode}"
