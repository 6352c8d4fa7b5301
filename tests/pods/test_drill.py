"""The drill of ``pod-failover``: one pod is ended, once, and only where everything was well before."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.pods.models import PodDetails, Trouble
from tests.fakes.faults import Fault
from tests.pods.bench import PodBench, serving


async def test_a_pod_is_ended_and_comes_back(bench: PodBench) -> None:
    end, words = await bench.ending(await bench.start(run="drill"))
    assert (end, bench.world.struck, bench.world.deleted) == ("completed", ["api-0"], []), words
    report = bench.report()
    details = report.of(PodDetails)
    assert details.struck is not None
    assert details.struck.how == "kill 1"
    assert details.recovery_seconds is not None
    assert bench.world.restarts_within < details.recovery_seconds < 10
    assert bench.world.pods_by_name["api-0"].seen.restarts == 1


async def test_the_pod_can_be_chosen(bench: PodBench) -> None:
    assert (await bench.ending(await bench.start(run="drill", pod="api-1")))[0] == "completed"
    assert bench.world.struck == ["api-1"]


async def test_one_that_does_not_come_back_is_replaced(bench: PodBench) -> None:
    bench.world.restarts_within = float("inf")
    assert (await bench.ending(await bench.start(run="drill")))[0] == "completed"
    assert bench.world.deleted == [("api-0", False)]


async def test_a_process_that_takes_no_signal_loses_its_pod(bench: PodBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.pods.steps._DIES_WITHIN", timedelta(seconds=0.5))
    bench.world.stubborn = True
    assert (await bench.ending(await bench.start(run="drill")))[0] == "completed"
    assert bench.world.deleted == [("api-0", True)]
    details = bench.report().of(PodDetails)
    assert details.struck is not None
    assert "deleted without grace" in details.struck.how


async def test_a_strike_that_is_not_reported_strikes_once(bench: PodBench) -> None:
    bench.faults.order("pods.end_process", Fault.UNREPORTED)
    assert (await bench.ending(await bench.start(run="drill")))[0] == "completed"
    assert bench.world.struck == ["api-0"]


async def test_a_drill_begins_with_everything_well(bench: PodBench) -> None:
    bench.world.break_pod("api-1", Trouble.NOT_READY)
    end, words = await bench.ending(await bench.start(run="drill"))
    assert (end, bench.world.struck) == ("NotWhole", [])
    assert "api-1 (not ready)" in words


async def test_the_only_pod_is_ended_only_by_name(bench: PodBench) -> None:
    bench.world.wanted = 1
    del bench.world.pods_by_name["api-1"]
    end, words = await bench.ending(await bench.start(run="drill"))
    assert (end, bench.world.struck) == ("NotWhole", [])
    assert "name it to do it anyway" in words
    assert (await bench.ending(await bench.start(run="drill", pod="api-0")))[0] == "completed"


async def test_an_unknown_pod_is_refused(bench: PodBench) -> None:
    end, words = await bench.ending(await bench.start(run="drill", pod="postgresql-primary-0"))
    assert (end, bench.world.struck) == ("BadInput", [])
    assert "is no pod of api-deployment; there is api-0, api-1" in words


async def test_a_real_run_ends_no_pod(bench: PodBench) -> None:
    end, words = await bench.ending(await bench.start(pod="api-0"))
    assert (end, bench.world.struck) == ("BadInput", [])
    assert "pod: only with run drill" in words


async def test_where_the_policy_asks_somebody_else_nothing_is_ended_before(temporal: Client, tmp_path: Path) -> None:
    policy = {"drill": {"roles": ["DBA"], "window": "PT1M"}}
    async with serving(temporal, tmp_path, approvals=policy) as bench:
        handle = await bench.start(run="drill")
        await bench.until_phase(handle, "awaiting approval")
        assert bench.world.struck == []
        plan = (await handle.query("status"))["plan"]["digest"]
        await handle.execute_update("decide", {"by": "dana", "plan": plan, "approve": True})
        assert (await bench.ending(handle))[0] == "completed"
        assert bench.world.struck == ["api-0"]
