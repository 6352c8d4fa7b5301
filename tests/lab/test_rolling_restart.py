"""Both StatefulSets are restarted by hand, one after the other, while a detection looks: the leader hands over first."""

from __future__ import annotations

import asyncio

import pytest

from activities.run.models.report import Outcome
from deploy.lab.patience import stretched
from deploy.lab.switching import ending
from deploy.lab.watching import watched
from tests.lab.platform import Platform

pytestmark = pytest.mark.lab
_WRITES_STOP_SECONDS = 1.5
"""As for a planned failover that a person starts; a pod that ends without a hand-over is away for longer."""
_USUAL_SECONDS = 0.1
"""Between two acknowledged rows of one client, on a busy machine."""


async def _restart(platform: Platform, member: str) -> None:
    """Restart a member's StatefulSet, as anybody would, and wait until the cluster is redundant again."""
    await asyncio.to_thread(platform.kubectl, "rollout", "restart", f"statefulset/{member.removesuffix('-0')}")
    await asyncio.to_thread(platform.kubectl, "rollout", "status", f"statefulset/{member.removesuffix('-0')}")
    async with asyncio.timeout(stretched(60)):
        while platform.note("sync") in {"", "none"}:
            await asyncio.sleep(0.2)


async def test_a_rolling_restart_by_hand_moves_the_leader_first(platform: Platform) -> None:
    leader, standby = platform.leader, platform.standby
    async with watched(platform.client, "postgres/orders"):
        await _restart(platform, leader)
        facts = await ending(platform.client.get_workflow_handle("postgres/orders"))
        assert facts.outcome is Outcome.COMPLETED, facts.reason
        assert facts.asked.by == "postgres-watch"
        assert facts.asked.reason == f"{leader} is asked to end, and hands over first"
        assert platform.leader == standby
        assert "hands nothing over" not in platform.log(leader)
        await _restart(platform, standby)
        assert platform.leader == leader
    seen = platform.seen()
    stops = [round(seconds, 3) for seconds, *_ in seen["gaps"] if seconds > _USUAL_SECONDS]
    print(f"writes stopped for {sum(stops):.3f} s in all: {stops}; API errors: {len(seen['api_errors'])}")
    assert seen["outage_seconds"] < _WRITES_STOP_SECONDS
