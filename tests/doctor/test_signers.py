"""What doctor says of the keys of those who approve by signed votes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.run.models.doctor import Severity
from activities.run.signers import look_at_signers
from estate.loader import load_estate
from tests.postgres.bench import write_estate
from tests.run.signing_people import KEYS, SIGNED, SIGNERS

_NOW = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)
_PEOPLE = {"dana": ["DBA"], "omar": ["DBA"], "mona": ["Manager"]}


def _found(tmp_path: Path, signers: dict[str, Any], approvals: dict[str, Any] = SIGNED) -> list[tuple[Severity, str]]:
    path = tmp_path / "estate.yaml"
    write_estate(path, "orders", approvals=approvals, signers=signers, people=_PEOPLE)
    return [(one.severity, one.message) for one in look_at_signers(load_estate(path), _NOW)]


def _key(name: str, **more: Any) -> dict[str, Any]:
    return {"key": KEYS[name].export_public_key().decode(), **more}


def _in(days: int) -> str:
    return (_NOW + timedelta(days=days)).isoformat()


def test_all_can_sign(tmp_path: Path) -> None:
    assert _found(tmp_path, SIGNERS) == [(Severity.OK, "all 2 who approve by signed votes have a key that counts")]


def test_nobody_is_named_where_no_policy_asks_for_signed_votes(tmp_path: Path) -> None:
    assert _found(tmp_path, {}, {"planned": {"roles": ["DBA"]}}) == []


def test_one_without_a_key_is_a_warning(tmp_path: Path) -> None:
    [(severity, words)] = _found(tmp_path, {"dana": SIGNERS["dana"]})
    assert (severity, words) == (
        Severity.WARNING,
        "omar may approve by signed votes only, and cannot sign: omar has none",
    )


@pytest.mark.parametrize(
    "limit", [{"revoked": "stolen"}, {"valid_before": _in(0)}, {"valid_after": _in(1)}], ids=["revoked", "ended", "later"]
)
def test_where_nobody_has_a_key_that_counts_it_is_a_fault(tmp_path: Path, limit: dict[str, Any]) -> None:
    found = _found(tmp_path, {"dana": [_key("dana", **limit)]})
    assert found[0] == (
        Severity.FAULT,
        "postgres.orders.approvals.planned: nobody who holds DBA has a key that counts: no run is approved",
    )
    assert [words for _, words in found if "none of the 1 keys of dana counts now" in words]


@pytest.mark.parametrize(("days", "told"), [(29, True), (31, False)])
def test_a_last_key_that_runs_out_soon_is_a_warning(tmp_path: Path, days: int, *, told: bool) -> None:
    omar, ending = SIGNERS["omar"], _key("dana", valid_before=_in(days))
    found = _found(tmp_path, {"omar": omar, "dana": [ending]})
    assert [words for _, words in found if words.startswith("the last key of dana counts until ")] == (
        [f"the last key of dana counts until {_NOW + timedelta(days=days):%Y-%m-%d %H:%M}, in {days} days"] if told else []
    )


def test_a_key_that_runs_out_beside_one_that_does_not_is_nothing(tmp_path: Path) -> None:
    keys = [_key("dana", valid_before=_in(3)), _key("mona")]
    assert _found(tmp_path, {"omar": SIGNERS["omar"], "dana": keys})[0][0] is Severity.OK
