"""Decides from a survey which levers are moved so that a region gets the traffic. Pure.

Missing data means no: Azure must say how every lever stands, and the region must answer its health check when it is asked
directly, past Front Door and Traffic Manager. What the edge and DNS answer before the move decides only whether there is
anything to do: they are the proof afterwards.

A run that was ended from outside may have moved some levers and not others. The plan is made from what is there, so the next
run moves the rest; where all are moved already, it only waits for the proof.
"""

from __future__ import annotations

from activities.run.errors import Refusal, refuse
from activities.traffic.models import SUCCEEDED, Change, Lever, LeverFact, Setting, Side, SideFact, TrafficSurvey
from activities.traffic.run_models import TrafficPlan
from estate.traffic import TrafficTarget
from gate.record import Mode
from workflows.traffic.levers import to_come_first
from workflows.traffic.models import DnsFailoverRequest

_PRIORITY = "Priority"
_ENDED = {SUCCEEDED, "Failed", "Canceled"}


def make_traffic_plan(request: DnsFailoverRequest, target: TrafficTarget, survey: TrafficSurvey) -> TrafficPlan:
    """Return the plan. Raises refusals as ApplicationError: one sentence with a name or a number."""
    to = request.to
    if to not in target.entry.regions:
        known = ", ".join(target.entry.regions)
        raise refuse(Refusal.BAD_INPUT, f"to: {to} is no region of {target.name}; there is {known}")
    for side in survey.sides:
        _must_be_known(side)
    changes = tuple(change for side in survey.sides for change in _changes(side, to, target))
    if not changes and _goes_there(survey, to):
        words = f"the traffic of {target.name} goes to {target.place(to)} already, by Azure, the edge and DNS"
        raise refuse(Refusal.MOVED_ALREADY, words)
    for side in survey.sides:
        _must_be_able(side, to, target)
    health = survey.health_of(to)
    if not health.healthy and not request.serves_later:
        words = f"{target.place(to)} is not healthy: {health.message}; repair it first, traffic would go to nobody"
        raise refuse(Refusal.NOT_WHOLE, words)
    return TrafficPlan(
        cluster=target.name,
        mode=Mode.PLANNED,
        primary=_region_now(survey),
        candidate=to,
        to=to,
        changes=changes,
        steps=_steps(target, survey, changes, to),
        loss="none: no data is moved",
        now=_now(survey),
        expected=_expected(target, survey, changes),
        warnings=_warnings(survey, changes, to),
    ).sealed()


def _must_be_known(side: SideFact) -> None:
    if side.error:
        raise refuse(Refusal.UNREACHABLE, f"nobody knows how {side.side} leads the traffic: {side.error}")
    changing = [f"{one.lever} {one.name} ({one.state})" for one in side.levers if one.state not in _ENDED]
    if changing:
        words = f"Azure is changing {', '.join(changing)} just now: start again when that has ended, within minutes"
        raise refuse(Refusal.BUSY, words)


def _must_be_able(side: SideFact, to: str, target: TrafficTarget) -> None:
    """Refuse where moving levers would not move the traffic."""
    if side.disabled:
        raise refuse(
            Refusal.NOT_WHOLE, f"{side.side} does not lead to these levers: {side.disabled} is disabled, or elsewhere"
        )
    if side.side is Side.TRAFFIC_MANAGER and side.routing != _PRIORITY:
        words = f"Traffic Manager routes by {side.routing or 'no method that is known'}; only {_PRIORITY} can be moved"
        raise refuse(Refusal.NOT_AVAILABLE, words)
    if to in side.empty:
        raise refuse(Refusal.NOT_WHOLE, f"the origin group of {target.place(to)} has no enabled origin: enable one first")


def _changes(side: SideFact, to: str, target: TrafficTarget) -> tuple[Change, ...]:
    route = next((one for one in side.levers if one.lever is Lever.ROUTE), None)
    if route is None:
        return to_come_first(side.levers, _lever_of(side, to))
    door = target.entry.front_door
    after = Setting(group=door.origin_groups[to] if door else "", enabled=route.setting.enabled)
    if route.setting == after:
        return ()
    return (Change(lever=route.lever, name=route.name, before=route.setting, after=after, rest=route.rest),)


