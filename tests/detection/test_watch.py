"""What a watch makes of its witnesses' words: a real server, the real failover, a cluster in memory."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.service import RPCError

from activities.detection.models import Look
from tests.detection.bench import GONE, QUICK, REFUSED, WELL, WatchBench, watching
from tests.fakes.world import A, B
from tests.postgres.bench import write_estate
from tests.postgres.gone import Gone, bring_back, take_away
from tests.replay.checked_runs import LISTS


async def _nothing_runs(one: WatchBench) -> bool:
    try:
        await one.bench.client.get_workflow_handle(one.bench.lock).describe()
    except RPCError:
        return True
    return False


async def _vote(one: WatchBench, handle: Any, *, approve: bool = True) -> None:
    status = await one.bench.status(handle)
    assert status.plan is not None
    vote = {"by": "dana", "plan": status.plan.digest, "approve": approve}
    await handle.execute_update("decide", vote)


async def test_one_witness_of_three_begins_nothing(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "automatic") as one:
        await one.watch()
        one.let(GONE, "east")
        await one.bench.until(lambda: _says(one, "east: postgresql-primary-0 is down"))
        assert (await one.status()).gone == ()
        assert await _nothing_runs(one)


async def test_a_majority_that_cannot_see_begins_nothing(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "automatic") as one:
        await one.watch()
        one.let(GONE, "east")
        one.let(Look(blind="the API server does not answer"), "west", "north")
        await one.bench.until(lambda: _says(one, "west: cannot see: the API server does not answer"))
        await one.bench.until(lambda: _says(one, "east: postgresql-primary-0 is down"))
        assert await _nothing_runs(one)


async def test_automatic_goes_by_itself_although_the_policy_of_approvals_names_somebody(
    temporal: Client, tmp_path: Path
) -> None:
    """Nor does it wait for anybody to say an item of its checklists: those are looked at once, afterwards."""
    async with watching(temporal, tmp_path, "automatic", checklists=LISTS) as one:
        await one.watch()
        take_away(one.bench.world, Gone.DEAD)
        one.let(GONE, "east", "west")
        summary = await one.bench.finished(await one.run())
        assert summary.leader == B
        assert one.bench.world.looks.looked == ["alerts"]
        assert summary.explanation.endswith("; 1 of the checklist not done: post-mortem")
        assert (await one.until_cooling()).policy == "automatic"


@pytest.mark.parametrize("by", ["postgres-watch", "omar"])
async def test_nobody_passes_for_a_watch_by_a_name(temporal: Client, tmp_path: Path, by: str) -> None:
    """A name that the estate does not list is refused; for one that it lists, people are asked."""
    async with watching(temporal, tmp_path, "automatic") as one:
        take_away(one.bench.world, Gone.DEAD)
        handle = await one.bench.switch(mode="forced", by=by)
        if by != "omar":
            assert (await one.bench.refused(handle)).type == "BadInput"
        else:
            await one.bench.until_phase(handle, "awaiting approval")


async def test_ask_has_the_plan_ready_and_waits(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "ask") as one:
        await one.watch()
        take_away(one.bench.world, Gone.DEAD)
        one.let(GONE)
        handle = await one.run()
        status = await one.bench.until_phase(handle, "awaiting approval")
        assert (status.by, status.plan and status.plan.candidate) == ("postgres-watch", B)
        assert "is down, say" in status.reason
        assert "witnesses: its gate: it is down" in status.reason
        await _vote(one, handle)
        assert (await one.bench.finished(handle)).leader == B
        one.let(WELL)
        await one.until_well()
        assert (await one.status()).cooling is None, "whoever is asked needs no cool-down"


async def test_ask_is_withdrawn_when_the_target_is_well_again(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "ask") as one:
        await one.watch()
        take_away(one.bench.world, Gone.DEAD)
        one.let(GONE)
        handle = await one.run()
        await one.bench.until_phase(handle, "awaiting approval")
        one.let(WELL)
        refusal = await one.bench.refused(handle)
        assert refusal.type == "Withdrawn"
        assert refusal.message.startswith("withdrawn by detection: postgresql-primary-0 is healthy again")
        assert one.bench.world.changed == []


async def test_a_majority_that_goes_blind_withdraws_nothing(temporal: Client, tmp_path: Path) -> None:
    """A crash loop while the API server is slow: a witness that goes blind, and sees again, has not found it well."""
    blind = Look(blind="the API server does not answer within 0.7 s")
    async with watching(temporal, tmp_path, "ask") as one:
        await one.watch()
        take_away(one.bench.world, Gone.DEAD)
        one.let(blind, "north")
        one.let(GONE, "east", "west")
        handle = await one.run()
        await one.bench.until_phase(handle, "awaiting approval")
        one.let(blind, "east")
        await one.bench.until(lambda: _says(one, "east: cannot see: the API server does not answer"))
        one.let(GONE, "east")
        await one.bench.until(lambda: _says(one, "east: postgresql-primary-0 is down"))
        one.let(blind)
        await one.bench.until(lambda: _all_are_blind(one))
        one.let(WELL, "north")
        await one.bench.until(lambda: _says(one, "north: healthy"))
        assert (await one.bench.status(handle)).phase == "awaiting approval"
        one.let(WELL, "east")
        assert (await one.bench.refused(handle)).type == "Withdrawn"


async def test_after_a_withdrawal_the_next_run_begins_at_once(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "ask") as one:
        await one.watch()
        take_away(one.bench.world, Gone.DEAD)
        one.let(GONE)
        first = await one.run()
        await one.bench.until_phase(first, "awaiting approval")
        run_id = (await first.describe()).run_id
        one.let(WELL)
        assert (await one.bench.refused(first)).type == "Withdrawn"
        await one.until_said("healthy again")
        one.let(GONE)
        await one.bench.until(lambda: _another_run(one, run_id))
        assert not await _has_rested(one)


async def test_a_witness_that_comes_back_goes_on_from_what_it_said(temporal: Client, tmp_path: Path) -> None:
    """Its first word would be that all is well, until the trouble has lasted for its patience again."""
    patient = {**QUICK, "policy": "notify", "refused_after": "PT5S"}
    async with watching(temporal, tmp_path, "notify", watch=patient) as one:
        await one.watch()
        one.let(REFUSED)
        await one.until_gone()
        for witness in ("east", "west"):
            await one.dismiss(witness)
        await one.bench.until(lambda: _silent(one, 2))
        for witness in ("east", "west"):
            one.serve(witness)
        await one.bench.until(lambda: _silent(one, 0))
        assert all("refuses connections" in line for line in (await one.status()).witnesses)


async def test_a_person_s_run_cannot_be_withdrawn(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "ask") as one:
        handle = await one.bench.switch()
        await one.bench.until_phase(handle, "awaiting approval")
        await handle.signal("withdraw", "because")
        await _vote(one, handle)
        assert (await one.bench.finished(handle)).leader == B


async def test_notify_only_says_so(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "notify") as one:
        await one.watch()
        one.let(GONE)
        status = await one.until_said("the policy is to notify")
        assert status.gone[0].startswith("postgresql-primary-0 is down, say ")
        assert await _nothing_runs(one)
        one.let(WELL)
        await one.until_well()


async def test_a_pause_holds_a_watch_s_failover_and_no_other(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "automatic") as one:
        await one.watch()
        until = "2999-01-01T00:00:00Z"
        one.bench.world.write(paused_until=until, paused_by="mona", paused_because="a move of disks")
        take_away(one.bench.world, Gone.DEAD)
        one.let(GONE)
        refusal = await one.bench.refused(await one.run())
        assert refusal.type == "Paused"
        assert "mona" in refusal.message
        one.let(WELL)
        await one.until_well()
        handle = await one.bench.switch(mode="forced")
        await one.bench.until_phase(handle, "awaiting approval")


async def test_a_primary_that_answers_is_left_alone_and_tried_again_only_after_a_rest(
    temporal: Client, tmp_path: Path
) -> None:
    async with watching(temporal, tmp_path, "automatic") as one:
        await one.watch()
        one.let(GONE)
        refusal = await one.bench.refused(await one.run())
        assert refusal.type == "PrimaryAlive"
        await one.until_said("answers SQL")
        first = (await one.bench.client.get_workflow_handle(one.bench.lock).describe()).run_id
        one.let(WELL)
        await one.until_well()
        one.let(GONE)
        await one.until_gone()
        again = (await one.bench.client.get_workflow_handle(one.bench.lock).describe()).run_id
        assert again == first
        assert one.bench.world.writers == [A]


async def test_after_an_automatic_failover_a_cool_down_holds_until_somebody_acknowledges_it(
    temporal: Client, tmp_path: Path
) -> None:
    async with watching(temporal, tmp_path, "automatic") as one:
        watch = await one.watch()
        with pytest.raises(WorkflowUpdateFailedError):
            await watch.execute_update("acknowledge", {"by": "dana"})
        take_away(one.bench.world, Gone.DEAD)
        one.let(GONE)
        await one.bench.finished(await one.run())
        one.let(WELL)
        await one.until_cooling()
        bring_back(one.bench.world)
        await one.bench.until_consistent()
        first = (await one.bench.client.get_workflow_handle(one.bench.lock).describe()).run_id
        one.let(GONE)
        await one.until_said("the cool-down after postgresql-primary-0 holds until")
        assert (await one.bench.client.get_workflow_handle(one.bench.lock).describe()).run_id == first
        for wrong in ({"by": "nobody"}, {"who": "dana"}, {}):
            with pytest.raises(WorkflowUpdateFailedError):
                await watch.execute_update("acknowledge", wrong)
        await watch.execute_update("acknowledge", {"by": "dana"})
        await one.bench.until(lambda: _another_run(one, first))


async def test_a_cool_down_outlives_its_watch_and_does_not_hold_a_person_up(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "automatic") as one:
        watch = await one.watch()
        take_away(one.bench.world, Gone.DEAD)
        one.let(GONE)
        await one.bench.finished(await one.run())
        one.let(WELL)
        await one.until_cooling()
        await watch.terminate("somebody was in a hurry")
        one.bench.started.remove(watch)
        await one.watch()
        assert (await one.status()).cooling is not None
        bring_back(one.bench.world)
        await one.bench.until_consistent()
        handle = await one.bench.switch()
        await one.bench.until_phase(handle, "awaiting approval")


async def test_it_reads_the_estate_anew_and_keeps_what_it_knows(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "automatic") as one:
        watch = await one.watch()
        take_away(one.bench.world, Gone.DEAD)
        one.let(GONE)
        await one.bench.finished(await one.run())
        one.let(WELL)
        before = await one.until_cooling()
        notify = {**QUICK, "policy": "notify"}
        write_estate(one.bench.estate, one.bench.cluster, watch=notify, witnesses=["east", "west", "north", "south", "up"])
        await watch.signal("read_again")
        await one.bench.until(lambda: _has(one, policy="notify"))
        status = await one.status()
        assert (status.cooling, len(status.witnesses)) == (before.cooling, 5)
        one.let(GONE, "east", "west")
        await one.bench.until(lambda: _says(one, "west: postgresql-primary-0 is down"))
        assert (await one.status()).gone == (), "two of five are no majority"


async def test_a_history_begins_anew_while_a_finding_stands(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.detection.watch._LONGEST_HISTORY", 60)
    patient = {**QUICK, "policy": "notify", "refused_after": "PT3S"}
    async with watching(temporal, tmp_path, "notify", watch=patient) as one:
        watch = await one.watch()
        one.let(REFUSED, "east", "west")
        await one.until_gone()
        began = (await watch.describe()).run_id
        for _ in range(60):
            if await _is_another_watch(one, began):
                break
            for look, words in ((Look(blind="it is slow"), "north: cannot see"), (WELL, "north: healthy")):
                one.let(look, "north")
                await one.bench.until(partial(_says, one, words))
        assert await _is_another_watch(one, began)
        await one.until_gone()
        assert all("refuses connections" in line for line in (await one.status()).witnesses if not line.startswith("north"))


async def test_a_rest_goes_on_in_the_next_history_and_no_run_is_cut_off(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "ask") as one:
        watch = await one.watch()
        take_away(one.bench.world, Gone.DEAD)
        one.let(GONE)
        handle = await one.run()
        await one.bench.until_phase(handle, "awaiting approval")
        began = (await watch.describe()).run_id
        await watch.signal("read_again")
        await _vote(one, handle, approve=False)
        await one.bench.refused(handle)
        await one.bench.until(lambda: _is_another_watch(one, began))
        await one.until_gone()
        await one.bench.until(lambda: _rests(one))
        assert await _begins_with_a_rest(one), "the last run was refused a moment ago"


async def test_a_lock_that_somebody_holds_is_left_alone(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "automatic") as one:
        await one.watch()
        handle = await one.bench.switch()
        await one.bench.until_phase(handle, "awaiting approval")
        one.let(GONE)
        await one.until_said("is held by another run, which is left alone")
        assert (await one.bench.status(handle)).by == "omar"


@pytest.mark.parametrize(
    ("args", "kind"),
    [
        (({"target": "orders"},), "WrongWorkflowId"),
        (({"cluster": "orders"},), "BadInput"),
        (("orders",), "BadInput"),
        ((), "BadInput"),
    ],
)
async def test_bad_input_fails_at_once(temporal: Client, tmp_path: Path, args: tuple[Any, ...], kind: str) -> None:
    async with watching(temporal, tmp_path, "notify") as one:
        handle = await one.bench.start(*args, workflow="postgres-watch", id=one.watch_id)
        assert (await one.bench.refused(handle)).type == kind


async def test_an_estate_without_witnesses_or_without_the_target_is_refused(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "notify", witnesses=[]) as one:
        handle = await one.bench.start({"target": one.bench.cluster}, workflow="postgres-watch", id=one.watch_id)
        refusal = await one.bench.refused(handle)
        assert (refusal.type, "witnesses: missing" in refusal.message) == ("BadEstate", True)
    async with watching(temporal, tmp_path, "notify") as one:
        handle = await one.bench.start({"target": "unknown"}, workflow="postgres-watch", id="watch/postgres/unknown")
        assert (await one.bench.refused(handle)).type == "BadInput"


async def _says(one: WatchBench, words: str) -> bool:
    return any(words in line for line in (await one.status()).witnesses)


async def _has(one: WatchBench, **what: Any) -> bool:
    status = await one.status()
    return all(getattr(status, key) == value for key, value in what.items())


async def _another_run(one: WatchBench, first: str) -> bool:
    return (await one.bench.client.get_workflow_handle(one.bench.lock).describe()).run_id != first


async def _silent(one: WatchBench, count: int) -> bool:
    return len((await one.status()).silent) == count


async def _all_are_blind(one: WatchBench) -> bool:
    return all("cannot see" in line for line in (await one.status()).witnesses)


async def _has_rested(one: WatchBench) -> bool:
    history = await one.bench.client.get_workflow_handle(one.watch_id).fetch_history()
    return any(event.event_type == EventType.EVENT_TYPE_TIMER_STARTED for event in history.events)


async def _is_another_watch(one: WatchBench, began: str | None) -> bool:
    return (await one.bench.client.get_workflow_handle(one.watch_id).describe()).run_id != began


async def _rests(one: WatchBench) -> bool:
    status = await one.status()
    return bool(status.gone and status.tries_again_at and not status.open)


async def _begins_with_a_rest(one: WatchBench) -> bool:
    """Whether the watch's newest history waits before it begins a run."""
    history = await one.bench.client.get_workflow_handle(one.watch_id).fetch_history()
    waits, begins = EventType.EVENT_TYPE_TIMER_STARTED, EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED
    return next((event.event_type for event in history.events if event.event_type in {waits, begins}), None) == waits
