"""A run as people see it in the Temporal UI: phase, plan, approvals, and what to type where it waits for somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workflows.run.phases import Phase

if TYPE_CHECKING:
    from workflows.run.state import RunState


def text_of(state: RunState[Any]) -> str:
    """Return the run as Markdown: phase, plan, approvals, what would be undone, what is left."""
    lines = [f"**{state.phase.value}** {state.said}".strip()]
    if state.request:
        lines.append(f"asked by {state.request.by or 'nobody named'}: {state.request.reason or 'no reason given'}")
    if state.plan:
        lines.append(f"plan `{state.plan.digest}`: {state.plan.headline}")
        lines.append("\n".join(f"{number}. {step}" for number, step in enumerate(state.plan.steps, 1)))
    lines += _approval_lines(state)
    if state.plan:
        lines += state.plan.remarks
    if state.plan and state.plan.diagnosis:
        lines += [state.plan.diagnosis.reason, f"loss: {state.plan.loss}"]
        lines.append("\n".join(f"- {line}" for line in state.plan.diagnosis.evidence))
    if state.attested_by:
        proof = f" (signed with {state.attested_key})" if state.attested_key else ""
        lines.append(f"{state.attested_by} says that {state.plan.attested if state.plan else 'it is stopped'}{proof}")
    lines += state.control.lines(state.request.target if state.request else "")
    lines += state.hints()
    lines += check_lines(state)
    if member := state.waits_for_attestation:
        lines.append(
            f"waits for proof that {member} is stopped: `failover attest {state.plan.cluster if state.plan else ''}"
            f' --member {member} --by NAME`, or the update `attest` with `{{"by": "NAME", "member": "{member}"}}`'
        )
    lines += [f"would be undone: {what}" for what in state.would_undo]
    lines += [f"**left to do:** {what}" for what in state.left_to_do]
    return "\n\n".join(lines)


def check_lines(state: RunState[Any]) -> list[str]:
    """Return the items of the checklists, and what to type for those that people must say."""
    name = state.request.target if state.request else "TARGET"
    lines = [f"checklist {one.gate.value}: {one.told()}" for one in state.checks]
    open_ = [one.key for one in state.checks if one.human and one.gate is state.checking and one.holds]
    if open_:
        lines.append(
            f"waits for {', '.join(open_)}: `failover attest {name} --item KEY --by NAME`, or the update `tick` with"
            f' `{{"by": "NAME", "item": "{open_[0]}"}}`'
        )
    return lines


def _approval_lines(state: RunState[Any]) -> list[str]:
    if state.approvals is None or state.approvals.needed == 0:
        return []
    lines = [
        f"{'approved' if vote.approve else 'rejected'} by {vote.by} as {vote.role}"
        f" ({f'signed with {vote.key}' if vote.verified else 'unverified'}) {vote.note}".strip()
        for vote in state.approvals.votes
    ]
    if state.phase is Phase.AWAITING_APPROVAL and state.plan:
        status = state.approvals.status
        until = f"{status.expires_at:%H:%M:%S} UTC" if status.expires_at else "?"
        lines.append(
            f"waits for {status.missing} of {status.of_whom} until {until}:"
            f" `failover approve {state.plan.cluster} --by NAME --plan {state.plan.digest}`,"
            f' or the update `decide` with `{{"by": "NAME", "plan": "{state.plan.digest}", "approve": true}}`'
        )
    return lines
