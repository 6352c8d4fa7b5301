"""Since when writes had stood still before a forced run began, and who says so.

A standby keeps the time at which its server last heard the primary's. Commits wait for standbys, so from then on none was
acknowledged. Where no standby says, it is when a watch's witnesses first saw the leader gone, or what the person who asks
has said; else nobody knows, and the run's own start is the latest that it can have been.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pydantic import TypeAdapter, ValidationError

from activities.postgres.models.survey import MemberFact, Survey
from activities.run.models.wire import Wire
from gate.api import Role
from starters.history.parse import Chronicle, decode
from workflows.run.phases import Part

_TIME = TypeAdapter(datetime)


class Standstill(Wire):
    """When, and in words by whose clock."""

    since: datetime
    told: str


def standstill(chronicle: Chronicle) -> Standstill | None:
    """Return since when writes have stood still at the latest; ``None`` for a run that stops them itself."""
    if chronicle.asked.get("mode") != "forced" or chronicle.started_at is None:
        return None
    if (since := _said(chronicle.asked.get("down_since"))) is not None:
        return Standstill(since=since, told=f"from when it failed, {since:%H:%M:%S} UTC as {chronicle.asked.get('by')} said")
    heard = _last_heard(_last_survey(chronicle))
    if heard is not None:
        return heard
    if chronicle.noticed is not None:
        waited = (chronicle.started_at - chronicle.noticed).total_seconds()
        told = f"from when witnesses first saw it gone, {waited:.3f} s before the run began"
        return Standstill(since=chronicle.noticed, told=told)
    return Standstill(since=chronicle.started_at, told="from the run's start (nobody has seen when writes stopped)")


def _said(when: object) -> datetime | None:
    """Return a time as the request has it; ``None``: none is given, or none that can be read."""
    try:
        return _TIME.validate_python(when).astimezone(UTC) if when is not None else None
    except ValidationError:
        return None


def _last_survey(chronicle: Chronicle) -> Survey | None:
    """Return what was seen last before the run began to stop the old primary."""
    stops = chronicle.steps_that(Part.STOPS, Part.CONFIRMS)
    until = stops[0].scheduled if stops else None
    surveys = [step for step in chronicle.steps_named("postgres.survey") if step.ended and step.result is not None]
    before = [step.result for step in surveys if until is None or (step.ended and step.ended <= until)]
    return decode(before[-1], Survey) if before else None


def _last_heard(survey: Survey | None) -> Standstill | None:
    if survey is None or survey.record is None:
        return None
    heard = [(at, fact.name) for fact in survey.members if (at := _heard_at(survey, fact)) is not None]
    if not heard:
        return None
    at, name = max(heard)
    return Standstill(since=at, told=f"from when {name} last heard {survey.record.leader}, at {at:%H:%M:%S} UTC")


def _heard_at(survey: Survey, fact: MemberFact) -> datetime | None:
    gate, record = fact.gate, survey.record
    waits_for = record is not None and fact.name in record.sync_members
    if gate is None or not waits_for or gate.role is not Role.STANDBY or gate.upstream_silent_seconds is None:
        return None
    return survey.at - timedelta(seconds=gate.upstream_silent_seconds)
