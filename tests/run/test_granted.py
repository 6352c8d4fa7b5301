"""Approvals that a parent hands on: they are of one plan, of enough roles, and never the requester's own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from temporalio.exceptions import ApplicationError

from activities.run.models.plan import Plan
from activities.run.models.report import Vote
from estate.base import ApprovalPolicy
from gate.record import Mode
from workflows.run.granted import Granted, must_fit
from workflows.run.voting import approved

_PLAN = Plan(cluster="aiagent-db", mode=Mode.FORCED, primary="one", candidate="two").sealed()
_POLICY = ApprovalPolicy(roles=("Manager", "DBA"))


def _granted(*votes: tuple[str, str], decisions: str = _PLAN.digest) -> Granted:
    return Granted(votes=tuple(Vote(by=by, role=role, approve=True, plan="x") for by, role in votes), decisions=decisions)


@pytest.mark.parametrize("decisions", [_PLAN.digest, ""])
def test_enough_votes_on_this_plan_are_enough(decisions: str) -> None:
    must_fit(_granted(("mona", "Manager"), ("carl", "CTO"), ("dana", "DBA"), decisions=decisions), _POLICY, "omar")


@pytest.mark.parametrize(
    ("granted", "kind"),
    [
        (_granted(("mona", "Manager")), "BadEstate"),
        (_granted(("mona", "Manager"), ("mona", "DBA")), "BadEstate"),
        (_granted(("mona", "Manager"), (" Omar", "DBA")), "BadEstate"),
        (_granted(), "BadEstate"),
    ],
)
def test_a_role_that_is_open_is_refused(granted: Granted, kind: str) -> None:
    with pytest.raises(ApplicationError) as refused:
        must_fit(granted, _POLICY, "omar")
    assert refused.value.type == kind


def test_votes_that_are_not_signed_do_not_count_where_only_signed_ones_do() -> None:
    policy, granted = _POLICY.model_copy(update={"signed": True}), _granted(("mona", "Manager"), ("dana", "DBA"))
    with pytest.raises(ApplicationError, match="do not fill Manager, DBA"):
        must_fit(granted, policy, "omar")
    signed = tuple(one.model_copy(update={"verified": True}) for one in granted.votes)
    must_fit(granted.model_copy(update={"votes": signed}), policy, "omar")


def test_a_rejection_is_no_approval() -> None:
    no = Vote(by="dana", role="DBA", approve=False, plan="x")
    granted = _granted(("mona", "Manager")).model_copy(update={"votes": (*_granted(("mona", "Manager")).votes, no)})
    with pytest.raises(ApplicationError, match="do not fill DBA"):
        must_fit(granted, _POLICY, "omar")


@pytest.mark.parametrize("policy", [ApprovalPolicy(), _POLICY])
async def test_another_plan_is_refused_even_where_nobody_must_approve(policy: ApprovalPolicy) -> None:
    state = SimpleNamespace(granted=_granted(decisions="another"), by_watch=False, request=SimpleNamespace(by="omar"))

    async def make() -> Plan:
        return _PLAN

    with pytest.raises(ApplicationError, match="plan another was approved") as refused:
        await approved(cast("Any", state), policy, cast("Any", None), _PLAN, make)
    assert refused.value.type == "PlanChanged"
