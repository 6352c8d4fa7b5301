"""A primary and two standbys: the one that has more leads, the other one follows it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from activities.run.models.report import Outcome
from deploy.lab.measuring import load, platform_settings
from deploy.lab.processes import wait_until
from deploy.lab.switching import switch
from deploy.lab.workload import MEMBERS
from tests.lab.invariants import must_be_sound
from tests.lab.platform import Platform
from tests.lab.third_member import THIRD, third_member

pytestmark = [pytest.mark.lab, pytest.mark.matrix]


@pytest_asyncio.fixture(loop_scope="session")
async def three(platform: Platform) -> AsyncIterator[Platform]:
    """Three members, and a checker that asks all of them."""
    async with third_member(platform):
        usual = platform_settings(platform.lab, platform.binaries)
        address = platform.kubectl("get", "pod", THIRD, "-o", "jsonpath={.status.podIP}")
        members = {**usual.members, THIRD: address}
        with load(platform.lab, platform.binaries, usual.model_copy(update={"members": members})) as running:
            platform.look()
            yield platform
            platform.settle(200)
            must_be_sound(running.stop())


async def test_the_one_that_has_more_leads_and_the_other_follows_it(three: Platform) -> None:
    _scale(three, three.candidate, 0)
    wait_until("the other standby gone", lambda: three.candidate not in three.pods("postgresql", leaving=True), 90)
    await asyncio.sleep(0.5)
    _scale(three, three.old, 0)
    wait_until("the primary gone", lambda: three.old not in three.pods("postgresql", leaving=True), 90)
    _scale(three, three.candidate, 1)
    three.kubectl("wait", "--for=jsonpath={.status.phase}=Running", f"pod/{three.candidate}", "--timeout=60s")
    facts = await three.force()
    _scale(three, three.old, 1)
    assert facts.outcome is Outcome.COMPLETED, facts.reason
    assert three.leader == THIRD
    _until_followed_by(three, THIRD, {three.candidate, three.old})


async def test_a_planned_switch_takes_the_other_standby_along(three: Platform) -> None:
    for _ in range(2):
        old, new = three.leader, next(name for name in (THIRD, *MEMBERS) if name != three.leader)
        facts = await switch(three.client, to=new)
        assert facts.outcome is Outcome.COMPLETED, facts.reason
        assert three.leader == new
        _until_followed_by(three, new, {THIRD, *MEMBERS} - {new})
        assert old in three.note("sync").split(",")


def _scale(platform: Platform, member: str, replicas: int) -> None:
    platform.kubectl("scale", f"statefulset/{member.removesuffix('-0')}", f"--replicas={replicas}")


def _until_followed_by(platform: Platform, leader: str, others: set[str]) -> None:
    """Return once every other member streams from the leader, and the record counts it as synchronous."""
    query = "select json_agg(application_name) from pg_stat_replication where state = 'streaming'"

    def follow() -> bool:
        found = platform.sql(leader, query).strip()
        return set(json.loads(found or "[]")) >= others and set(platform.note("sync").split(",")) == others

    wait_until(f"{leader} followed by all", follow, 90)
