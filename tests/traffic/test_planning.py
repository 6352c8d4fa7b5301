"""Which levers are moved, and what is refused: decided from a survey alone."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.traffic.models import Answer, HealthFact, LeverFact, NameFact
from activities.traffic.run_models import TrafficPlan
from tests.traffic.samples import AWAY, HOME, TARGET, endpoint, moved, origin, route, survey
from workflows.run.models import Run
from workflows.traffic.levers import to_come_first
from workflows.traffic.models import DnsFailoverRequest
from workflows.traffic.planning import make_traffic_plan

_REQUEST = DnsFailoverRequest(traffic="aiagent", to=AWAY)
_LATER = _REQUEST.model_copy(update={"serves_later": True})


def _plan(seen: Any, to: str = AWAY) -> TrafficPlan:
    return make_traffic_plan(_REQUEST.model_copy(update={"to": to}), TARGET, seen)


def _first(levers: list[LeverFact]) -> str:
    enabled = [one for one in levers if one.setting.enabled]
    return min(enabled, key=lambda one: (one.setting.priority or 1, one.name)).name


@pytest.mark.parametrize("kind", [endpoint, origin])
@pytest.mark.parametrize("seed", range(300))
def test_the_wanted_lever_comes_first_and_no_other_gets_the_traffic_meanwhile(kind: Any, seed: int) -> None:
    dice = random.Random(seed)
    number, highest = dice.randint(2, 4 if kind is endpoint else 2), 5
    priorities = dice.sample(range(1, highest + 1), number)
    levers = [kind(f"lever-{place}", priority, enabled=dice.random() > 0.2) for place, priority in enumerate(priorities)]
    wanted = dice.choice(levers)
    if not any(one.setting.enabled for one in levers):
        return
    before = _first(levers)
    changes = to_come_first(levers, wanted)
    seen = [before]
    for change in changes:
        taken = {one.setting.priority for one in levers if one.name != change.name}
        assert change.after.priority not in taken, "Traffic Manager refuses two of the same priority"
        place = next(index for index, one in enumerate(levers) if one.name == change.name)
        assert levers[place].setting == change.before
        levers[place] = levers[place].model_copy(update={"setting": change.after})
        seen.append(_first(levers))
    assert seen[-1] == wanted.name
    assert set(seen) <= {before, wanted.name}
    assert to_come_first(levers, next(one for one in levers if one.name == wanted.name)) == ()


def test_front_door_has_five_priorities() -> None:
    levers = [origin(f"lever-{number}", number) for number in range(1, 6)]
    with pytest.raises(ApplicationError, match="Front Door has no free priority up to 5 for lever-3") as refusal:
        to_come_first(levers, levers[2])
    assert refusal.value.type == "NoRoom"


def test_priorities_do_not_grow_for_ever() -> None:
    levers = [endpoint("east", 1), endpoint("west", 2)]
    highest = 0
    for name in itertools.islice(itertools.cycle(("west", "east")), 40):
        for change in to_come_first(levers, next(one for one in levers if one.name == name)):
            levers = [one.model_copy(update={"setting": change.after}) if one.name == change.name else one for one in levers]
        highest = max(highest, *(one.setting.priority or 0 for one in levers))
    assert highest == 3


def test_one_change_a_side_traffic_manager_first() -> None:
    assert [(one.lever, one.name) for one in _plan(survey()).changes] == [("endpoint", "east"), ("route", "default-route")]


def test_only_what_is_not_moved_yet_is_moved() -> None:
    assert [one.name for one in _plan(moved(door={"levers": (route("pool", HOME),)})).changes] == ["default-route"]


@pytest.mark.parametrize(
    "behind",
    [
        {"edge": (Answer(region=AWAY, status=200), Answer(region=HOME, status=200))},
        {"edge": (Answer(error="no answer"),)},
        {"name": NameFact(region=HOME)},
    ],
)
def test_where_only_the_edge_or_dns_is_behind_the_proof_is_all_there_is_to_do(behind: dict[str, Any]) -> None:
    plan = _plan(moved(**behind))
    assert (plan.changes, "nothing is changed" in plan.steps[0]) == ((), True)


def test_an_edge_that_is_there_already_proves_nothing_about_the_change() -> None:
    plan = _plan(survey(edge=(Answer(region=AWAY, status=200),) * 3))
    assert any("prove service" in one for one in plan.warnings)


def test_health_and_answers_do_not_change_the_digest_and_another_change_does() -> None:
    plan = _plan(survey())
    drifted = survey(edge=(Answer(error="slow"),), name=NameFact(error="silent", ttl_seconds=7))
    assert _plan(drifted).digest == plan.digest
    assert _plan(moved(door={"levers": (route("pool", HOME),)})).digest != plan.digest


@pytest.mark.parametrize(
    ("seen", "kind", "fragment"),
    [
        (moved(), "MovedAlready", "goes to westus2 (West US 2) already"),
        (survey(door={"error": "403"}), "Unreachable", "nobody knows how Front Door leads the traffic: 403"),
        (survey(door={"levers": (route("pool", HOME, state="Updating"),)}), "Busy", "route default-route (Updating)"),
        (survey(door={"disabled": "route default-route"}), "NotWhole", "route default-route is disabled"),
        (survey(door={"empty": (AWAY,)}), "NotWhole", "has no enabled origin"),
        (survey(manager={"routing": "Weighted"}), "NotAvailable", "Weighted"),
        (survey(health=(HealthFact(region=AWAY, message="it answers 503"),)), "NotWhole", "it answers 503"),
        (survey(health=()), "NotWhole", "not asked"),
    ],
)
def test_what_is_refused(seen: Any, kind: str, fragment: str) -> None:
    with pytest.raises(ApplicationError) as refusal:
        _plan(seen)
    assert (refusal.value.type, fragment in refusal.value.message) == (kind, True), refusal.value.message


def test_a_region_that_serves_later_is_planned_for_with_a_warning() -> None:
    sick = survey(health=(HealthFact(region=AWAY, message="it answers 503"),))
    plan = make_traffic_plan(_LATER, TARGET, sick)
    assert any("westus2 is not healthy yet: it answers 503" in one for one in plan.warnings), plan.warnings
    assert plan.digest == _plan(survey()).digest, "the run that moves the traffic is the one that was planned"
    assert not any("not healthy" in one for one in make_traffic_plan(_LATER, TARGET, survey()).warnings)


def test_only_a_plan_may_say_that_the_region_serves_later() -> None:
    assert _LATER.fault is None
    for run in (Run.REAL, Run.DRILL):
        assert str(_LATER.model_copy(update={"run": run}).fault).startswith("serves_later: only with run plan")