def _lever_of(side: SideFact, region: str) -> LeverFact:
    found = next((one for one in side.levers if one.region == region), None)
    if found is None:
        raise refuse(Refusal.NOT_WHOLE, f"{side.side} has no lever for {region}")
    return found


def _goes_there(survey: TrafficSurvey, to: str) -> bool:
    """Whether every source says that the traffic goes to the region."""
    by_azure = all(side.region == to for side in survey.sides)
    by_edge = all(one.region == to and not one.error for one in survey.edge)
    return by_azure and by_edge and (survey.name is None or survey.name.region == to)


def _region_now(survey: TrafficSurvey) -> str:
    """Return where the traffic goes: by the edge, or else by Azure; they may differ, which the plan says."""
    return " and ".join(survey.edge_regions) or next((side.region for side in survey.sides if side.region), "")


def _now(survey: TrafficSurvey) -> tuple[str, ...]:
    lines = [f"Azure, {side.side}: {side.region or side.disabled or 'no region that is known'}" for side in survey.sides]
    lines.append(f"the edge: {survey.edge_told}")
    if (name := survey.name) is not None:
        lives = "" if name.ttl_seconds is None else f", time to live {name.ttl_seconds} s"
        lines.append(f"DNS: {name.region or name.error}{lives}")
    return tuple(f"traffic goes to, by {line}" for line in lines)


def _steps(target: TrafficTarget, survey: TrafficSurvey, changes: tuple[Change, ...], to: str) -> tuple[str, ...]:
    row = target.entry.thresholds.answers_in_a_row
    proof = f"{row} answers in a row through {target.entry.edge.url} come from {target.place(to)}"
    proof += "" if survey.name is None else ", and so do as many answers of DNS"
    done = "nothing is changed: Azure has it so already"
    return (*([f"change: {one}" for one in changes] or [done]), f"prove: {proof}; until then everything can be put back")


def _expected(target: TrafficTarget, survey: TrafficSurvey, changes: tuple[Change, ...]) -> tuple[str, ...]:
    lines, thresholds = [], target.entry.thresholds
    if survey.side(Side.FRONT_DOOR) is not None:
        within = thresholds.edge_within.total_seconds() / 60
        number = len([one for one in changes if one.lever.side is Side.FRONT_DOOR])
        usual = "up to 40 min" if number > 1 else "up to 20 min"
        lines.append(f"expect of the edge: {usual} after Azure has ended the change; the run waits {within:g} min")
    if (manager := survey.side(Side.TRAFFIC_MANAGER)) is not None:
        lives = "its time to live" if manager.ttl_seconds is None else f"{manager.ttl_seconds} s"
        lines.append(f"expect of DNS: resolvers keep the old answer for {lives}; clients may keep it longer")
    return tuple(lines)


def _warnings(survey: TrafficSurvey, changes: tuple[Change, ...], to: str) -> tuple[str, ...]:
    lines = []
    if changes and to in survey.edge_regions:
        lines.append(
            f"The edge answers from {to} already: its answers prove service, not that it has learnt of these changes"
        )
    health = survey.health_of(to)
    if not health.healthy:
        lines.append(f"{to} is not healthy yet: {health.message}; a run that moves the traffic there would be refused now")
    manager = survey.side(Side.TRAFFIC_MANAGER)
    sick = [one.name for one in (manager.levers if manager else ()) if one.region == to and one.health == "Degraded"]
    lines += [f"Traffic Manager finds endpoint {name} degraded: the name may not lead there" for name in sick]
    moved = {one.name for one in changes if one.lever is Lever.ENDPOINT}
    lines += [
        f"Endpoint {one.name} is none that the estate names, and is moved behind"
        for one in (manager.levers if manager else ())
        if one.name in moved and not one.region
    ]
    return tuple(lines)
