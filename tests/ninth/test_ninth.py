"""The made-up procedure through the same worker, command and reports as all others; nothing else knows of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from activities.run.inventory import EstateActivities
from activities.run.records import RecordsActivities
from starters.client.answers import Answer, Exit, Output, Verbatim, plain
from starters.client.requests import Typed
from starters.commands.cancel import cancel
from starters.commands.decide import Ballot, decide
from starters.commands.follow import Following
from starters.commands.report import Wanted, report
from starters.commands.start import plan, start
from starters.commands.status import status_of
from tests.ninth.models import Cache
from tests.ninth.spec import CACHE, SPEC
from tests.pods.bench import PodBench
from workflows.catalog import PROCEDURES
from workflows.run.models import Run

_FILES, _LINES = 8, 300


@pytest_asyncio.fixture(loop_scope="session")
async def bench(temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PodBench]:
    """Serve the procedure beside the others; a DBA must approve."""
    PROCEDURES.append(SPEC)
    CACHE.__init__()  # type: ignore[misc]  # a new cache for each test
    bench = PodBench(temporal, tmp_path, approvals={"failover": {"roles": ["DBA"], "window": "PT1M"}})
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal.service_client.config.target_host)
    monkeypatch.setenv("FAILOVER_TASK_QUEUE", bench.queue)
    bench.serve((EstateActivities(bench.inventory), RecordsActivities(bench.inventory), CACHE))
    yield bench
    await bench.close()
    PROCEDURES.remove(SPEC)


async def _approved(bench: PodBench) -> None:
    """Start a run and have a DBA approve it."""
    target = f"cache/{bench.workload}"
    asked = await start(Typed(SPEC.name, bench.workload, by="omar", reason="a test"), Following(Output.JSON, wanted=False))
    assert asked.code is Exit.WAITING, asked
    waiting = await status_of(target)
    assert "3 entries → none" in _text(waiting)
    digest = waiting.data["status"]["plan"]["digest"]
    await decide(Ballot(target=target, approve=True, by="dana", plan=digest, role="", note=""), Output.JSON)


def _text(answer: Answer) -> str:
    return plain(answer.text) if answer.text is not None and not isinstance(answer.text, Verbatim) else ""


async def _ended(bench: PodBench) -> None:
    await bench.client.get_workflow_handle(f"cache/{bench.workload}").result()


async def test_a_plan_changes_nothing(bench: PodBench) -> None:
    answer = await plan(Typed(SPEC.name, bench.workload))
    assert (answer.code, CACHE.cache.entries) == (Exit.DONE, 3)
    assert "flush: 3 entries are gone" in _text(answer)


async def test_an_approved_run_is_carried_out_and_reported(bench: PodBench) -> None:
    await _approved(bench)
    await _ended(bench)
    told = await report(Wanted(f"cache/{bench.workload}", None, None, None))
    assert Cache(entries=0, paused=False) == CACHE.cache
    assert "3 entries are gone" in _text(told)
    assert "approved by dana as DBA" in _text(told)
    assert "flushed: entries 0, paused True" in _text(told)


async def test_a_step_that_fails_is_undone(bench: PodBench) -> None:
    CACHE.broken = True
    await _approved(bench)
    with pytest.raises(Exception, match="failed"):
        await _ended(bench)
    answer = await status_of(f"cache/{bench.workload}")
    assert Cache(entries=3, paused=False) == CACHE.cache
    assert "the cache is broken; undone: readers go on" in _text(answer)


async def test_a_cancel_is_honoured_and_undone(bench: PodBench) -> None:
    CACHE.goes_on.clear()
    await _approved(bench)
    async with asyncio.timeout(30):
        while not CACHE.cache.paused:
            await asyncio.sleep(0.05)
    answer = await cancel(f"cache/{bench.workload}")
    assert (answer.code, CACHE.cache) == (Exit.DONE, Cache(entries=3, paused=False))


async def test_a_drill_asks_nobody(bench: PodBench) -> None:
    typed = Typed(SPEC.name, bench.workload, by="omar", reason="monthly")
    answer = await start(typed, Following(Output.JSON), run=Run.DRILL)
    assert (answer.code, CACHE.cache.entries) == (Exit.DONE, 0)


def test_it_is_small() -> None:
    files = sorted(Path(__file__).parent.glob("*.py"))
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files if path.name != Path(__file__).name)
    assert (len(files) <= _FILES, lines <= _LINES) == (True, True), (len(files), lines)
