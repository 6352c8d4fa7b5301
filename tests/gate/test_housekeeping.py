"""What is due while a member is settled."""

from __future__ import annotations

from typing import Any

import pytest

from gate.api import Role, ServerFacts
from gate.loop.housekeeping import Effect, due
from gate.record import Intent, Mode
from tests.gate.parts import sample
from tests.postgres.samples import A, B, C, record

PRIMARY, STANDBY = ServerFacts(role=Role.PRIMARY), ServerFacts(role=Role.STANDBY, upstream=B)
CLAIMED = Intent(candidate=C, mode=Mode.PLANNED, run="test/1")


def _due(facts: ServerFacts, leader: str, **changes: Any) -> list[Effect]:
    seen = record(leader=leader)
    return list(due(sample(facts, **changes), seen, (facts.role, leader, seen.epoch)))


def test_a_leader_tends_synchronous_replication_and_a_standby_its_recovery() -> None:
    assert _due(PRIMARY, A) == [Effect.SYNCHRONISE]
    assert _due(STANDBY, B) == [Effect.RECOVER, Effect.FORGET_REJOIN]


@pytest.mark.parametrize("upstream", [None, C])
def test_a_rejoin_is_forgotten_only_once_the_member_streams_from_the_leader(upstream: str | None) -> None:
    assert _due(ServerFacts(role=Role.STANDBY, upstream=upstream), B) == [Effect.RECOVER]


def test_a_named_leader_in_recovery_tends_nothing() -> None:
    assert _due(STANDBY, A) == []


def test_a_leader_s_new_address_counts_before_anything_else_is_judged() -> None:
    assert _due(STANDBY, B, has_moved=True) == [Effect.FOLLOW, Effect.RECOVER, Effect.FORGET_REJOIN]
    assert Effect.FOLLOW not in _due(STANDBY, B, has_moved=True, following=C)


def test_while_a_claim_stands_only_the_door_is_opened() -> None:
    seen = record(leader=B, intent=CLAIMED)
    assert list(due(sample(STANDBY, may_open=True), seen, None)) == [Effect.OPEN]
    assert list(due(sample(STANDBY), seen, None)) == []


def test_the_pod_is_labelled_once_per_role_leader_and_epoch() -> None:
    seen = record(leader=A)
    assert Effect.LABEL in due(sample(PRIMARY), seen, None)
    assert Effect.LABEL not in due(sample(PRIMARY), seen, (Role.PRIMARY, A, 5))
    assert Effect.LABEL in due(sample(PRIMARY), record(leader=A, epoch=6), (Role.PRIMARY, A, 5))
    assert Effect.LABEL not in due(sample(ServerFacts()), seen, None)


def test_followers_that_could_not_be_asked_are_not_gone() -> None:
    late = ServerFacts(role=Role.PRIMARY, unanswered="the server's figures took more than 2 s")
    assert Effect.SYNCHRONISE not in due(sample(late), record(leader=A), None)
    unknown = ServerFacts(role=Role.STANDBY, unanswered="the server's figures took more than 2 s")
    assert Effect.RECOVER not in due(sample(unknown), record(leader=B), None)
