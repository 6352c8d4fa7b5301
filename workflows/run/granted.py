"""Approvals that were collected before: a run that moves several things asks once, and hands the votes to its children.

Nobody can claim them: they stand in the memo that the parent has given its child, Temporal says who the parent is, and that
parent must be a run of a type that asks for such approvals, under its own lock, in our namespace, on our task queue, and
running, unless this run is one that outlives its parent. Where the parent knew the child's plan, the votes are for that
plan: the child surveys anew, and another plan voids them. The requester's own vote does not count here either, and each role
that the child's policy asks for must be filled.
"""

from __future__ import annotations

from temporalio import workflow

from activities.run.errors import Refusal, refuse
from activities.run.models.plan import Plan
from activities.run.models.report import Vote
from activities.run.models.wire import RunId, Wire
from activities.run.parents import ParentActivities, ParentRequest
from estate.base import ApprovalPolicy, fold
from workflows.run.steps import step

GRANTED = "granted"
"""Name of the memo that holds a ``Granted``."""
GRANTORS = {"region": ("region-failover", "region-failback"), "drill": ("failover-drill",)}
"""First part of a parent's workflow ID → the types that it may have."""


class Granted(Wire):
    """What people have agreed to in the run that has begun this one."""

    votes: tuple[Vote, ...]
    decisions: str = ""
    """Digest of the plan that they have seen; empty: they have agreed to what the request says."""


async def granted_by_parent(*, outlives: bool = False) -> Granted | None:
    """Return the approvals that this run's parent hands on; ``None``: it has no such parent, and asks people itself."""
    parent = workflow.info().parent
    kinds = GRANTORS.get(parent.workflow_id.partition("/")[0]) if parent else None
    if parent is None or kinds is None or (given := _given()) is None:
        return None
    own = RunId(workflow_id=parent.workflow_id, run_id=parent.run_id)
    request = ParentRequest(parent=own, namespace=parent.namespace, workflows=kinds, may_have_ended=outlives or None)
    seen = await step(ParentActivities.look_at_grantor, request)
    if not seen.is_watch:
        workflow.logger.warning("Approvals that are not the parent's: %s", seen.message)
        return None
    return given


def _given() -> Granted | None:
    """Return what the memo holds; ``None``: nothing, or nothing that can be read. Never raises: that would wedge the run."""
    try:
        return workflow.memo_value(GRANTED, None, type_hint=Granted)
    except Exception as error:  # noqa: BLE001 - a converter raises what it likes
        workflow.logger.warning("Approvals that cannot be read: %s", type(error).__name__)
        return None


def must_be_that_plan(granted: Granted, plan: Plan) -> None:
    """Return if what was agreed to is this plan. ApplicationError: ``PlanChanged``, it was another; nothing was changed."""
    if granted.decisions and granted.decisions != plan.digest:
        raise refuse(
            Refusal.PLAN_CHANGED,
            f"plan {granted.decisions} was approved, but the target has changed since: now it would be"
            f" {plan.digest} ({plan.headline}); nothing was changed",
        )


def must_fit(granted: Granted, policy: ApprovalPolicy, by: str) -> None:
    """Return if enough people have agreed. ApplicationError: ``BadEstate``, a role is not filled; nothing was changed."""
    counted = [one for one in granted.votes if one.verified or not policy.signed]
    approvals = [one for one in counted if one.approve and fold(one.by) != fold(by)]
    filled = {fold(one.by): one.role for one in approvals if one.role in policy.roles}
    if len(set(filled.values())) < policy.needed:
        open_roles = ", ".join(role for role in policy.roles if role not in filled.values())
        raise refuse(
            Refusal.BAD_ESTATE,
            f"the approvals that were handed on do not fill {open_roles}: the policy of what moves must ask for no role, and"
            " for no signature, that the policy of the region does not ask for; nothing was changed",
        )
