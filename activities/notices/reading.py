"""What a run waits for and how it stands, read from its answer and from what Temporal lists of it. Pure."""

from __future__ import annotations

from temporalio.client import WorkflowExecution, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey

from activities.notices.models import CloseKind, Facts, Need, Said
from activities.notices.plain import plain
from activities.run.models.report import Outcome
from estate.notices import Event

RUN = SearchAttributeKey.for_keyword("FailoverRun")
OUTCOME = SearchAttributeKey.for_keyword("FailoverOutcome")
MODE = SearchAttributeKey.for_keyword("FailoverMode")
DRILL, DRILLS = "drill", "failover-drill"
_WELL = {Outcome.COMPLETED, Outcome.RECOVERED, Outcome.DRY_RUN}
ASKING, PROVING = "awaiting approval", "awaiting proof"
COMMANDS = {
    "blocked by a disruption budget": "override-budget",
    "held": "release",
    "awaiting a judgement": "drill judge --pass --notes SEEN",
    "awaiting the checklist": "attest --item KEY",
    "awaiting the checklist after": "attest --item KEY",
}
"""Phase in which people are waited for → the command that lets the run go on."""


def facts_of(run: WorkflowExecution, said: Said | None) -> Facts:
    """Return what is told of a run. ``said``: its own answer; ``None``: none came."""
    found = run.typed_search_attributes
    said = said or Said()
    ended = said.outcome or _ending(run)
    if run.status is WorkflowExecutionStatus.RUNNING:
        ended = ""
    return Facts(
        workflow_id=plain(run.id),
        run_id=run.run_id,
        workflow=run.workflow_type,
        parent=run.parent_id or "",
        started_at=run.start_time,
        drill=found.get(RUN) == DRILL or run.workflow_type == DRILLS,
        mode=said.mode or found.get(MODE) or "",
        by=plain(said.by),
        reason=plain(said.reason),
        headline=plain(said.plan.headline) if said.plan else "",
        need=None if ended else _need(run.id, said),
        forward_only=bool(said.forward_only),
        ended=ended,
        well=ended in _WELL,
        why=plain(said.explanation) if ended else "",
        closed_at=run.close_time,
    )


def _ending(run: WorkflowExecution) -> str:
    """Return the outcome that the run has left, or how Temporal has closed it; empty: it is open."""
    left = run.typed_search_attributes.get(OUTCOME)
    if run.status in {None, WorkflowExecutionStatus.RUNNING}:
        return ""
    closed = CloseKind[run.status.name].value if run.status.name in CloseKind.__members__ else str(run.status.name)
    return closed if run.status is WorkflowExecutionStatus.TERMINATED else left or closed


def _need(workflow_id: str, said: Said) -> Need | None:
    if said.phase == ASKING and said.plan and said.approval:
        command = f"failover approve {workflow_id} --by NAME --plan {said.plan.digest}"
        whom, until = plain(said.approval.of_whom), said.approval.expires_at
        return Need(event=Event.APPROVAL, key=said.plan.digest, what=whom, command=plain(command), until=until)
    if said.phase == PROVING and said.waits_for_attestation:
        member = plain(said.waits_for_attestation)
        command = f"failover attest {workflow_id} --member {member} --by NAME"
        what = f"proof that {member} is stopped; attest it only if you know"
        return Need(event=Event.WAITING, key=f"proof of {member}", what=what, command=plain(command))
    if said.phase in COMMANDS:
        command = f"failover {COMMANDS[said.phase]} {workflow_id} --by NAME"
        return Need(event=Event.WAITING, key=said.phase, what=plain(said.explanation) or said.phase, command=plain(command))
    return None
