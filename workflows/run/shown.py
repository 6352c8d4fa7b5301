"""A run as people see it in the Temporal UI: what it waits for and what to type, then what it does and what it has done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from activities.run.models.report import Vote
from workflows.run.markdown import plain, to_paste
from workflows.run.phases import Phase

if TYPE_CHECKING:
    from workflows.run.state import RunState


def text_of(state: RunState[Any]) -> str:
    """Return the run as Markdown: phase, what it waits for, plan, what would be undone, what is left."""
    said = state.said.removeprefix(state.phase.value).lstrip("; ")
    lines = [f"**{state.phase.value}** {plain(said)}".strip()]
    lines += _approval_lines(state)
    lines += _attestation_lines(state)
    lines += state.control.lines(state.request.target if state.request else "")
    lines += state.hints()
    lines += check_lines(state)
    if state.request:
        by, reason = plain(state.request.by), plain(state.request.reason)
        lines.append(f"asked by {by or 'nobody named'}: {reason or 'no reason given'}")
    lines += _plan_lines(state)
    lines += [f"would be undone: {plain(what)}" for what in state.would_undo]
    lines += [f"**left to do:** {plain(str(what))}" for what in state.left_to_do]
    return "\n\n".join(lines)


def _plan_lines(state: RunState[Any]) -> list[str]:
    plan = state.plan
    if plan is None:
        return []
    lines = [f"plan `{plan.digest}`: {plain(plan.headline)}"]
    lines.append("\n".join(f"{number}. {plain(step)}" for number, step in enumerate(plan.steps, 1)))
    lines += map(plain, plan.remarks)
    if plan.diagnosis:
        lines += [plain(plan.diagnosis.reason), f"loss: {plain(plan.loss)}"]
        lines.append("\n".join(f"- {plain(line)}" for line in plan.diagnosis.evidence))
    return lines


def check_lines(state: RunState[Any]) -> list[str]:
    """Return the items of the checklists, and what to type for those that people must say."""
    name = state.request.target if state.request else "TARGET"
    lines = [f"checklist {one.gate.value}: {plain(one.told())}" for one in state.checks]
    open_ = [one.key for one in state.checks if one.human and one.gate is state.checking and one.holds]
    if open_:
        lines.append(f"waits for {', '.join(open_)}: `failover attest {name} --item KEY --by NAME`, or the update `tick`:")
        lines.append(to_paste(f'{{"by": "NAME", "item": "{open_[0]}"}}'))
    return lines


def _attestation_lines(state: RunState[Any]) -> list[str]:
    lines = []
    if state.attested_by:
        proof = f" (signed with {state.attested_key})" if state.attested_key else ""
        said = plain(state.plan.attested if state.plan else "it is stopped")
        lines.append(f"{plain(state.attested_by)} says that {said}{proof}")
    if member := state.waits_for_attestation:
        cluster = state.plan.cluster if state.plan else ""
        lines.append(
            f"waits for proof that {member} is stopped: `failover attest {cluster} --member {member} --by NAME`,"
            " or the update `attest`:"
        )
        lines.append(to_paste(f'{{"by": "NAME", "member": "{member}"}}'))
    return lines


def _approval_lines(state: RunState[Any]) -> list[str]:
    if state.approvals is None or state.approvals.needed == 0:
        return []
    lines = []
    if state.phase is Phase.AWAITING_APPROVAL and state.plan:
        status, cluster, digest = state.approvals.status, state.plan.cluster, state.plan.digest
        until = f"{status.expires_at:%Y-%m-%d %H:%M} UTC" if status.expires_at else "?"
        lines.append(f"waits for {status.missing} of {plain(status.of_whom)} until {until}")
        if status.signed:
            lines.append(
                f"only signed votes count: `failover approve {cluster} --by NAME --plan {digest} --key FILE`;"
                " with `--print` it says what to paste into the update `decide`"
            )
        else:
            lines.append(f"`failover approve {cluster} --by NAME --plan {digest}`, or the update `decide`:")
            lines.append(to_paste(f'{{"by": "NAME", "plan": "{digest}", "approve": true}}'))
    return [*lines, *(_vote(vote) for vote in state.approvals.votes)]


def _vote(vote: Vote) -> str:
    said = "approved" if vote.approve else "rejected"
    proof = f"signed with {vote.key}" if vote.verified else "unverified"
    return f"{said} by {plain(vote.by)} as {plain(vote.role)} ({proof}) {plain(vote.note)}".strip()
