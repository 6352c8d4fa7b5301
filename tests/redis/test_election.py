"""When a Sentinel is asked to act, which one, and when never. No clock of Redis: what each says is what a test says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.clients.ports import RedisAnswerError, UnreachableError
from activities.redis import sentinels
from activities.redis.election import RedisElectActivities
from activities.redis.models import ElectRequest, Moved, RedisPlan, RedisRole, RedisSwitch, SentinelFact, ServerFact
from activities.run.models.diagnosis import Silence
from activities.run.models.wire import RunId
from estate.redis import RedisTarget
from gate.record import Mode
from tests.postgres.samples import MYMASTER, REDIS

_OLD, _NEW = "redis-0", "redis-1"


class Deployment:
    """The master is dead; two Sentinels are left, which name it and cannot elect."""

    def __init__(self) -> None:
        self.masters: set[str] = set()
        self.silent = {_OLD, "s-2"}
        self.names = dict.fromkeys(("s-0", "s-1", "s-2"), _OLD)
        self.fails_over: set[str] = set()
        self.epochs = dict.fromkeys(("s-0", "s-1", "s-2"), 7)
        self.can_decide = False
        self.asked: list[str] = []
        self.says: dict[str, Exception] = {}
        self.promotes = True

    async def server(self, target: RedisTarget, name: str, **_: Any) -> ServerFact:  # noqa: ARG002 - the Protocol's
        if name in self.silent:
            raise UnreachableError(f"{name} is silent")
        role = RedisRole.MASTER if name in self.masters else RedisRole.REPLICA
        return ServerFact(name=name, address=REDIS[name], role=role)

    async def sentinel(self, target: RedisTarget, name: str, **_: Any) -> SentinelFact:  # noqa: ARG002
        if name in self.silent:
            raise UnreachableError(f"{name} is silent")
        named, busy = REDIS[self.names[name]], name in self.fails_over
        return SentinelFact(
            name=name, master=named, fails_over=busy, can_decide=self.can_decide, agrees_it_is_down=True,
            config_epoch=self.epochs[name],
        )  # fmt: skip

    async def elect(self, target: RedisTarget, name: str, old: str) -> None:  # noqa: ARG002
        self.asked.append(name)
        if name in self.says:
            raise self.says[name]
        if self.promotes:
            self.masters = {_NEW}


async def _elected(redis: Deployment, seconds: float = 0, *details: str, by_word: bool = True, given_up: str = "") -> Moved:
    plan = RedisPlan(cluster="mymaster", mode=Mode.FORCED, primary=_OLD, candidate="redis-1 or redis-2", digest="")
    run = RunId(workflow_id="redis/mymaster", run_id="1")
    switch = RedisSwitch(
        target=MYMASTER, plan=plan, old=REDIS[_OLD], eligible=("redis-1", "redis-2"), run=run, config_epoch=7
    )
    request = ElectRequest(switch=switch, insist_after=timedelta(seconds=seconds), by_word=by_word, given_up=given_up)
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, heartbeat_details=list(details))
    return cast("Moved", await environment.run(RedisElectActivities(cast("Any", redis)).force_election, request))


async def test_one_is_asked_where_they_cannot_elect() -> None:
    redis = Deployment()
    assert (await _elected(redis, seconds=60)).leader == _NEW
    assert redis.asked == ["s-0"]


async def test_none_is_asked_where_another_server_leads_already() -> None:
    redis = Deployment()
    redis.masters = {"redis-2"}
    assert (await _elected(redis)).leader == "redis-2"
    assert redis.asked == []


@pytest.mark.parametrize("how", ["fails over", "names another"])
async def test_none_is_asked_while_another_has_begun(how: str) -> None:
    """It is seen at the very last look, and what it promotes is taken."""
    redis, looks = Deployment(), 0
    usual = redis.sentinel

    async def sentinel(target: RedisTarget, name: str, **more: Any) -> SentinelFact:
        nonlocal looks
        looks += 1
        if looks > 3:  # the survey asks all three
            redis.fails_over, redis.names["s-1"] = ({"s-1"}, _OLD) if how == "fails over" else (set(), "redis-2")
            redis.masters, redis.epochs["s-1"] = {"redis-2"}, 8
        return await usual(target, name, **more)

    redis.sentinel = sentinel  # type: ignore[method-assign]
    moved = await _elected(redis)
    assert (moved.leader, moved.note.split(";")[0]) == ("redis-2", "a failover was under way already")
    assert redis.asked == []


async def test_one_that_has_missed_a_failover_keeps_nobody_from_acting() -> None:
    redis = Deployment()
    redis.names["s-1"], redis.epochs["s-1"] = "redis-2", 6
    assert (await _elected(redis)).leader == _NEW
    assert redis.asked == ["s-0"]


@pytest.mark.parametrize("answers", [True, False])
async def test_no_other_is_asked_when_nothing_comes_of_it(monkeypatch: pytest.MonkeyPatch, *, answers: bool) -> None:
    """It may stand still, and go on when somebody else has promoted another one."""
    monkeypatch.setattr(sentinels, "_PROMOTED_WITHIN_SECONDS", 0.3)
    redis = Deployment()
    redis.promotes = False
    if not answers:
        redis.says["s-0"] = UnreachableError("no answer within 1 s", Silence.NO_ANSWER)
    with pytest.raises(ApplicationError, match="nobody became master"):
        await _elected(redis)
    assert redis.asked == ["s-0"]


async def test_no_other_is_asked_when_one_that_had_begun_falls_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentinels, "_PROMOTED_WITHIN_SECONDS", 0.3)
    redis = Deployment()
    redis.promotes = False

    async def freezes(target: RedisTarget, name: str, old: str) -> None:  # noqa: ARG001
        redis.asked.append(name)
        redis.silent.add(name)
        raise RedisAnswerError(name, "INPROG Failover already in progress")

    redis.elect = freezes  # type: ignore[method-assign]
    with pytest.raises(ApplicationError, match="nobody became master"):
        await _elected(redis)
    assert redis.asked == ["s-0"]


async def test_nobody_is_asked_again_by_the_next_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentinels, "_PROMOTED_WITHIN_SECONDS", 0.3)
    redis = Deployment()
    with pytest.raises(ApplicationError, match="nobody became master"):
        await _elected(redis, 0, "asked")
    assert redis.asked == []
    redis.masters = {_NEW}
    assert (await _elected(redis, 0, "asked")).leader == _NEW


async def test_no_other_is_asked_when_one_may_have_begun() -> None:
    redis = Deployment()
    redis.says["s-0"] = UnreachableError("no answer within 1 s", Silence.NO_ANSWER)
    redis.masters = set()

    async def late(target: RedisTarget, name: str, old: str) -> None:  # noqa: ARG001
        redis.asked.append(name)
        redis.masters = {_NEW}
        raise redis.says["s-0"]

    redis.elect = late  # type: ignore[method-assign]
    assert (await _elected(redis)).note.startswith("s-0 was asked to act and did not answer")
    assert redis.asked == ["s-0"]


async def test_the_next_one_is_asked_when_the_first_was_not_reached() -> None:
    redis = Deployment()
    redis.says["s-0"] = UnreachableError("connection refused", Silence.NO_CONNECTION)
    assert (await _elected(redis)).leader == _NEW
    assert redis.asked == ["s-0", "s-1"]


async def test_one_that_has_no_good_replica_yet_is_asked_again() -> None:
    redis = Deployment()
    redis.says = {name: RedisAnswerError(name, "NOGOODSLAVE No suitable replica") for name in ("s-0", "s-1")}

    async def at_last(target: RedisTarget, name: str, old: str) -> None:  # noqa: ARG001
        redis.asked.append(name)
        if len(redis.asked) < 3:
            raise redis.says[name]
        redis.masters = {_NEW}

    redis.elect = at_last  # type: ignore[method-assign]
    assert (await _elected(redis)).leader == _NEW
    assert redis.asked == ["s-0", "s-1", "s-0"]


@pytest.mark.parametrize("given_up", ["", "redis-2"])
async def test_a_master_that_answers_again_is_not_replaced_unless_it_is_named(given_up: str) -> None:
    redis = Deployment()
    redis.silent.discard(_OLD)
    redis.masters = {_OLD}
    with pytest.raises(
        ApplicationError, match="redis-0 answers and is the master; nobody has named it as the one to replace"
    ):
        await _elected(redis, given_up=given_up)
    assert redis.asked == []
    assert (await _elected(redis, given_up=_OLD)).leader == _NEW
