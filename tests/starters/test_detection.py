"""``failover detection`` and what ``status`` and ``doctor`` say of them, in front of a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast
from uuid import uuid4

import pytest
import pytest_asyncio
from temporalio.client import Client

from activities.detection.doctor import of_detection, of_witnesses
from activities.detection.models import Look
from estate.model import Estate
from starters.history.model import facts_of
from starters.history.parse import chronicle_of
from starters.render.words import exit_of
from tests.detection.bench import GONE, WELL, WITNESSES, WatchBench, watching
from tests.gateways.samples import ENTRY as GATEWAY
from tests.postgres.gone import Gone, take_away
from tests.starters.command import Command
from tests.starters.conftest import command_for
from tests.starters.recorded import events
from workflows.detection.models import WatchStatus

_CONTENT = {
    "regions": {"eastus": {"location": "East US", "namespace": "aiagent-prod"}},
    "witnesses": WITNESSES,
}
_ESTATE = Estate.model_validate(_CONTENT)


@pytest_asyncio.fixture(loop_scope="session")
async def watched(temporal: Client, tmp_path: Path) -> AsyncIterator[tuple[WatchBench, Command]]:
    """Have three witnesses, and the policy to go by itself."""
    async with watching(temporal, tmp_path, "automatic") as bench:
        yield bench, command_for(temporal, bench.bench.queue)


async def test_they_are_started_once_shown_and_ended(watched: tuple[WatchBench, Command]) -> None:
    bench, failover = watched
    own = bench.watch_id
    ran = await failover("detection", "start")
    assert (ran.code, f"{own}: started" in ran.out) == (0, True), ran
    again = await failover("detection", "start", bench.bench.cluster, "--output", "json")
    assert (again.document["started"], again.document["running"]) == ([], [own])
    status, detected = await failover("status"), await failover("detection", "status", own, "--output", "json")
    assert status.code in {0, 1, 4}, "others may wait for people, or be blind"
    assert f"{own}  " in status.out
    assert "healthy" in status.out
    assert [*detected.document["watches"]] == [own]
    ended = await failover("detection", "stop", bench.bench.cluster)
    assert ended.code == 0
    await bench.bench.until(lambda: _is_over(bench))
    assert own not in (await failover("status")).out


async def test_all_are_stopped_only_after_a_yes(watched: tuple[WatchBench, Command]) -> None:
    bench, failover = watched
    await failover("detection", "start")
    asked = await failover("detection", "stop")
    assert (asked.code, "target: missing; without one all failure detection stops" in asked.err) == (2, True), asked
    assert bench.watch_id in asked.err
    assert not await _is_over(bench)
    stopped = await failover("detection", "stop", "--yes", "--output", "json")
    assert (stopped.code, bench.watch_id in stopped.document["stopped"]) == (0, True), stopped
    await bench.bench.until(lambda: _is_over(bench))


async def test_the_old_names_still_work(watched: tuple[WatchBench, Command]) -> None:
    bench, failover = watched
    started = await failover("watchers", "start", bench.bench.cluster)
    await bench.bench.until(bench._all_have_spoken)
    early = await failover("watchers", "acknowledge", bench.watch_id, "--by", "dana")
    stopped = await failover("watchers", "stop", bench.bench.cluster)
    assert (started.code, early.code, stopped.code) == (0, 3, 0), (started, early, stopped)
    assert "there is nothing to re-arm" in early.err


async def test_a_failover_and_its_cool_down_are_shown_and_acknowledged(watched: tuple[WatchBench, Command]) -> None:
    bench, failover = watched
    own = bench.watch_id
    await failover("detection", "start")
    await bench.bench.until(bench._all_have_spoken)
    early = await failover("detection", "re-arm", own, "--by", "dana")
    assert (early.code, "there is nothing to re-arm" in early.err) == (3, True)
    take_away(bench.bench.world, Gone.DEAD)
    bench.let(GONE)
    await bench.bench.finished(await bench.run())
    bench.let(WELL)
    await bench.until_cooling()
    status = await failover("status")
    assert "cool-down after postgresql-primary-0 until" in status.out
    assert f"failover detection re-arm {own} --by NAME" in status.out
    report = await failover("report", bench.bench.cluster)
    assert "from when witnesses first saw it gone" in report.out
    for by, code, words in (("", 2, "by: missing"), ("nobody", 3, "by: nobody cannot re-arm")):
        ran = await failover("detection", "re-arm", bench.bench.cluster, *(["--by", by] if by else []))
        assert (ran.code, words in ran.err) == (code, True), ran
    done = await failover("detection", "re-arm", bench.bench.cluster, "--by", "dana", "--output", "json")
    assert (done.code, done.document["status"]["cooling"]) == (0, None)
    await failover("detection", "stop", own)


async def test_a_blind_watch_is_an_alarm_everywhere(watched: tuple[WatchBench, Command], temporal: Client) -> None:
    bench, failover = watched
    own, queue = bench.watch_id, bench.bench.queue
    await bench.watch()
    blind = Look(blind="the API server does not answer within 0.7 s")
    calm = await failover("detection", "status", own)
    assert (calm.code, "healthy" in calm.out) == (0, True), calm
    bench.let(blind, "east")
    await bench.bench.until(lambda: _is_said_by_doctor(temporal, queue, "warning", "2 of 3 witnesses see: east cannot"))
    assert (await failover("detection", "status", own)).code == 0
    bench.let(blind, "west")
    await bench.bench.until(lambda: _is_said_by_doctor(temporal, queue, "fault", "BLIND, it begins nothing: 1 of 3"))
    detected = await failover("detection", "status", own, "--output", "json")
    document = detected.document["watches"][own]
    assert (detected.code, document["alarm"], document["headline"]) == (1, True, "BLIND: 1 of 3 sees")
    status = await failover("status")
    assert (status.code in {1, 4}, "BLIND: 1 of 3 sees" in status.out) == (True, True), "others may wait for people"


async def test_a_finding_without_a_run_is_an_alarm_that_says_when_the_next_run_is_begun(
    watched: tuple[WatchBench, Command],
) -> None:
    bench, failover = watched
    await bench.watch()
    bench.let(GONE)
    await bench.bench.refused(await bench.run())
    await bench.bench.until(lambda: _rests(bench))
    detected = await failover("detection", "status", bench.watch_id)
    assert detected.code == 1
    assert "postgresql-primary-0 is down, say 3 of 3 witnesses: its gate: it is down; tried again at " in " ".join(
        detected.out.split()
    )


def test_a_detection_without_a_report_is_not_called_healthy() -> None:
    one = WatchStatus(target="orders", policy="", witnesses=())
    assert (one.alarm, one.headline) == (True, "has not reported yet; failover doctor says whether a worker serves it")


async def test_a_withdrawn_run_says_so_everywhere(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "ask") as bench:
        failover, name = command_for(temporal, bench.bench.queue), bench.bench.cluster
        await bench.watch()
        take_away(bench.bench.world, Gone.DEAD)
        bench.let(GONE)
        run = await bench.run()
        await bench.bench.until_phase(run, "awaiting approval")
        bench.let(WELL)
        await bench.bench.refused(run)
        why = "withdrawn by detection: postgresql-primary-0 is healthy again"
        late = await failover("approve", name, "--by", "dana", "--plan", "12345678")
        assert (late.code, f"{name}: {why}" in late.err, "s ago); nothing waits" in late.err) == (3, True, True), late
        shown = await failover("status", name)
        assert "Withdrawn by detection before anybody had decided" in shown.out
        report = await failover("report", name, "--output", "json")
        assert (report.code, report.document["outcome"]) == (3, "withdrawn"), report
        assert "Withdrawn by detection" in (await failover("report", name)).out

        async def is_listed() -> bool:
            listed = await failover("history", name, "--output", "json")
            return [one["outcome"] for one in listed.document["runs"]] == ["withdrawn"]

        await bench.bench.until(is_listed)


def test_what_an_older_version_called_refused_reads_as_withdrawn() -> None:
    old = chronicle_of(events("refused"))
    assert old.report is not None
    assert facts_of(old).outcome == "refused"
    old.report = old.report.model_copy(update={"refusal": "Withdrawn"})
    assert (facts_of(old).outcome, exit_of(facts_of(old))) == ("withdrawn", 3)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("start", "unknown"), 2, "target: the estate does not list 'unknown'; it lists postgres/"),
        (("stop", "unknown"), 2, "target: 'unknown' names no detection; there is "),
        (("re-arm", "unknown", "--by", "dana"), 2, "target: 'unknown' names no detection"),
        (("start", "x" * 300), 2, "target: "),
    ],
)
async def test_what_is_not_there_is_said_in_a_sentence(
    watched: tuple[WatchBench, Command], arguments: tuple[str, ...], code: int, words: str
) -> None:
    ran = await watched[1]("detection", *arguments)
    assert (ran.code, words in ran.err) == (code, True), ran


async def test_without_a_worker_nothing_is_started(unserved: Command) -> None:
    ran = await unserved("detection", "start")
    assert (ran.code, "nothing was started: no worker polls" in ran.err) == (4, True)


async def test_doctor_counts_the_witnesses(temporal: Client, watched: tuple[WatchBench, Command]) -> None:
    bench = watched[0].bench
    queue = bench.queue
    await bench.until(lambda: _are_there(temporal, queue))
    (all_there,) = await of_witnesses(temporal, queue, WITNESSES)
    (some,) = await of_witnesses(temporal, queue, (*WITNESSES, "south"))
    (few,) = await of_witnesses(temporal, f"other-{uuid4().hex[:6]}", WITNESSES)
    assert [one.severity for one in (all_there, some, few)] == ["ok", "warning", "fault"]
    assert "not south" in some.message
    assert cast("list[object]", await of_witnesses(temporal, queue, ())) == []


async def test_doctor_names_what_the_estate_wants_watched_and_nobody_watches(
    temporal: Client, watched: tuple[WatchBench, Command]
) -> None:
    queue, gateways = watched[0].bench.queue, {"unwatched": GATEWAY, "alone": {**GATEWAY, "watch": {}}}
    estate = Estate.model_validate({**_CONTENT, "gateways": gateways})
    found = [one for one in await of_detection(temporal, queue, estate) if "gateway/" in one.subject]
    assert [(one.severity, one.subject) for one in found] == [("warning", "detection of gateway/alone")]
    assert found[0].remedy == "failover detection start gateway/alone"
    nobody = await of_detection(temporal, queue, estate.model_copy(update={"witnesses": ()}))
    assert [(one.severity, one.remedy) for one in nobody] == [("fault", "name witnesses")]


async def _is_said_by_doctor(client: Client, queue: str, severity: str, words: str) -> bool:
    found = await of_detection(client, queue, _ESTATE)
    return any(one.severity == severity and words in one.message for one in found)


async def _rests(bench: WatchBench) -> bool:
    status = await bench.status()
    return bool(status.gone and not status.open and status.tries_again_at)


async def _is_over(bench: WatchBench) -> bool:
    found = await bench.bench.client.get_workflow_handle(bench.watch_id).describe()
    return found.close_time is not None


async def _are_there(client: Client, queue: str) -> bool:
    return (await of_witnesses(client, queue, WITNESSES))[0].severity == "ok"
