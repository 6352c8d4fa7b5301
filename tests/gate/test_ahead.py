"""A standby that had more than its leader is remembered until it was copied, or somebody else leads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gate.loop.ahead import COPYING, Ahead
from gate.loop.decide import heeded
from gate.loop.state import Store
from tests.postgres.samples import A, B, C, record


def _row(member: str, *, ahead: bool = False) -> dict[str, Any]:
    return {"member": member, "ahead": ahead}


def _marked(one: Ahead, *rows: dict[str, Any]) -> dict[str, bool]:
    return {row["member"]: row["ahead"] for row in one.mark(list(rows))}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_it_stays_ahead_once_the_leader_has_written_more(store: Store) -> None:
    one = Ahead(store, (B, C))
    assert _marked(one, _row(B, ahead=True), _row(C)) == {B: True, C: False}
    assert _marked(one, _row(B), _row(C)) == {B: True, C: False}
    assert _marked(one) == {}
    assert _marked(Ahead(store, (B, C)), _row(B)) == {B: True}, "the gate was started anew"


def test_a_copy_that_is_taken_while_it_is_away_ends_that(store: Store) -> None:
    one = Ahead(store, (B, C))
    _marked(one, _row(B, ahead=True))
    assert _marked(one, _row(B), _row(COPYING)) == {B: True}, "another one is copied"
    assert _marked(one, _row(COPYING), _row(C)) == {C: False}
    assert _marked(one, _row(B), _row(C)) == {B: False, C: False}


def test_another_leader_ends_it_too(store: Store) -> None:
    _marked(Ahead(store, (B,)), _row(B, ahead=True))
    assert heeded(store.state, A, record(leader=A)).get("ahead") is None
    assert heeded(store.state, A, record(leader=B))["ahead"] == ""


def test_what_is_no_member_is_none_of_its_business(store: Store) -> None:
    assert _marked(Ahead(store, (B,)), _row("archiver", ahead=True)) == {"archiver": False}
