"""Which master a run means, and what it does when another one leads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.redis.doctor import of_redis, standing_of
from activities.redis.models import RedisRole, RedisSurvey, SentinelFact, ServerFact
from activities.run.models.diagnosis import Silence
from gate.record import Mode
from tests.postgres.samples import MYMASTER, REDIS
from workflows.redis.planning import eligible_of, make_redis_plan, must_be_meant, must_not_have_moved, must_not_live


def _survey(
    named: str, masters: str = "", silent: str = "", *, fails_over: bool = False, agreed: bool = False
) -> RedisSurvey:
    servers = tuple(
        ServerFact(name=name, error="silent")
        if name in silent
        else ServerFact(name=name, address=at, role=RedisRole.MASTER if name in masters else RedisRole.REPLICA)
        for name, at in REDIS.items()
    )
    word: dict[str, Any] = {"master": REDIS[named], "can_decide": True}
    word["agrees_it_is_down"] = agreed
    sentinels = tuple(SentinelFact(name=f"s-{number}", fails_over=fails_over, **word) for number in range(3))
    return RedisSurvey(at=datetime(2026, 1, 1, tzinfo=UTC), servers=servers, sentinels=sentinels)


def _under_way(*, answering: int, epoch: int = 5) -> RedisSurvey:
    """Return a survey amid a failover from ``redis-1`` to ``redis-0``: one Sentinel has heard of it, one goes on with it."""
    survey = _survey("redis-0", masters="redis-0", silent="redis-1")
    heard, leads, silent = survey.sentinels
    words = (
        heard.model_copy(update={"config_epoch": 5}),
        leads.model_copy(update={"master": REDIS["redis-1"], "config_epoch": epoch, "fails_over": True}),
    )[:answering]
    mute = silent.model_copy(update={"master": "", "can_decide": False})
    return survey.model_copy(update={"sentinels": (*words, *[mute] * (3 - answering))})


def _refused(survey: RedisSurvey, member: str | None, *, attest: bool = True) -> str:
    """Return the refusal of a forced run, empty when there is none."""
    try:
        must_not_have_moved(MYMASTER, survey, member)
        plan = make_redis_plan(MYMASTER, survey, Mode.FORCED)
        must_be_meant(plan, survey, member)
        must_not_live(plan, survey, given_up=member if attest else None)
    except ApplicationError as error:
        return str(error.type)
    return ""


@pytest.mark.parametrize(
    ("survey", "member", "refused"),
    [
        (_survey("redis-0", silent="redis-0"), "redis-0", ""),
        (_survey("redis-0", silent="redis-0"), None, ""),
        (_survey("redis-1", masters="redis-1", silent="redis-0"), "redis-0", "MovedAlready"),
        (_survey("redis-1", masters="redis-1", silent="redis-0 redis-2"), "redis-0", "MovedAlready"),
        (_under_way(answering=2), "redis-1", "MovedAlready"),
        (_under_way(answering=2, epoch=4), "redis-1", "MovedAlready"),
        (_under_way(answering=1), "redis-1", "NoPrimary"),
        (_survey("redis-1", masters="redis-1", silent="redis-0"), None, "PrimaryAlive"),
        (_survey("redis-1", masters="redis-1"), "redis-1", ""),
        (_survey("redis-0", silent="redis-0"), "redis-2", "NoPrimary"),
        (_survey("redis-0", silent="redis-0"), "redis-9", "BadInput"),
        (_survey("redis-0", silent="redis-0 redis-1"), "redis-0", ""),
        (_survey("redis-0", silent="redis-0 redis-1"), "redis-2", "NoPrimary"),
    ],
)
def test_a_word_counts_for_the_one_that_it_names(survey: RedisSurvey, member: str | None, refused: str) -> None:
    assert _refused(survey, member) == refused


def test_one_that_a_sentinel_has_just_promoted_may_become_the_master() -> None:
    plan = make_redis_plan(MYMASTER, _survey("redis-0", masters="redis-1", silent="redis-0", fails_over=True), Mode.FORCED)
    assert eligible_of(plan) == ("redis-1", "redis-2")
    plan = make_redis_plan(MYMASTER, _survey("redis-0", masters="redis-1", silent="redis-0"), Mode.FORCED)
    assert eligible_of(plan) == ("redis-2",)


@pytest.mark.parametrize(
    ("survey", "writes", "redundant"),
    [
        (_survey("redis-2", "redis-2"), True, False),
        (_survey("redis-2", silent="redis-2", agreed=True), False, None),
        (_survey("redis-2", silent="redis-2"), None, None),
        (_survey("redis-2", "redis-2", fails_over=True), True, False),
        (_survey("redis-2", silent="redis-2", fails_over=True), False, None),
    ],
)
def test_status_says_whether_it_takes_writes(survey: RedisSurvey, *, writes: bool | None, redundant: bool | None) -> None:
    found = standing_of(MYMASTER, survey)
    assert (found.takes_writes, found.redundant) == (writes, redundant)
    assert bool(found.message) is not bool(writes)


def test_doctor_names_the_silent_master_and_the_command_that_means_it() -> None:
    first = of_redis(MYMASTER, _survey("redis-2", silent="redis-2", agreed=True))[0]
    assert first.message == f"WRITES ARE DOWN: the master redis-2, at {REDIS['redis-2']}, does not answer"
    assert first.remedy == "failover plan redis-failover mymaster --mode forced --member redis-2"
    assert first.outage


def test_one_that_only_we_do_not_hear_is_no_outage() -> None:
    first = of_redis(MYMASTER, _survey("redis-2", silent="redis-2"))[0]
    assert (first.outage, "no quorum of the Sentinels holds it for down" in first.message) == (False, True)


@pytest.mark.parametrize(
    ("agreed", "given_up", "refused"), [(False, None, True), (True, None, False), (False, "redis-2", False)]
)
def test_one_that_turns_the_worker_away_lives_unless_the_sentinels_know_better(
    *, agreed: bool, given_up: str | None, refused: bool
) -> None:
    survey = _survey("redis-2", silent="redis-2", agreed=agreed)
    away = survey.servers[2].model_copy(update={"silence": Silence.TURNED_AWAY})
    survey = survey.model_copy(update={"servers": (*survey.servers[:2], away)})
    plan = make_redis_plan(MYMASTER, survey, Mode.FORCED)
    if not refused:
        must_not_live(plan, survey, given_up=given_up)
        return
    with pytest.raises(ApplicationError, match="turns the worker away, so it lives"):
        must_not_live(plan, survey, given_up=given_up)


def test_doctor_does_not_guess_which_of_two_silent_servers_is_the_master() -> None:
    two = _survey("redis-2", silent="redis-2 redis-1", agreed=True)
    assert of_redis(MYMASTER, two)[0].remedy == "failover plan redis-failover mymaster --mode forced"
