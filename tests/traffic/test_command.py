"""``failover`` with a public name: plan, start, status, report and history, as a person types them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.faults import Fault
from tests.starters.conftest import command_for
from tests.traffic.bench import AWAY, NAME, TrafficBench


@pytest.mark.parametrize("bench", ["both"], indirect=True)
async def test_plan_start_report_and_history(bench: TrafficBench, tmp_path: Path) -> None:
    failover = command_for(bench.client, bench.queue)
    planned = await failover("plan", "dns-failover", NAME, "--to", AWAY)
    assert planned.code == 0, planned
    for told in (
        "priority 1 → priority 3",
        "traffic goes to, by the edge: eastus",
        f"failover start dns-failover {NAME} --to {AWAY} --by YOU --reason WHY",
    ):
        assert told in planned.out, planned.out
    assert bench.changes() == []

    started = await failover("start", "dns-failover", NAME, "--to", AWAY, "--by", "omar", "--reason", "a test", "--follow")
    assert started.code == 0, started
    assert "Done — objective met" in started.out
    assert "Azure had ended all changes after" in started.out
    assert "the edge: first answer from there after" in started.out
    assert "every answer from" in started.out

    status = await failover("status", NAME)
    assert status.code == 0, status
    page = tmp_path / "report.html"
    report = await failover("report", NAME, "--write", str(page))
    assert report.code == 0, report
    assert f"traffic of {NAME}: eastus → {AWAY}" in page.read_text(encoding="utf-8")
    history = await failover("history", NAME, "--output", "json")
    assert history.document["runs"][0]["outcome"] == "completed"


async def test_the_region_must_be_named(bench: TrafficBench) -> None:
    refused = await command_for(bench.client, bench.queue)("start", "dns-failover", NAME, "--by", "omar")
    assert (refused.code, "to: missing; dns-failover needs --to" in refused.err) == (2, True), refused


async def test_a_mode_is_not_asked_for(bench: TrafficBench) -> None:
    failover = command_for(bench.client, bench.queue)
    refused = await failover("start", "dns-failover", NAME, "--to", AWAY, "--mode", "forced", "--by", "omar")
    assert (refused.code, "leave it out" in refused.err) == (2, True), refused


async def test_status_of_a_terminated_run_says_what_to_do(bench: TrafficBench) -> None:
    failover, hanging = command_for(bench.client, bench.queue), bench.faults.order("traffic.await_served", Fault.HANGS)
    handle = await bench.start()
    await hanging.reached.wait()
    await handle.terminate("by hand")
    status = await failover("status", NAME)
    assert "levers that it has moved stay moved" in status.out
    assert f"failover plan dns-failover {NAME} --to REGION" in status.out


async def test_a_cancel_puts_everything_back_and_says_what(bench: TrafficBench) -> None:
    failover, hanging = command_for(bench.client, bench.queue), bench.faults.order("traffic.await_served", Fault.HANGS)
    before = bench.settings()
    await bench.start()
    await hanging.reached.wait()
    cancelled = await failover("cancel", NAME, "--by", "omar", "--reason", "a test")
    assert (cancelled.code, bench.settings()) == (0, before), cancelled
    assert "Front Door route default-route: origin group primary-region-backend-pool" in cancelled.out
    report = await failover("report", NAME)
    assert "changed and put back: Front Door route default-route" in report.out, report.out
