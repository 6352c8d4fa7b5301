"""Checklists of a planned failover: what holds it before anything changes, and what it waits for once all has succeeded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client

from activities.run.models.checks import CheckEntry, CheckState
from tests.fakes.world import A, B, C, World
from tests.postgres.bench import Bench, Handle, serving
from tests.run.cancels import cancel
from tests.run.signing_people import SIGNED, SIGNERS, complaint_of, signed_word
from workflows.run.models import Status

pytestmark = pytest.mark.asyncio(loop_scope="session")

BACKUP = {"key": "backup", "title": "Newest backup < 1 h", "kind": "postgres-backup", "query": "select now()"}
PLAN_READY = {"key": "rollback", "title": "Rollback prepared", "kind": "human", "roles": ["Manager"]}
ALERTS = {"key": "alerts", "title": "No alert fires", "kind": "prometheus", "url": "http://127.0.0.1:9"}
POST_MORTEM = {"key": "post-mortem", "title": "Post-mortem updated", "kind": "human"}
NICE = {"key": "nice", "title": "Nice to have", "kind": "human", "mandatory": False}


def lists(*, before: Any = (), after: Any = (), **more: Any) -> dict[str, Any]:
    """Return the estate's section with one list."""
    return {"database": {"procedures": ["postgres-failover"], "before": [*before], "after": [*after], **more}}


