"""Servers that let nobody read their settings, as hardened installations have them: they answer, and are no dead ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from activities.clients.kubernetes.addresses import Addresses
from activities.clients.redis import RedisClient
from activities.detection.models import Condition
from activities.detection.probes.redis import RedisEye
from activities.postgres.models.survey import PodFact
from activities.redis.doctor import of_redis
from activities.redis.models import RedisSurvey
from activities.redis.survey import survey_of
from activities.run.models.diagnosis import Silence
from activities.run.models.doctor import Severity
from estate.base import Region
from tests.redis.bench import Pods, RedisBench
from tests.redis.cluster import SENTINELS, SERVERS, Cluster


class _OtherAddresses(Pods):
    """Pods have other addresses than those that they announce: the same machine by another name, 127.0.513 for 127.0.2.1."""

    async def pods(self, region: Region, names: tuple[str, ...]) -> dict[str, PodFact]:
        found = await super().pods(region, names)
        return {name: fact.model_copy(update={"address": _alias(fact.address or "")}) for name, fact in found.items()}


def _alias(address: str) -> str:
    first, second, third, fourth = address.split(".")
    return f"{first}.{second}.{int(third) * 256 + int(fourth)}"


@pytest.fixture
def hardened(bench: RedisBench) -> Iterator[RedisBench]:
    """Take CONFIG GET away from everybody but Sentinel's own rewriting."""
    _rule(bench.cluster, "-config|get")
    yield bench
    _rule(bench.cluster, "+config|get")


def _rule(cluster: Cluster, rule: str) -> None:
    for name in SERVERS:
        with cluster.client(name) as client:
            client.execute_command("ACL", "SETUSER", "default", rule)


async def _survey(bench: RedisBench, pods: Pods) -> RedisSurvey:
    return await survey_of(RedisClient(Addresses(pods)), bench.target, timedelta(seconds=1))


@pytest.mark.parametrize("pods", [Pods, _OtherAddresses])
async def test_the_announced_address_is_known_without_config(hardened: RedisBench, pods: type[Pods]) -> None:
    survey = await _survey(hardened, pods(hardened.cluster))
    assert survey.is_led
    announced = hardened.cluster.addresses
    assert {fact.name: fact.address for fact in survey.servers} == {name: f"{announced[name]}:6379" for name in SERVERS}
    assert survey.strays == ()
    assert [one for one in of_redis(hardened.target, survey) if one.severity is Severity.FAULT] == []
    assert (await RedisEye(RedisClient(Addresses(pods(hardened.cluster))), hardened.target).look()).findings == ()


async def test_a_hardened_master_is_moved_as_any_other(hardened: RedisBench) -> None:
    before = await hardened.leader()
    end, leader = await hardened.ending(await hardened.start())
    assert (end, leader != before) == ("completed", True), leader


async def test_an_address_that_nobody_knows_is_no_guess_and_no_silence(hardened: RedisBench) -> None:
    """A master with a guessed address would be a second one, which the next run makes a replica."""
    redis = RedisClient(Addresses(_OtherAddresses(hardened.cluster)))
    target = hardened.target
    deployment = target.deployment.model_copy(update={"sentinel_port": 1})
    lost = target.model_copy(update={"deployment": deployment})
    survey = await survey_of(redis, lost, timedelta(seconds=1))
    assert {fact.silence for fact in survey.servers} == {Silence.TURNED_AWAY}
    assert survey.strays == ()


async def test_a_master_that_answers_no_is_not_silent_to_its_watch(bench: RedisBench) -> None:
    _rule(bench.cluster, "-info")
    try:
        look = await RedisEye(bench.redis, bench.target).look()
        survey = await bench.survey()
    finally:
        _rule(bench.cluster, "+info")
    assert look.findings == ()
    assert "answers and lets nobody look" in look.blind
    words = [one.message for one in of_redis(bench.target, survey) if one.severity is Severity.FAULT]
    assert any("turns us away" in one for one in words)
    assert not any("does not answer" in one for one in words)


async def test_a_dead_master_is_still_found(bench: RedisBench) -> None:
    leader = await bench.leader()
    bench.cluster.kill(*SENTINELS[1:])  # nobody elects another one meanwhile
    bench.cluster.start(*SENTINELS[1:])
    bench.cluster.kill(leader)
    (finding,) = (await RedisEye(bench.redis, bench.target).look()).findings
    assert finding.condition in {Condition.REFUSED, Condition.SILENT}
