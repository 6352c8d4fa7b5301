"""Rollbacks on the real platform: back without loss, and back to the old primary as it was."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from activities.postgres.models.details import PostgresDetails
from activities.postgres.models.plan import PostgresPlan
from activities.run.models.report import Outcome
from deploy.lab.measuring import load
from deploy.lab.patience import stretched
from deploy.lab.switching import CLUSTER, OPERATOR, Handle, approve, ending, start, switch
from starters.history.model import Facts
from tests.lab.invariants import must_hold
from tests.lab.mending import make_whole
from tests.lab.platform import Platform
from workflows.postgres.models import kept_id, lock_id
from workflows.run.models import TASK_QUEUE, TASK_TIMEOUT, plan_id

pytestmark = pytest.mark.lab
_SERVICE = "postgresql-primary"
_CAPS: dict[str, Any] = {"max_bytes": "1GiB", "max_transactions": 1_000_000}


async def _roll_back(client: Client, *, run: str = "real", **more: Any) -> Handle:
    asked = {"cluster": CLUSTER, "run": run, "by": OPERATOR, "reason": "lab", **more}
    id_ = plan_id(lock_id(CLUSTER)) if run == "plan" else lock_id(CLUSTER)
    return await client.start_workflow("postgres-rollback", asked, id=id_, task_queue=TASK_QUEUE, task_timeout=TASK_TIMEOUT)


async def test_lossless_goes_back_to_who_led_before_and_loses_nothing(platform: Platform) -> None:
    old = platform.leader
    await switch(platform.client)
    assert platform.leader != old
    handle = await _roll_back(platform.client)
    await approve(handle)
    facts = await ending(handle)
    assert facts.outcome is Outcome.COMPLETED, facts.reason
    assert platform.leader == old
    assert facts.known.measurement is not None
    must_hold("no row lost", holds=facts.known.measurement.lost == 0)
    print(f"outage {facts.known.measurement.outage_seconds}, loss {facts.known.measurement.lost}")


async def _until_plan(platform: Platform, within: float = 120) -> Facts:
    """Return the plan of a discard once one can be made: the old member's gate must be back."""
    async with asyncio.timeout(stretched(within)):
        while True:
            facts = await ending(await _roll_back(platform.client, run="plan", mode="discard", **_CAPS))
            if facts.outcome is Outcome.DRY_RUN:
                return facts
            await asyncio.sleep(1)


async def _promoted_badly(platform: Platform, old: str) -> None:
    """Let the standby lead, and the old primary's pod be back and held as it was."""
    platform.kubectl("annotate", "service", _SERVICE, "failover/paused-until=2999-01-01T00:00:00Z", "--overwrite")
    statefulset = old.removesuffix("-0")
    platform.kubectl("scale", "statefulset", statefulset, "--replicas=0")
    platform.kubectl("wait", "--for=delete", f"pod/{old}", "--timeout=90s")
    handle = await start(platform.client, mode="forced", attest=True)
    await approve(handle, attest=True, within=60)
    facts = await ending(handle)
    assert facts.outcome is Outcome.COMPLETED, facts.reason
    platform.kubectl("scale", "statefulset", statefulset, "--replicas=1")


async def test_discard_goes_back_to_the_old_primary_as_it_was_and_keeps_the_rest_aside(whole: Platform) -> None:
    platform = whole
    await make_whole(platform)
    old, new = platform.leader, platform.standby
    kept = platform.kept_aside(new)
    with load(platform.lab, platform.binaries) as running:
        try:
            await _promoted_badly(platform, old)
            plan = (await _until_plan(platform)).known.plan
            handle = await _roll_back(platform.client, mode="discard", **_CAPS)
            await approve(handle, within=60)
            facts = await ending(handle, within=300)
        finally:
            platform.kubectl("annotate", "service", _SERVICE, "failover/paused-until-")
            platform.kubectl("scale", "statefulset", old.removesuffix("-0"), "--replicas=1")
            platform.settle(200)
        seen = running.stop()
    assert facts.outcome is Outcome.COMPLETED, facts.reason
    assert isinstance(plan, PostgresPlan)
    assert plan.give_up is not None
    assert (platform.leader, platform.note("sync")) == (old, new)
    details = facts.known.of(PostgresDetails)
    assert details.loss is not None
    assert details.loss.transactions > 0
    aside = platform.kept_aside(new) - kept
    assert aside
    await _removed(platform, new, aside)
    must_hold("never two writers", holds=seen["two_writers"] == [])
    print(f"outage at most {facts.verdict.outage_seconds}; given up {details.loss}")


async def _removed(platform: Platform, member: str, aside: set[Path]) -> None:
    """Remove what is kept ``aside``, through the product; nothing else goes."""
    others = platform.kept_aside(member) - aside
    for one in sorted(aside):
        asked = {"cluster": CLUSTER, "member": member, "remove": one.name, "by": OPERATOR, "reason": "lab"}
        id_ = kept_id(CLUSTER)
        await platform.client.execute_workflow(
            "postgres-kept", asked, id=id_, task_queue=TASK_QUEUE, task_timeout=TASK_TIMEOUT
        )
    async with asyncio.timeout(stretched(60)):
        while platform.kept_aside(member) != others:  # deleted beside the gate's work
            await asyncio.sleep(0.2)


@pytest.mark.matrix  # tests/postgres refuses it (NotUntouched), too
async def test_a_member_that_follows_already_is_not_given_the_writes_as_it_was(platform: Platform) -> None:
    old = platform.leader
    await switch(platform.client)
    platform.settle()
    new = platform.leader
    assert new != old
    handle = await _roll_back(platform.client, mode="discard", max_bytes="1GiB", max_transactions=0)
    facts = await ending(handle)
    assert facts.outcome is Outcome.REFUSED
    assert facts.refusal == "NotUntouched"
    assert platform.leader == new
