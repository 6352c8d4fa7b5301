"""Planned failovers on the real platform: what clients see, and what must stay true."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.postgres.models.details import PostgresDetails
from activities.run.errors import Refusal
from activities.run.models.report import Outcome
from deploy.lab.patience import stretched
from deploy.lab.switching import approve, ending, start, switch
from gate.api import Role
from tests.lab.invariants import must_hold
from tests.lab.platform import Platform

pytestmark = pytest.mark.lab
_QUIET_SECONDS = 5
"""Until the endpoints of an earlier rollout are gone: kube-proxy takes changes at most once a second."""


async def test_there_and_back_loses_nothing_and_stops_writes_for_less_than_a_second(platform: Platform) -> None:
    for _ in range(2):
        old, new = platform.leader, platform.standby
        await asyncio.sleep(_QUIET_SECONDS)
        facts = await switch(platform.client)
        known = facts.known
        assert facts.outcome is Outcome.COMPLETED
        assert platform.leader == new
        assert known.measurement is not None
        must_hold("no row lost", holds=known.measurement.lost == 0)
        details = known.of(PostgresDetails)
        assert details.redundancy is not None
        assert details.redundancy.member == old
        assert platform.note("sync") == old
        print(f"outage {known.measurement.outage_seconds}, {old} synchronous after {details.redundancy.seconds:.2f} s")
    assert details.routed is not None
    seen = platform.seen()
    after = [error for error in seen["api_errors"] if error[0] > details.routed.routed_at.timestamp()]
    print(f"outage {seen['outage_seconds']} s, API errors {len(seen['api_errors'])}, after the route {len(after)}")
    assert after == []
    assert seen["outage_seconds"] < 1.5


async def test_a_plan_changes_nothing_on_the_real_cluster(platform: Platform) -> None:
    before = platform.kubectl("get", "service", "postgresql-primary", "-o", "jsonpath={.metadata.resourceVersion}")
    asked = {"cluster": "orders", "mode": "planned"}
    handle = await platform.client.start_workflow(
        "postgres-failover", asked, id="plan/postgres/orders", task_queue="failover"
    )
    facts = await ending(handle)
    after = platform.kubectl("get", "service", "postgresql-primary", "-o", "jsonpath={.metadata.resourceVersion}")
    assert facts.outcome is Outcome.DRY_RUN
    assert before == after
    assert f"+  failover/leader: {platform.standby}" in facts.known.preview


async def test_a_second_failover_of_the_cluster_is_refused_meanwhile(platform: Platform) -> None:
    handle = await start(platform.client)
    with pytest.raises(WorkflowAlreadyStartedError):
        await start(platform.client)
    await handle.cancel()
    assert (await ending(handle)).outcome is Outcome.CANCELLED


async def test_without_a_synchronous_standby_it_is_refused(platform: Platform) -> None:
    leader, standby = platform.leader, platform.standby
    statefulset = standby.removesuffix("-0")
    platform.kubectl("scale", "statefulset", statefulset, "--replicas=0")
    try:
        async with asyncio.timeout(stretched(30)):
            while platform.note("sync") != "none":
                await asyncio.sleep(0.2)
        handle = await start(platform.client)
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    finally:
        platform.kubectl("scale", "statefulset", statefulset, "--replicas=1")
    assert standby in str(failed.value.cause)
    assert platform.leader == leader


@pytest.mark.matrix
async def test_a_candidate_that_goes_before_the_promotion_costs_no_more_than_an_undo(platform: Platform) -> None:
    leader, standby = platform.leader, platform.standby
    handle = await start(platform.client)
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(_take_away_once_claimed(platform, standby))
            await approve(handle)
            facts = await ending(handle)
    finally:
        platform.kubectl("scale", "statefulset", standby.removesuffix("-0"), "--replicas=1")
    assert facts.outcome is Outcome.ROLLED_BACK
    assert facts.refusal == Refusal.CANDIDATE_FAILED
    assert platform.leader == leader
    assert not platform.note("intent")


async def _take_away_once_claimed(platform: Platform, standby: str) -> None:
    async with asyncio.timeout(stretched(60)):
        while platform.note("intent") != standby:
            await asyncio.sleep(0.01)
    platform.kubectl("scale", "statefulset", standby.removesuffix("-0"), "--replicas=0")


def test_roles_are_words_that_kubernetes_shows(platform: Platform) -> None:
    shown = platform.kubectl("get", "pod", platform.leader, "-o", "jsonpath={.metadata.labels.role}")
    assert shown == Role.PRIMARY.value
