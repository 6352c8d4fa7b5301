"""Who was the primary of a pair that has run without gates: exactly one answer, or a sentence."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.postgres.models.plan import PostgresPlan
from activities.postgres.models.survey import MemberFact, Survey
from gate.api import GateStatus, ServerState
from gate.record import Record
from tests.postgres.samples import NOW, SYSTEM, A, B, C, target
from workflows.postgres.models import AdoptRequest
from workflows.postgres.planning.adoption import finishing_plan, make_adoption_plan

_OTHER = "7300000000000000002"


def _gate(name: str, **changes: Any) -> GateStatus:
    usual: dict[str, Any] = {
        "member": name, "at": NOW, "epoch": 0, "server": ServerState.STOPPED, "doing": "waits", "ready": False,
        "system_identifier": SYSTEM, "timeline": 3, "checkpoint_lsn": "0/3000000", "control_state": "shut down",
        "standby_directory": name != A,
    }  # fmt: skip
    return GateStatus.model_validate({**usual, **changes})


def _survey(record: Record | None = None, **changes: dict[str, Any] | None) -> Survey:
    """Return three stopped members, A a primary's directory; ``None`` is a gate that does not answer."""
    names = {"a": A, "b": B, "c": C}
    facts = []
    for key, name in names.items():
        change = changes.get(key, {})
        gate = None if change is None else _gate(name, **change)
        facts.append(MemberFact(name=name, gate=gate, gate_error="no answer" if gate is None else ""))
    return Survey(at=NOW, record=record, members=tuple(facts))


def _plan(survey: Survey, leader: str | None = None) -> PostgresPlan:
    return make_adoption_plan(AdoptRequest(cluster="orders", leader=leader), target(), survey)


def test_the_one_primary_leads_at_an_epoch_above_all_that_were_seen() -> None:
    plan = _plan(_survey(b={"epoch": 6}), leader=A)
    assert (plan.primary, plan.candidate, plan.epoch, plan.timeline, plan.system_identifier) == ("", A, 6, 3, SYSTEM)
    assert [A in step for step in plan.steps] == [True] * 5


def test_the_digest_covers_who_leads_and_not_what_drifts() -> None:
    plan = _plan(_survey())
    assert plan.digest == _plan(_survey(b={"epoch": 9}, c={"checkpoint_lsn": "0/1"})).digest
    assert plan.digest != _plan(_survey(a={"standby_directory": True}, b={"standby_directory": False})).digest


def test_a_server_that_was_not_shut_down_is_told() -> None:
    assert "was left in production" in _plan(_survey(a={"control_state": "in production"})).steps[0]


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"c": None}, "Unreachable", C),
        ({"b": {"empty": True}}, "NoStandby", B),
        ({"b": {"server": ServerState.RUNNING}}, "NotAvailable", "running"),
        ({"b": {"standby_directory": None}}, "Unreachable", B),
        ({"b": {"checkpoint_lsn": None}}, "Unreachable", B),
        ({"a": {"standby_directory": True}}, "NoPrimary", "standby.signal"),
        ({"b": {"standby_directory": False}}, "TwoPrimaries", f"{A} (timeline 3, checkpoint 0/3000000); {B}"),
        ({"c": {"system_identifier": _OTHER}}, "NoStandby", _OTHER),
        ({"b": {"timeline": 4}}, "WrongTimeline", f"{B} is on timeline 4"),
        ({"b": {"checkpoint_lsn": "0/3000001"}}, "NoPrimary", "0/3000001"),
        ({"record": Record(leader=A, epoch=4)}, "AdoptedAlready", "epoch 4"),
    ],
)
def test_in_doubt_nobody_leads(changes: dict[str, Any], kind: str, words: str) -> None:
    with pytest.raises(ApplicationError) as refused:
        _plan(_survey(**changes))
    assert (refused.value.type, words in refused.value.message) == (kind, True), refused.value.message


@pytest.mark.parametrize("leader", [B, "pg-z"])
def test_a_leader_that_is_named_must_be_the_primary(leader: str) -> None:
    with pytest.raises(ApplicationError) as refused:
        _plan(_survey(), leader=leader)
    assert (refused.value.type, leader in refused.value.message) == ("BadInput", True)


@pytest.mark.parametrize(
    ("record", "leader", "finishes"),
    [
        ({"run": "postgres/orders/r1"}, None, True),
        ({"run": "postgres/orders/r1"}, A, True),
        ({"run": "postgres/orders/r1"}, B, False),
        ({"run": f"gate/{A}"}, None, False),
        ({"run": "postgres/orders-2/r1"}, None, False),
        ({"run": "postgres/orders/r1", "previous": B}, None, False),
    ],
)
def test_only_the_record_of_an_adoption_under_this_lock_is_finished(
    record: dict[str, str], leader: str | None, finishes: bool,  # noqa: FBT001
) -> None:  # fmt: skip
    request = AdoptRequest(cluster="orders", leader=leader)
    plan = finishing_plan(request, target(), Record.model_validate({"leader": A, "epoch": 7, **record}))
    assert (plan is not None) is finishes
    assert plan is None or (plan.candidate, plan.epoch) == (A, 6)