@pytest_asyncio.fixture(loop_scope="session")
async def listed(temporal: Client, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    async with serving(temporal, tmp_path, World(), **request.param) as one:
        yield one


def with_(**estate: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("listed", [estate], indirect=True)


def item(status: Status, key: str) -> CheckEntry:
    return next(one for one in status.checks if one.key == key)


async def until_held(bench: Bench, handle: Handle, *keys: str) -> Status:
    """Wait until the run waits for exactly these items."""

    async def holds() -> bool:
        status = await bench.status(handle)
        waits = tuple(one.key for one in status.checks if one.holds)
        return status.phase.value.startswith("awaiting the checklist") and waits == keys

    await bench.until(holds)
    return await bench.status(handle)


@with_(checklists=lists(before=[BACKUP, PLAN_READY, NICE]))
async def test_nothing_changes_before_a_person_has_said_what_is_open(listed: Bench) -> None:
    handle = await listed.switch()
    status = await until_held(listed, handle, "rollback")
    assert listed.world.changed == []
    assert item(status, "backup").told().startswith("backup: Newest backup < 1 h: done: newest backup 12 min old [a fake]")
    assert "mona" in await complaint_of(handle, "tick", {"by": "dana", "item": "rollback"}), "who can say it"
    assert "skip" in await complaint_of(handle, "tick", {"by": "mona", "item": "backup"}), "a step looks at it"
    assert "rollback, nice" in await complaint_of(handle, "tick", {"by": "mona", "item": "nothing"})
    await handle.execute_update("tick", {"by": "mona", "item": "rollback", "note": "page 7"})
    await listed.finished(handle)
    last = item(await listed.status(handle), "rollback")
    assert (last.by, last.note, last.state) == ("mona", "page 7", CheckState.DONE)
    assert last.at is not None
    assert item(await listed.status(handle), "nice").state is CheckState.OPEN


@with_(checklists=lists(before=[BACKUP], before_within="PT1.5S"))
@pytest.mark.parametrize(("seen", "words"), [(False, "95 min"), (None, "nobody answers at 127.0.0.1:1")])
async def test_what_is_not_so_or_not_known_refuses_when_time_is_up(listed: Bench, seen: Any, words: str) -> None:
    listed.world.looks.says["backup"] = seen
    refusal = await listed.refused(await listed.switch())
    assert refusal.type == "ChecklistOpen"
    assert words in refusal.message
    assert "nothing was changed" in refusal.message
    assert listed.world.changed == []


@with_(checklists=lists(before=[BACKUP, PLAN_READY]))
async def test_a_run_that_waits_is_cancelled_with_nothing_changed(listed: Bench) -> None:
    handle = await listed.switch()
    await until_held(listed, handle, "rollback")
    await cancel(handle)
    assert await listed.ending(handle) == "cancelled"
    assert listed.world.changed == []


@with_(checklists=lists(before=[BACKUP, PLAN_READY]), approvals={"planned": {"roles": ["DBA"], "window": "PT1M"}})
async def test_items_can_be_said_while_people_are_asked_and_skipped_by_those_who_may(listed: Bench) -> None:
    listed.world.looks.says["backup"] = False
    handle = await listed.switch()
    status = await listed.until_phase(handle, "awaiting approval")
    await handle.execute_update("tick", {"by": "mona", "item": "rollback"})
    assert status.plan is not None
    await handle.execute_update("decide", {"by": "dana", "plan": status.plan.digest, "approve": True})
    await until_held(listed, handle, "backup")
    order = {"by": "mona", "step": "checklist/backup", "reason": "the store is down"}
    assert "mona cannot control" in await complaint_of(handle, "skip", order), "who may skip is who may approve"
    await handle.execute_update("skip", {**order, "by": "dana"})
    summary = await listed.finished(handle)
    skipped = item(await listed.status(handle), "backup")
    assert (skipped.state, skipped.by, skipped.note) == (CheckState.SKIPPED, "dana", "the store is down")
    assert summary.waited_for_people


@with_(checklists=lists(before=[PLAN_READY]), approvals=SIGNED, signers=SIGNERS)
async def test_only_signed_words_count_where_the_policy_says_so(listed: Bench) -> None:
    handle = await listed.switch()
    await listed.until_phase(handle, "awaiting approval")
    assert "only signed words count" in await complaint_of(handle, "tick", {"by": "mona", "item": "rollback"})
    for of, key in (("rollback", "mona"), ("item other", "mona"), ("item rollback", "omar")):
        word = await signed_word(handle, "attest", by="mona", key=key, signed={"of": of}, item="rollback")
        assert "does not count" in await complaint_of(handle, "tick", word)
    word = await signed_word(handle, "attest", by="mona", signed={"of": "item rollback"}, item="rollback")
    await handle.execute_update("tick", word)
    assert item(await listed.status(handle), "rollback").signed_with.startswith("SHA256:")


@with_(checklists=lists(after=[ALERTS, POST_MORTEM]))
async def test_a_run_that_has_moved_waits_for_what_is_open_afterwards(listed: Bench) -> None:
    listed.world.looks.says["alerts"] = False
    handle = await listed.switch()
    status = await until_held(listed, handle, "alerts", "post-mortem")
    assert status.can_be_ended
    assert listed.world.writers == [listed.world.record.leader] != ["postgresql-primary-0"]
    listed.world.looks.says["alerts"] = True
    await handle.execute_update("tick", {"by": "dana", "item": "post-mortem"})
    await handle.execute_update("skip", {"by": "dana", "step": "checklist/alerts", "reason": "known"})
    assert (await listed.finished(handle)).leader == "postgresql-standby-0"


@with_(checklists=lists(after=[ALERTS, POST_MORTEM], after_within="PT1S"))
async def test_time_that_is_up_afterwards_undoes_nothing_and_lists_what_is_open(listed: Bench) -> None:
    handle = await listed.switch()
    summary = await listed.finished(handle)
    assert summary.explanation.endswith("; 1 of the checklist not done: post-mortem")
    assert [str(one) for one in (await listed.status(handle)).left_to_do] == [
        "checklist: post-mortem: Post-mortem updated: open"
    ]
    await listed.until_consistent()
    assert listed.world.record.leader == "postgresql-standby-0"


@with_(checklists=lists(after=[POST_MORTEM]))
async def test_a_cancel_ends_the_wait_afterwards_and_undoes_nothing(listed: Bench) -> None:
    handle = await listed.switch()
    await until_held(listed, handle, "post-mortem")
    await cancel(handle)
    assert (await listed.finished(handle)).explanation.endswith("not done: post-mortem")
    assert listed.world.record.leader == "postgresql-standby-0"


@with_(checklists=lists(before=[BACKUP, PLAN_READY], modes=["forced"]))
async def test_a_list_of_another_mode_holds_nothing(listed: Bench) -> None:
    handle = await listed.switch()
    await listed.finished(handle)
    assert listed.world.looks.looked == []


@with_(checklists=lists(before=[BACKUP, PLAN_READY]))
async def test_a_dry_run_looks_and_warns_and_waits_for_nobody(listed: Bench) -> None:
    listed.world.looks.says["backup"] = False
    handle = await listed.switch(run="plan")
    summary = await listed.finished(handle)
    assert [one for one in summary.warnings if "95 min" in one]
    assert {one.key for one in (await listed.status(handle)).checks} == {"backup", "rollback"}


@with_(checklists=lists(before=[PLAN_READY]))
async def test_a_worker_that_dies_while_the_run_waits_loses_nothing(listed: Bench) -> None:
    handle = await listed.switch()
    await until_held(listed, handle, "rollback")
    await listed.stop_worker()
    listed.start_worker()
    await handle.execute_update("tick", {"by": "mona", "item": "rollback"})
    await listed.finished(handle)


async def test_a_wait_after_which_another_plan_would_be_made_ends_the_run(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, World((A, B, C)), checklists=lists(before=[PLAN_READY])) as bench:
        handle = await bench.switch()
        status = await until_held(bench, handle, "rollback")
        assert status.plan is not None
        bench.world.members[status.plan.candidate].lag_bytes = 10**9
        await handle.execute_update("tick", {"by": "mona", "item": "rollback"})
        assert (await bench.refused(handle)).type == "PlanChanged"
        assert bench.world.changed == []


@with_(checklists=lists(before=[PLAN_READY]))
async def test_what_was_said_can_be_taken_back_until_the_run_goes_on(listed: Bench) -> None:
    handle = await listed.switch()
    await until_held(listed, handle, "rollback")
    await handle.signal("ticked", {"by": "mona", "item": "rollback", "done": False, "note": "page 7 is missing"})
    await handle.signal("ticked", "nonsense")
    await listed.until(lambda: _is(listed, handle, CheckState.NOT_DONE))
    await handle.signal("ticked", {"by": "mona", "item": "rollback"})
    await listed.finished(handle)


async def _is(bench: Bench, handle: Handle, state: CheckState) -> bool:
    return item(await bench.status(handle), "rollback").state is state
