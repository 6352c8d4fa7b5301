"""Whether the traffic may be led back when the proof does not come, and what is said then. Pure.

An undo that nobody has asked for must not lead the traffic to a region that is known not to serve. If the region before does
not answer its health check and the new one does, the levers stay where they are, and a person decides.
"""

from __future__ import annotations

from collections.abc import Sequence

from activities.run.models.todo import LeftToDo, Todo, todo
from activities.traffic.models import Change, HealthFact, Proof, Served, TrafficPlan, TrafficSurvey
from estate.traffic import TrafficTarget


def sick_before(touched: Sequence[Change], before: TrafficSurvey, now: TrafficSurvey, to: str) -> HealthFact | None:
    """Return the region that one of the levers led to, if it is known not to serve now, and ``to`` is known to serve."""
    sides = {one.lever.side for one in touched}
    olds = {side.region for side in before.sides if side.side in sides} - {to}
    sick = [one for one in now.health if one.region in olds and not one.healthy]
    return sick[0] if sick and now.health_of(to).healthy else None


def left_moved(touched: Sequence[Change], sick: HealthFact, target: TrafficTarget) -> tuple[LeftToDo, ...]:
    """Return what is left to do for each lever that was not put back, newest first."""
    again = f"failover start dns-failover {target.name} --to {sick.region}"
    words = f"when {target.place(sick.region)} is healthy, {again} leads the traffic back"
    return tuple(todo(Todo.ROUTE, f"{one} was not put back: {words}", one.name) for one in reversed(touched))


def not_ours(survey: TrafficSurvey | None, touched: Sequence[Change], to: str) -> str:
    """Return which sides led to ``to`` before this run, for the end of a sentence: it does not put them back."""
    mine = {one.lever.side for one in touched}
    sides = [side for side in (survey.sides if survey else ()) if side.side not in mine and side.region == to]
    levers = [f"{side.side} {one.lever} {one.name} ({one.setting})" for side in sides for one in side.levers]
    return f"; moved before this run, and not put back: {', '.join(levers)}" if levers else ""


def unproven(target: TrafficTarget, served: Served, plan: TrafficPlan) -> str:
    """Return which proof has not come, with how long was waited and what was answered last."""
    limits, told = target.entry.thresholds, []
    for who, proof, within in (("the edge", served.edge, limits.edge_within), ("DNS", served.name, limits.dns_within)):
        if proof is not None and proof.stopped:
            told.append(f"{who} was not waited for any longer: {_last(proof)}")
        elif proof is not None and proof.all_from is None:
            told.append(f"{who} has not answered from {plan.to} {_row(target)} within {within}: {_last(proof)}")
    return "; ".join(told)


def _row(target: TrafficTarget) -> str:
    return f"{target.entry.thresholds.answers_in_a_row} times in a row"


def _last(proof: Proof) -> str:
    return (
        f"of {proof.answers} answers the last other one: {proof.last}" if proof.last else f"{proof.answers} answers in all"
    )
