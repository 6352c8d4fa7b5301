"""A pair whose gates find data and no leader record, as after its first start behind gates, is taken over."""

from __future__ import annotations

import shutil

import pytest

from activities.run.models.report import Outcome
from deploy.lab.measuring import load
from deploy.lab.processes import wait_until
from deploy.lab.switching import CLUSTER, OPERATOR, agree, ending, plan_of
from tests.lab.invariants import must_be_sound
from tests.lab.platform import Platform
from workflows.postgres.models import lock_id
from workflows.run.models import TASK_QUEUE, TASK_TIMEOUT

pytestmark = [pytest.mark.lab, pytest.mark.matrix]
_SERVICE = "postgresql-primary"
_RECORD = ("leader", "epoch", "intent", "run", "previous", "unfinished", "sync", "system-identifier")
_WAITING = "a person must decide"


async def test_a_pair_without_a_record_is_adopted_with_its_data(whole: Platform) -> None:
    platform = whole
    platform.settle()
    await platform.until_fit()
    with load(platform.lab, platform.binaries) as running:
        platform.look()
        platform.sql(platform.old, "create table if not exists public.before_the_adoption (n int)")
        _forget_the_product(platform)
        handle = await platform.client.start_workflow(
            "postgres-adopt",
            {"cluster": CLUSTER, "run": "real", "by": OPERATOR, "reason": "lab"},
            id=lock_id(CLUSTER),
            task_queue=TASK_QUEUE,
            task_timeout=TASK_TIMEOUT,
        )
        plan = await plan_of(handle)
        assert plan.candidate == platform.old
        await agree(handle, plan)
        facts = await ending(handle)
        assert facts.outcome is Outcome.COMPLETED, facts.reason
        assert platform.leader == platform.old
        platform.settle(200)
        assert platform.note("sync") == platform.candidate
        platform.sql(platform.leader, "drop table public.before_the_adoption")
        must_be_sound(running.stop())


def _forget_the_product(platform: Platform) -> None:
    """Stop the pair, the standby first, and take away what only gates and the product made; start it again."""
    platform.sql(platform.old, "drop schema failover cascade; drop owned by failover; drop role failover")
    for member in (platform.candidate, platform.old):
        platform.kubectl("scale", f"statefulset/{member.removesuffix('-0')}", "--replicas=0")
        platform.kubectl("wait", "--for=delete", f"pod/{member}", "--timeout=120s")
        shutil.rmtree(platform.lab.disks / member / "gate")
    platform.kubectl("annotate", "service", _SERVICE, *(f"failover/{name}-" for name in _RECORD))
    platform.kubectl("delete", "lease", _SERVICE)
    for member in (platform.old, platform.candidate):
        platform.kubectl("scale", f"statefulset/{member.removesuffix('-0')}", "--replicas=1")
    for member in (platform.old, platform.candidate):
        wait_until(f"{member} waits for a person", lambda member=member: _WAITING in platform.log(member), 90)  # type: ignore[misc]
