"""Who may agree to a plan, as what, and when it is enough."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from estate.base import ApprovalPolicy
from tests.postgres.samples import NOW, B, C, member, request, survey, target
from workflows.postgres.planning.planned import make_plan
from workflows.run.approval import ApprovalGate
from workflows.run.models import Decision

PEOPLE = {"dana": ("DBA",), "mona": ("Manager",), "carl": ("CTO", "Manager"), "Omar": ("DBA",)}
PLAN = make_plan(request(), target(), survey(member(B), member(C)))


def _gate(*roles: str, quorum: int | None = None) -> ApprovalGate:
    gate = ApprovalGate(ApprovalPolicy(roles=roles, quorum=quorum), PEOPLE, "omar")
    gate.open(PLAN, NOW)
    return gate


def _vote(by: str, *, approve: bool = True, **more: Any) -> Decision:
    return Decision(by=by, plan=more.pop("plan", PLAN.digest), approve=approve, **more)


def test_nobody_is_asked_when_the_policy_names_no_role() -> None:
    gate = _gate()
    assert (gate.needed, gate.approved) == (0, True)


def test_every_role_must_be_filled() -> None:
    gate = _gate("DBA", "Manager")
    gate.record(_vote("dana"), NOW)
    assert not gate.approved
    gate.record(_vote("mona", note="go"), NOW)
    assert gate.approved
    assert [(vote.by, vote.role, vote.verified) for vote in gate.votes] == [
        ("dana", "DBA", False),
        ("mona", "Manager", False),
    ]


def test_a_quorum_is_enough() -> None:
    gate = _gate("DBA", "Manager", "CTO", quorum=2)
    gate.record(_vote("dana"), NOW)
    gate.record(_vote("mona"), NOW)
    assert gate.approved


def test_the_first_rejection_ends_it() -> None:
    gate = _gate("DBA", "Manager")
    gate.record(_vote("dana"), NOW)
    gate.record(_vote("mona", approve=False), NOW)
    assert (gate.approved, gate.rejection and gate.rejection.by) == (False, "mona")
    _refuses(gate, _vote("carl", role="Manager"), "nothing waits")


def test_names_are_the_same_whatever_their_case() -> None:
    gate = _gate("DBA", "Manager")
    gate.record(_vote(" DANA "), NOW)
    _refuses(gate, _vote("dana"), "has voted already")


@pytest.mark.parametrize("by", ["omar", "Omar", " OMAR "])
def test_the_requester_never_approves(by: str) -> None:
    _refuses(_gate("DBA"), _vote(by), "requested this run")


def test_one_person_fills_one_role() -> None:
    gate = _gate("CTO", "Manager")
    gate.record(_vote("carl", role="CTO"), NOW)
    _refuses(gate, _vote("carl", role="Manager"), "has voted already")


def test_somebody_with_two_roles_says_which() -> None:
    gate = _gate("CTO", "Manager")
    _refuses(gate, _vote("carl"), "say which")
    gate.record(_vote("mona"), NOW)
    gate.record(_vote("carl"), NOW)
    assert gate.approved


def test_it_says_who_can_still_approve() -> None:
    gate = _gate("DBA", "Manager")
    assert (gate.status.missing, gate.status.of_whom) == (2, "DBA (dana), Manager (carl, mona)")
    gate.record(_vote("dana"), NOW)
    assert (gate.status.missing, gate.status.of_whom) == (1, "Manager (carl, mona)")
    nobody = ApprovalGate(ApprovalPolicy(roles=("CISO",)), PEOPLE, "omar")
    nobody.open(PLAN, NOW)
    assert nobody.status.of_whom == "CISO"
    _refuses(nobody, _vote("dana"), "CISO: nobody, see people in the estate")


def test_one_who_looks_at_another_plan_is_not_told_the_right_digest() -> None:
    gate = _gate("DBA")
    with pytest.raises(ValueError, match="failover status orders") as refused:
        gate.check(_vote("dana", plan="0badbeef"), NOW)
    assert PLAN.digest not in str(refused.value)


def test_a_role_that_is_filled_cannot_be_filled_again() -> None:
    gate = _gate("CTO", "Manager")
    gate.record(_vote("mona"), NOW)
    _refuses(gate, _vote("carl", role="Manager"), "cannot fill Manager")


@pytest.mark.parametrize(
    ("vote", "complaint"),
    [
        (_vote("dana", plan="another"), "is not the plan that waits"),
        (_vote("zoe"), "by: zoe: nobody of that name; DBA: dana"),
        (_vote("mona"), "by: mona holds none of the roles still needed; DBA: dana"),
        (_vote("dana", role="CTO"), "cannot fill CTO"),
    ],
)
def test_says_why_a_vote_does_not_count_and_forgets_it(vote: Decision, complaint: str) -> None:
    gate = _gate("DBA")
    _refuses(gate, vote, complaint)
    assert gate.votes == []


def test_without_a_plan_there_is_nothing_to_decide_on() -> None:
    _refuses(ApprovalGate(ApprovalPolicy(roles=("DBA",)), PEOPLE, "omar"), _vote("dana"), "there is no plan")


def test_the_window_is_the_policys() -> None:
    gate = ApprovalGate(ApprovalPolicy(roles=("DBA",), window=timedelta(hours=1)), PEOPLE, "omar")
    assert gate.open(PLAN, NOW) == timedelta(hours=1)
    assert gate.status.expires_at == NOW + timedelta(hours=1)


def test_a_vote_that_comes_when_the_window_is_over_does_not_count() -> None:
    gate = ApprovalGate(ApprovalPolicy(roles=("DBA",), window=timedelta(hours=1)), PEOPLE, "omar")
    gate.open(PLAN, NOW)
    assert gate.check(_vote("dana"), NOW + timedelta(minutes=59)) == "DBA"
    with pytest.raises(ValueError, match="the window for approval ended"):
        gate.record(_vote("dana"), NOW + timedelta(hours=1))


def _refuses(gate: ApprovalGate, vote: Decision, complaint: str) -> None:
    with pytest.raises(ValueError, match=r"^[a-z]+: |^nothing|^there") as refused:
        gate.check(vote, NOW)
    assert complaint in str(refused.value)
