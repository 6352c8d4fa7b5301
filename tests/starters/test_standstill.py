"""Since when writes had stood still before a forced run began."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from temporalio.api.common.v1 import Payload

from activities.postgres.models.survey import MemberFact, Survey
from starters.history.objective import Figure, verdict_of
from starters.history.parse import Chronicle, Step
from starters.history.standstill import standstill
from starters.render.live import clock
from tests.postgres.samples import NOW, A, B, C, member, record, status, survey, target

_START = NOW - timedelta(seconds=0.5)


def _seen(silent: float | None, *, of: str = B, **changes: object) -> Survey:
    gone, standby = MemberFact(name=A), member(of, gate=status(of, upstream_silent_seconds=silent))
    return survey(members=(gone, standby), record=record(**changes))


def _step(name: str, began: float, ended: float, answer: Survey | None = None) -> Step:
    result = Payload(metadata={"encoding": b"json/plain"}, data=answer.model_dump_json().encode()) if answer else None
    return Step(
        name=name, what=name, scheduled=NOW + timedelta(seconds=began), ended=NOW + timedelta(seconds=ended),
        end="completed", result=result,
    )  # fmt: skip


def _run(*surveys: Survey, mode: str = "forced", noticed: datetime | None = None) -> Chronicle:
    steps = [_step("postgres.survey", number, number + 0.1, one) for number, one in enumerate(surveys)]
    steps += [_step("postgres.prove", 8, 9), _step("postgres.promote", 9, 10), _step("postgres.verify", 10, 12)]
    return Chronicle(
        workflow="postgres-failover", asked={"mode": mode}, started_at=_START, noticed=noticed, target=target(),
        steps=dict(enumerate(steps)),
    )  # fmt: skip


def test_it_counts_from_what_a_synchronous_standby_heard_last() -> None:
    run = _run(_seen(40.0))
    stood = standstill(run)
    assert stood is not None
    assert (stood.since, A in stood.told) == (NOW - timedelta(seconds=40), True)
    assert f"from when {B} last heard {A}, at " in stood.told
    assert f"write outage at least 52.0 s ({stood.told}) of 5 min 00.0 s allowed" in clock(run, NOW + timedelta(seconds=12))


def test_the_verdict_says_that_it_is_the_least() -> None:
    verdict = verdict_of(_run(_seen(40.0)), None)
    assert (verdict.outage_seconds, verdict.outage_is) == (52.0, Figure.AT_LEAST)


@pytest.mark.parametrize(
    "seen",
    [_seen(None), _seen(40.0, of=C, sync=B), survey(record=None)],
    ids=["it does not say", "commits did not wait for it", "there is no record"],
)
def test_without_a_word_of_a_standby_it_counts_from_what_witnesses_saw_or_from_the_start(seen: Survey) -> None:
    noticed = _START - timedelta(seconds=3)
    stood = standstill(_run(seen, noticed=noticed))
    assert stood is not None
    assert (stood.since, "witnesses" in stood.told) == (noticed, True)
    stood = standstill(_run(seen))
    assert stood is not None
    assert (stood.since, "nobody has seen" in stood.told) == (_START, True)


def test_what_is_seen_once_the_run_acts_is_about_another_primary() -> None:
    late = _step("postgres.survey", 12, 13, _seen(0.1))
    run = _run(_seen(40.0))
    run.steps[99] = late
    stood = standstill(run)
    assert stood is not None
    assert stood.since == NOW - timedelta(seconds=40)


def test_a_planned_run_stops_the_writes_itself() -> None:
    assert standstill(_run(_seen(40.0), mode="planned")) is None
