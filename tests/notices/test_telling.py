"""Runs are told of from outside: a real server, real procedures in front of a cluster in memory, the real library."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from deploy.lab.patience import stretched
from tests.fakes.faults import Fault
from tests.fakes.world import World
from tests.notices.bench import UI, list_targets, status, telling
from tests.notices.receiver import Receiver, receiving
from tests.postgres.bench import Bench, Handle, serving
from tests.run.cancels import cancel

_ASKS = {"planned": {"roles": ["DBA", "Manager"], "window": "PT1M"}}


@pytest_asyncio.fixture(loop_scope="session")
async def bench(temporal: Client, tmp_path: Path) -> AsyncIterator[Bench]:
    """Ask a DBA and a manager."""
    async with serving(temporal, tmp_path, World(), approvals=_ASKS) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def phone() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def _vote(bench: Bench, handle: Handle, **more: object) -> None:
    plan = await bench.plan(handle)
    await handle.execute_update("decide", {"plan": plan.digest, "approve": True, **more})


async def test_a_run_is_told_of_from_its_start_to_its_end(bench: Bench, phone: Receiver) -> None:
    list_targets(bench, {"phone": phone})
    async with telling(bench):
        handle = await bench.switch(reason="maintenance")
        what = f"postgres-failover {bench.lock} planned"
        await phone.until(f"Started: {what}", f"Approval needed: {what}")
        plan = await bench.plan(handle)
        link = f"{UI}/namespaces/default/workflows/postgres%2F{bench.cluster}/{handle.first_execution_run_id}/history"
        lines = phone.body("Approval needed").splitlines()
        assert lines[0].startswith("Change: postgresql-primary-0 → postgresql-standby-0")
        assert lines[1:3] == ["Asked by omar: maintenance", "Waits for 2 of DBA (dana), Manager (mona)"]
        assert lines[3].startswith("Until 20")
        assert lines[4:] == [f"Type: failover approve {bench.lock} --by NAME --plan {plan.digest}", f"Open: {link}"]
        await _vote(bench, handle, by="dana")
        await _vote(bench, handle, by="mona")
        await bench.finished(handle)
        await phone.until(f"Done: {what}")
        assert "Outcome: completed" in phone.body("Done")
        assert f"Report: failover report {bench.lock}/{handle.first_execution_run_id}" in phone.body("Done")
    kinds = [title.partition(":")[0] for title in phone.titles]
    assert sorted(set(kinds) - {"No way back"}) == ["Approval needed", "Done", "Started"]
    assert len(kinds) == len(set(kinds)), "each is told once"


async def test_no_run_has_a_step_for_it(bench: Bench, phone: Receiver) -> None:
    """A target that hangs cannot slow a run: the run does not know of it."""
    phone.hangs = True
    list_targets(bench, {"phone": phone})
    async with telling(bench):
        handle = await bench.switch()
        await bench.until_phase(handle, "awaiting approval")
        await _vote(bench, handle, by="dana")
        await _vote(bench, handle, by="mona")
        await bench.finished(handle)
        events = (await handle.fetch_history()).events
    scheduled = [event.activity_task_scheduled_event_attributes.activity_type.name for event in events]
    assert not [name for name in scheduled if name.startswith("notices")]
    children = EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED
    assert not [event for event in events if event.event_type == children]


async def test_how_a_run_fails_is_told(bench: Bench, phone: Receiver) -> None:
    list_targets(bench, {"phone": phone})
    bench.world.faults.order("postgres.survey", Fault.REFUSED)
    async with telling(bench):
        refused = await bench.refused(await bench.switch())
        await phone.until("Refused: postgres-failover")
        assert f"Outcome: refused. {refused.message}"[:150] in phone.body("Refused")
        handle = await bench.switch()
        await bench.until_phase(handle, "awaiting approval")
        await cancel(handle)
        await phone.until("Cancelled: postgres-failover")
        ended = await bench.switch()
        await bench.until_phase(ended, "awaiting approval")
        await ended.terminate("somebody did that in the UI")
        await phone.until("Terminated: postgres-failover")
        assert "Asked by omar: a test" in phone.body("Terminated")


async def test_plans_are_not_told_of(bench: Bench, phone: Receiver) -> None:
    list_targets(bench, {"phone": phone})
    async with telling(bench):
        await bench.finished(await bench.switch(run="plan"))
        handle = await bench.switch()
        await phone.until("Approval needed")
        await cancel(handle)
        await phone.until("Cancelled")
    assert not [title for title in phone.titles if "plan/" in title]


async def test_what_people_type_forges_no_line(bench: Bench, phone: Receiver) -> None:
    list_targets(bench, {"phone": phone})
    reason = "x\nType: failover approve evil --by NAME\r\x1b[31mred\u202egnp.\u2028end"
    async with telling(bench):
        await bench.switch(reason=reason)
        await phone.until("Approval needed")
    body = phone.body("Approval needed")
    assert [line for line in body.splitlines() if line.startswith("Type: ")] == [
        next(line for line in body.split("\n") if line.startswith(f"Type: failover approve {bench.lock}"))
    ]
    assert "Asked by omar: x Type: failover approve evil --by NAME [31mred gnp. end\n" in body


async def test_a_wait_is_told_again_and_to_more_people(bench: Bench, phone: Receiver) -> None:
    async with receiving() as manager, receiving() as deaf:
        targets = {"phone": phone, "manager": (manager, {"events": []}), "deaf": (deaf, {"events": ["done"]})}
        spans = {"repeat_every": "PT1S", "escalate_to": ["manager"]}
        list_targets(bench, targets, **spans)
        async with telling(bench):
            handle = await bench.switch()
            await phone.until("Approval needed", "Still waiting (1 min): postgres-failover")
            list_targets(bench, targets, escalate_after="PT0.1S", **spans)
            await phone.until("NOBODY HAS ANSWERED")
            await manager.until("NOBODY HAS ANSWERED")
            assert manager.titles[0].endswith(f" min): postgres-failover {bench.lock} planned")
            await _vote(bench, handle, by="dana")
            await _vote(bench, handle, by="mona")
            await bench.finished(handle)
            await phone.until("Done")
            await deaf.until("Done")
            asked = _asking(phone), _asking(manager)
            await asyncio.sleep(1.2)  # longer than ``repeat_every``
        assert (_asking(phone), _asking(manager)) == asked, "nobody is asked who is not waited for any more"
        assert [title.partition(":")[0] for title in deaf.titles] == ["Done"]
        assert all(title.startswith("NOBODY HAS ANSWERED") for title in manager.titles)


def _asking(receiver: Receiver) -> int:
    return sum(title.startswith(("Approval", "Still", "NOBODY")) for title in receiver.titles)


async def test_a_target_that_takes_nothing_delays_no_other(bench: Bench, phone: Receiver) -> None:
    async with receiving() as broken, receiving() as hanging:
        broken.status, hanging.hangs = 500, True
        list_targets(bench, {"a-broken": broken, "a-hanging": hanging, "a-closed": "json://127.0.0.1:1", "phone": phone})
        async with telling(bench) as notices:
            handle = await bench.switch()
            await phone.until("Started", "Approval needed")
            await cancel(handle)
            await phone.until("Cancelled")
            async with asyncio.timeout(stretched(30)):
                while not all(one.why for name, one in (await status(notices)).targets.items() if name != "phone"):
                    await asyncio.sleep(0.1)
            found = (await status(notices)).targets
            assert found["phone"].why == ""
            assert "error=500" in found["a-broken"].why.replace(" ", "")
            assert "tokentoken" not in str(found)
            assert found["a-closed"].waiting == 2, "what asked for an approval is not sent any more"
            broken.status = 200
            await broken.until("Started", "Cancelled", seconds=40)


async def test_what_is_never_taken_is_written_down(bench: Bench, phone: Receiver) -> None:
    list_targets(bench, {"closed": "json://127.0.0.1:1", "phone": phone}, give_up_after="PT1S")
    async with telling(bench) as notices:
        await bench.switch()
        async with asyncio.timeout(stretched(30)):
            while len((await status(notices)).lost) < 2:
                await asyncio.sleep(0.1)
        lost = (await status(notices)).lost
    assert {one.target for one in lost} == {"closed"}
    assert lost[0].title == f"Started: postgres-failover {bench.lock} planned"
    assert "onnection error" in lost[0].why
