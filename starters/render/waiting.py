"""What a run waits for, of whom, and the command that ends the wait; a command stands on a line of its own, to be copied."""

from __future__ import annotations

from activities.run.models.control import Control
from estate.checklists import Gate
from starters.client.following import Watched
from starters.history.model import facts_of
from starters.history.parse import Chronicle
from starters.history.people import approvers
from workflows.run.models import Status
from workflows.run.phases import Phase


def notices(watched: Watched) -> list[str]:
    """Return what a person should know or do now."""
    lines = [watched.note] if watched.note else []
    lines += [f"tried again: {trouble}" for trouble in watched.troubles]
    lines += waiting_lines(watched)
    # A status that was asked for in an earlier phase does not say what can be ordered now.
    lines += control_lines(watched.status if watched.status and watched.status.phase == watched.chronicle.phase else None)
    for child in watched.children:
        lines += child_lines(child)
    return lines + _one_word_for_all(watched)


def _one_word_for_all(watched: Watched) -> list[str]:
    """Return how one attestation of a node ends the wait of all that led there."""
    node = watched.chronicle.asked.get("node")
    if not node or not any(one.status and one.status.waits_for_attestation for one in watched.children):
        return []
    return [f"or, if {node} is stopped, once for all that led there:", f"  failover attest {node} --member {node} --by NAME"]


def child_lines(child: Watched) -> list[str]:
    """Return for what a run waits that this one has started, of whom, and the command."""
    chronicle, name = child.chronicle, child.place.name
    title = f"waits for {chronicle.workflow} {name}, which is {chronicle.phase}"
    if child.status is not None:
        return [f"{title}:", *(f"  {line}" for line in waiting_lines(child))]
    roles = ", ".join(facts_of(chronicle).approvers)
    asked = f" by {roles}" if roles and chronicle.phase == Phase.AWAITING_APPROVAL else ""
    return [f"{title}{asked}; no worker answers, so its plan cannot be shown:", f"  failover status {name}"]


def waiting_lines(watched: Watched) -> list[str]:
    """Return what a run waits for by its own word, of whom, and the command."""
    told = {
        Phase.PROVING: proof_lines,
        Phase.BLOCKED: blocked_lines,
        Phase.AWAITING_APPROVAL: approval_lines,
        Phase.HELD: held_lines,
        Phase.CHECKING: check_lines,
        Phase.REVIEWING: check_lines,
    }
    own = next((lines for phase, lines in told.items() if phase == watched.chronicle.phase), None)
    return own(watched.status, watched.chronicle) if own and watched.status else []


def proof_lines(status: Status, _: Chronicle) -> list[str]:
    """Return what a forced failover waits for, and the command that ends the wait."""
    old = status.waits_for_attestation
    if not old:
        return []
    return [
        f"waits for proof that {old} is stopped. Only if you know that it is (its machine is off or deallocated):",
        f"  failover attest {status.cluster} --member {old} --by NAME",
    ]


def blocked_lines(status: Status, _: Chronicle) -> list[str]:
    """Return which disruption budget blocks a drain, and the ways on."""
    return [
        status.explanation,
        "goes on as soon as the disruption budget allows it; or",
        f"  failover override-budget {status.cluster} --by NAME",
        f"  failover cancel {status.cluster}",
    ]


def check_lines(status: Status, _: Chronicle) -> list[str]:
    """Return which items of the checklist a run waits for, and the commands for those that people must say."""
    open_ = [one for one in status.checks if one.holds and (one.gate is Gate.AFTER) == (status.phase is Phase.REVIEWING)]
    lines = [f"waits for {one.told()}" for one in open_]
    lines += [f"  failover attest {status.cluster} --item {one.key} --by NAME" for one in open_ if one.human]
    ends = [f"  failover cancel {status.cluster}"]
    return [*lines, "a cancel ends the wait; what is done stays:", *ends] if status.can_be_ended else lines


def held_lines(status: Status, _: Chronicle) -> list[str]:
    """Return by whom a run is held, and the command that lets it go on."""
    return [status.explanation, f"  failover release {status.cluster} --by NAME", f"  failover cancel {status.cluster}"]


def control_lines(status: Status | None) -> list[str]:
    """Return what people may order of a run now, and a hold that has not stopped it yet."""
    if status is None:
        return []
    lines = [status.held] if status.held and status.phase is not Phase.HELD else []
    for what, offers in ((Control.SKIP, status.can_skip), (Control.FORCE, status.can_force)):
        lines += [f"can be {what.done}: {one.step} ({one.means})" for one in offers]
        lines += [f"  failover {what.value} {status.cluster} STEP --by NAME --reason WHY"] if offers else []
    return lines


def approval_lines(status: Status, chronicle: Chronicle) -> list[str]:
    """Return what waits for whose approval, and the command that decides it."""
    if status.plan is None or status.approval is None:
        return []
    plan, approval = status.plan, status.approval
    until = f" until {approval.expires_at:%H:%M:%S} UTC" if approval.expires_at else ""
    yes = sum(vote.approve for vote in approval.votes)
    # An older worker's answer does not name people: the estate, as the run was told of it, does.
    roles = approval.of_whom if approval.people else ", ".join(approvers(chronicle, approval.roles))
    return [
        f"plan {plan.digest}: {plan.headline or plan.heading()}",
        f"waits for {approval.missing} {'more ' if yes else ''}of {roles}{until} ({yes} so far):",
        f"  failover approve {plan.cluster} --by NAME --plan {plan.digest}",
        *check_lines(status, chronicle),
    ]
