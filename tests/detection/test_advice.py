"""What people are told where nothing is begun for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from activities.detection.models import Condition, Finding, Sighting
from estate.regions import RegionFailover
from estate.watching import RegionWatching
from tests.detection.region_samples import EDGE, SERVER, TARGET
from tests.gateways.samples import target_of
from tests.gateways.world import B
from workflows.detection.advice import advice_on, told_of
from workflows.detection.models import WatchStatus
from workflows.detection.quorum import Verdict, Votes

_AT = datetime(2026, 11, 29, 2, 14, 5, tzinfo=UTC)
_LATER = _AT + timedelta(seconds=20)
_UNSERVED = Verdict(EDGE, _AT, "edge is down, say 2 of 3 witnesses: answers 503", Condition.STOPPED)
_SILENT = Verdict(SERVER, _LATER, "API server is down, say 2 of 3 witnesses: no answer", Condition.STOPPED)
_LOST = Verdict("eastus", _LATER, "eastus does not answer, say 2 of 3 witnesses: no answer", Condition.SILENT)


def test_a_lost_region_is_said_first_with_when_customers_lost_it_and_the_command_to_type() -> None:
    all_of_them = (_SILENT, _UNSERVED, _LOST)
    (told,) = told_of(TARGET, all_of_them)
    assert told == (
        "LOST, customers not served since 2026-11-29T02:14:05Z: eastus does not answer, say 2 of 3 witnesses: no answer"
    )
    advice = advice_on(TARGET, _LOST, all_of_them, ())
    wanted = "region-failover eastus --to westus2 --mode forced --down-since 2026-11-29T02:14:05Z"
    assert f"failover plan {wanted};" in advice
    assert f'failover start {wanted} --confirm "ACTIVATE DR" --by NAME' in advice
    assert advice_on(TARGET, _UNSERVED, all_of_them, ()) == advice, "whichever is said last, the command is there"


def test_a_degraded_region_is_not_to_be_left_at_once() -> None:
    told = told_of(TARGET, (_SILENT, _UNSERVED))
    assert told[0].startswith("DEGRADED: API server is down")
    assert told[1].startswith("DEGRADED, customers not served since 2026-11-29T02:14:05Z: edge is down")
    assert "the region is not lost: failover doctor eastus" in advice_on(TARGET, _UNSERVED, (_UNSERVED,), ())


def test_only_what_the_watch_has_taken_out_is_put_in_again_by_it() -> None:
    target, back = target_of(watch={}), Verdict(B, _AT, "it is out of service and healthy", Condition.RETURNED)
    assert advice_on(target, back, (back,), (B,)) == ""
    advice = advice_on(target, back, (back,), ())
    assert f"failover start gateway-failover aiagent-appgw --member {B} --by NAME" in advice
    down = Verdict(B, _AT, "it is down", Condition.STOPPED)
    assert advice_on(target, down, (down,), ()) == ""
    assert (
        advice_on(target, Verdict(B, _AT, "it is down", Condition.STOPPED, "see the network"), (), ()) == "see the network"
    )


def test_a_verdict_has_the_condition_and_the_advice_of_its_witnesses() -> None:
    votes = Votes(("east", "north", "west"))
    finding = Finding(subject="a", condition=Condition.RETURNED, words="200", advice="do it", since=_AT)
    for name in ("east", "west"):
        votes.count(Sighting(witness=name, at=_AT, findings=(finding,)))
    (verdict,) = votes.verdicts()
    assert (verdict.condition, verdict.advice) == (Condition.RETURNED, "do it")
    assert verdict.words == "a is out of service and healthy, say 2 of 3 witnesses: 200"


@pytest.mark.parametrize("policy", ["ask", "automatic"])
def test_no_policy_lets_a_region_be_left_without_people(policy: str) -> None:
    with pytest.raises(ValidationError, match="only people leave a region: write notify, or leave policy out"):
        RegionWatching.model_validate({"policy": policy})


def test_a_region_without_a_public_name_cannot_be_watched() -> None:
    entry = {"to": "westus2", "databases": ["a"], "overlay": "/x", "watch": {}}
    with pytest.raises(ValidationError, match="watch needs traffic"):
        RegionFailover.model_validate(entry)
    assert RegionFailover.model_validate({**entry, "traffic": ["api"]}).watch == RegionWatching()


def test_somebody_must_look_when_a_region_is_lost() -> None:
    status = WatchStatus(target="eastus", policy="notify", witnesses=("a", "b", "c"), gone=("LOST: x",), advice=("type y",))
    assert (status.alarm, status.headline) == (True, "LOST: x")
