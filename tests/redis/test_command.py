"""``failover`` with a Redis deployment: plan, start, status, report and history, as a person types them."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.faults import Fault
from tests.redis.bench import MASTER, RedisBench
from tests.starters.conftest import command_for


async def test_plan_start_report_and_history(bench: RedisBench, tmp_path: Path) -> None:
    failover, before = command_for(bench.client, bench.queue), await bench.leader()
    planned = await failover("plan", "redis-failover", MASTER)
    assert planned.code == 0, planned
    assert "Nothing was changed. To do it:" in planned.out
    assert f"failover start redis-failover {MASTER} --mode planned --by YOU" in planned.out
    assert await bench.leader() == before

    started = await failover("start", "redis-failover", MASTER, "--by", "omar", "--reason", "a test", "--watch")
    assert started.code == 0, started
    assert "Done — objective met" in started.out
    assert "acknowledged writes, all looked up" in started.out
    leader = await bench.leader()
    assert f"{leader} is the master of {MASTER}" in started.out

    status = await failover("status", MASTER)
    assert status.code == 0, status
    assert f"redis-failover {MASTER} (planned)" in status.out
    page = tmp_path / "report.html"
    report = await failover("report", MASTER, "--write", str(page))
    assert report.code == 0, report
    assert f"{before} → {leader}" in page.read_text(encoding="utf-8")
    history = await failover("history", MASTER, "--output", "json")
    assert history.document["runs"][0]["outcome"] == "completed"
    assert history.document["runs"][0]["cluster"] == MASTER


async def test_a_forced_start_without_need_is_refused_with_3(bench: RedisBench) -> None:
    failover = command_for(bench.client, bench.queue)
    refused = await failover("start", "redis-failover", MASTER, "--mode", "forced", "--by", "omar", "--watch")
    assert refused.code == 3, refused
    assert "mode planned loses nothing" in refused.out + refused.err


async def test_status_of_a_terminated_run_says_what_to_do(bench: RedisBench) -> None:
    failover, hanging = command_for(bench.client, bench.queue), bench.faults.order("redis.quiesce", Fault.HANGS)
    handle = await bench.start()
    await hanging.reached.wait()
    await handle.terminate("by hand")
    hanging.released.set()
    status = await failover("status", MASTER)
    assert "ended from outside (terminated)" in status.out
    assert f"failover doctor {MASTER}" in status.out
    resumed = await failover("resume", MASTER, "--by", "omar")
    assert resumed.code == 2
    assert "start it again" in resumed.err
