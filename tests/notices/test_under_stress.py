"""Many runs, two workers, a worker that dies between sending and saying so, a history that is begun anew."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from temporalio.client import Client

from deploy.lab.patience import stretched
from tests.fakes.faults import Fault
from tests.fakes.world import World
from tests.notices.bench import list_targets, telling, until_anew
from tests.notices.receiver import Receiver, receiving
from tests.notices.stand_in import StandIn
from tests.postgres.bench import Bench, Handle, serving
from tests.postgres.worker import WITHOUT_BEAT, make_worker

_ASKS = {"needed": 1, "roles": ["DBA"], "votes": [], "people": {"DBA": ["dana"]}}
_SAYS = {"phase": "awaiting approval", "by": "omar", "reason": "a test", "plan": {"digest": "abcd1234", "headline": "A → B"}}


@pytest_asyncio.fixture(loop_scope="session")
async def bench(temporal: Client, tmp_path: Path) -> AsyncIterator[Bench]:
    """Serve runs that cost nothing, too."""
    async with serving(temporal, tmp_path, World(), live=False) as one:
        await one.stop_worker()
        one.start_worker(others=(StandIn,))
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def phone() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def _begin(bench: Bench, name: str, kind: str = "real", **more: Any) -> Handle:
    return await bench.start({**_SAYS, "approval": _ASKS, **more}, kind, workflow="stand-in", id=f"{name}/{bench.cluster}")


async def _until_counted(phone: Receiver, count: int, start: str) -> None:
    async with asyncio.timeout(stretched(40)):
        while sum(title.startswith(start) for title in phone.titles) < count:
            await asyncio.sleep(0.05)


async def test_fifty_runs_at_once_and_two_workers(bench: Bench, phone: Receiver) -> None:
    config = bench.client.service_client.config
    second = await Client.connect(config.target_host, data_converter=bench.client.data_converter)
    other = make_worker(second, bench.queue, bench.world, bench.inventory, others=(StandIn,))
    list_targets(bench, {"phone": phone})
    async with other, telling(bench) as notices:
        runs = await asyncio.gather(*(_begin(bench, f"run-{number}") for number in range(50)))
        await _until_counted(phone, 50, "Approval needed")
        await asyncio.gather(*(run.signal("say", {"outcome": "completed"}) for run in runs))
        await _until_counted(phone, 50, "Done")
        numbers = await _numbers(notices)
    assert numbers == set(range(1, 151)), "each is put into the box once; a step that is taken again sends it again"
    told = Counter(title.partition(":")[0] for title in set(phone.titles))
    assert told == {
        "Started": 50,
        "Approval needed": 50,
        "Done": 50,
    }


async def _numbers(notices: Handle) -> set[int]:
    """Return the numbers of all messages that were to be sent."""
    found: set[int] = set()
    async for event in notices.fetch_history_events():
        asked = event.activity_task_scheduled_event_attributes
        if asked.activity_type.name == "notices.send":
            found |= {one["number"] for one in json.loads(asked.input.payloads[0].data)["messages"]}
    return found


async def test_what_a_dead_worker_has_sent_is_sent_again(bench: Bench, phone: Receiver) -> None:
    """At least once: it dies after it has sent, and before anybody knows."""
    list_targets(bench, {"phone": phone})
    died = bench.world.faults.order(f"{WITHOUT_BEAT}notices.send", Fault.OUTLIVES)
    async with telling(bench):
        await _begin(bench, "run")
        await died.reached.wait()
        await _until_counted(phone, 2, "Started")
        await _begin(bench, "another")
        await phone.until(f"Started: stand-in another/{bench.cluster}")
    assert Counter(phone.titles)[f"Started: stand-in another/{bench.cluster} planned"] == 1


async def test_another_history_goes_on_with_what_was_told(bench: Bench, phone: Receiver) -> None:
    phone.status = 500
    list_targets(bench, {"phone": phone})
    async with telling(bench) as notices:
        run = await _begin(bench, "run")
        await phone.until("Started")
        await notices.signal("begin_anew")
        await until_anew(notices)
        phone.status, before = 200, len(phone.texts)
        await _begin(bench, "another")
        await phone.until("Started: stand-in another/")
        await run.signal("say", {"outcome": "stranded", "explanation": "the candidate is gone"})
        await phone.until("Stranded")
    told = [title.partition(":")[0] for title in phone.titles[before:] if f" run/{bench.cluster}" in title]
    assert (told[0], told[-1], len(told) - len(set(told))) == ("Started", "Stranded", 0), told
    assert "Outcome: stranded. the candidate is gone" in phone.body("Stranded")


async def test_a_run_that_does_not_answer_is_passed_over(bench: Bench, phone: Receiver) -> None:
    """Its worker is gone: the others are told of, and it is when somebody serves it again."""
    list_targets(bench, {"phone": phone})
    async with telling(bench):
        mute = await _begin(bench, "mute", phase=["not", "a", "phase"])
        await _begin(bench, "run")
        await phone.until("Started: stand-in run/")
        assert not [title for title in phone.titles if "mute" in title]
        await mute.signal("say", {"phase": "claiming", "forward_only": True})
        await phone.until(f"Started: stand-in mute/{bench.cluster}", f"No way back: stand-in mute/{bench.cluster}")


async def test_of_a_run_that_answers_no_more_is_told_what_was_known(bench: Bench, phone: Receiver) -> None:
    list_targets(bench, {"phone": phone})
    async with telling(bench):
        run = await _begin(bench, "run")
        await phone.until("Approval needed: stand-in run/")
        await run.signal("say", {"phase": ["no", "phase"]})
        await run.terminate("by hand")
        await phone.until("Terminated: stand-in run/")
    assert phone.body("Terminated").splitlines()[:3] == ["Change: A → B", "Asked by omar: a test", "Outcome: terminated"]


async def test_drills_have_words_of_their_own(bench: Bench, phone: Receiver) -> None:
    list_targets(bench, {"phone": phone})
    async with telling(bench):
        good, bad = await _begin(bench, "good", "drill"), await _begin(bench, "bad", "drill")
        await _until_counted(phone, 2, "Drill begun")
        await good.signal("say", {"outcome": "completed"})
        await bad.signal("say", {"outcome": "rolled back"})
        await phone.until(f"Drill PASS: stand-in good/{bench.cluster}", f"Drill FAIL: stand-in bad/{bench.cluster}")


async def test_what_ended_before_is_not_told(bench: Bench, phone: Receiver) -> None:
    list_targets(bench, {"phone": phone})
    old = await _begin(bench, "old", outcome="completed")
    await old.result()
    async with telling(bench):
        await _begin(bench, "new")
        await phone.until("Started: stand-in new/")
    assert not [title for title in phone.titles if "old/" in title]
