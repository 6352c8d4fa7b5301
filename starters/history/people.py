"""Who can give the approvals that a run asks for: a role alone tells nobody whom to wake."""

from __future__ import annotations

from activities.nodes.run_models import NodePlan
from activities.run.models.plan import Plan
from estate.base import ApprovalPolicy, Target, holders
from estate.nodes import NodeTarget
from starters.history.parse import Chronicle
from workflows.catalog import spec_of
from workflows.run.models import Run, named


def policy_of(chronicle: Chronicle) -> ApprovalPolicy | None:
    """Return who must approve the run; ``None``: not known yet."""
    spec, target = spec_of(chronicle.workflow), chronicle.target
    if spec is None or not isinstance(target, spec.target):
        return None
    return spec.policy(target, str(chronicle.asked.get("mode")), str(chronicle.asked.get("run")))


def approvers(chronicle: Chronicle, roles: tuple[str, ...]) -> tuple[str, ...]:
    """Return each role with the people who hold it, but for the requester, who may not approve."""
    return tuple(with_people(role, chronicle.target, str(chronicle.asked.get("by") or "")) for role in roles)


def hosted_approvers(chronicle: Chronicle, plan: Plan | None) -> tuple[str, ...]:
    """Return who must approve the failover of each leader that a node hosts; those that ask nobody are left out."""
    node = chronicle.target
    if not isinstance(node, NodeTarget) or not isinstance(plan, NodePlan):
        return ()
    found = []
    for workflow, subjects in (("postgres-failover", node.postgres), ("redis-failover", node.redis)):
        spec = spec_of(workflow)
        for one in subjects if spec else ():
            roles = spec.policy(one, plan.mode.value, Run.REAL.value).roles if spec else ()
            if roles and f"{workflow} {one.name}" in plan.carries:
                told = ", ".join(with_people(role, one, str(chronicle.asked.get("by") or "")) for role in roles)
                found.append(f"{one.name}: {told}")
    return tuple(found)


def with_people(role: str, target: Target | None, requester: str) -> str:
    """Return a role with those who can give its approval: ``DBA (dana)``."""
    return named(role, holders(target.people, role, but=requester) if target else ())
