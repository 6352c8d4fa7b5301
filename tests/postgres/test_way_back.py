"""Where the way back turns: candidates that die, answers that get lost, records that somebody else writes."""

from __future__ import annotations

from datetime import timedelta

import pytest
import yaml

from activities.postgres import post_promotion
from activities.postgres.models.details import PostgresDetails
from activities.run.models.todo import Todo
from gate.api import ServerState
from starters.history.model import facts_of
from starters.history.parse import chronicle_of
from tests.fakes.faults import Fault
from tests.fakes.world import A, B
from tests.postgres.bench import Bench, Handle
from tests.run.cancels import cancel

MUTATING_CALLS = (
    "kubernetes.write_record", "gates.checkpoint", "gates.fence", "gates.promote", "kubernetes.restart_deployment",
    "postgres.verify_write",
)  # fmt: skip


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.UNREPORTED])
@pytest.mark.parametrize("call", MUTATING_CALLS)
async def test_a_call_that_meets_silence_on_the_way_forward(bench: Bench, call: str, fault: Fault) -> None:
    bench.world.faults.order(call, fault)
    assert (await bench.finished(await bench.switch())).outcome == "completed"
    await bench.until_consistent()


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.UNREPORTED])
@pytest.mark.parametrize("call", ["kubernetes.read_record", "kubernetes.write_record", "gates.seal", "gates.unfence"])
async def test_a_call_that_meets_silence_on_the_way_back(bench: Bench, call: str, fault: Fault) -> None:
    hanging = bench.world.faults.order("kubernetes.await_quiet", Fault.HANGS)
    handle = await bench.switch()
    await hanging.reached.wait()
    bench.world.faults.order(call, fault)
    await handle.cancel()
    assert await bench.ending(handle) == "cancelled"
    assert (await bench.status(handle)).outcome == "rolled back"
    await bench.until_consistent()
    assert bench.world.writers == [A]


async def test_a_candidate_that_dies_before_its_promotion_gives_the_writes_back(bench: Bench) -> None:
    hanging = bench.world.faults.order("postgres.fence", Fault.OUTLIVES)
    handle = await bench.switch()
    await hanging.reached.wait()
    bench.world.members[B].alive = False
    await cancel(handle)
    hanging.released.set()
    assert await bench.ending(handle) == "cancelled"
    assert (bench.world.writers, bench.world.record.leader, bench.world.record.intent) == ([A], A, None)


async def test_a_candidate_that_dies_before_the_fence_gives_the_writes_back_and_follows_when_it_returns(
    bench: Bench,
) -> None:
    hanging = bench.world.faults.order("postgres.fence", Fault.HANGS)
    handle = await bench.switch()
    await hanging.reached.wait()
    bench.world.members[B].alive = False
    hanging.released.set()
    refusal = await bench.refused(handle)
    assert (refusal.type, B in refusal.message) == ("RolledBack", True)
    assert (await bench.status(handle)).outcome == "rolled back"
    assert (bench.world.writers, bench.world.record.leader, bench.world.record.epoch) == ([A], A, 7)
    assert f"fence {A}" not in bench.world.changed
    bench.world.members[B].alive = True
    await bench.until_consistent()
    assert (bench.world.writers, bench.world.members[B].following) == ([A], A)


async def test_a_candidate_that_is_behind_gives_the_writes_back(bench: Bench) -> None:
    hanging = bench.world.faults.order("postgres.promote", Fault.HANGS)
    handle = await bench.switch()
    await hanging.reached.wait()
    bench.world.members[B].position -= 1
    hanging.released.set()
    refusal = await bench.refused(handle)
    assert (refusal.type, "needs" in refusal.message) == ("RolledBack", True)
    assert bench.world.writers == [A]


async def test_a_stop_that_was_not_clean_gives_the_writes_back(bench: Bench) -> None:
    bench.world.members[A].stops_uncleanly = True
    refusal = await bench.refused(await bench.switch())
    assert (refusal.type, "not cleanly" in refusal.message) == ("RolledBack", True)
    await bench.until_consistent()
    assert bench.world.writers == [A]


@pytest.mark.usefixtures("hurried")
async def test_a_promotion_that_nobody_heard_of_goes_forward(bench: Bench) -> None:
    bench.world.faults.order("gates.promote", Fault.UNREPORTED, for_ever=True)
    result = await bench.finished(await bench.switch())
    assert (result.outcome, result.leader, bench.world.writers) == ("completed", B, [B])
    await bench.until_consistent()


@pytest.mark.usefixtures("hurried")
async def test_a_silent_candidate_is_stranded_and_goes_on_when_it_returns(bench: Bench) -> None:
    hanging = bench.world.faults.order("postgres.promote", Fault.HANGS)
    handle = await bench.switch()
    await hanging.reached.wait()
    bench.world.members[B].alive = False
    hanging.released.set()
    status = await bench.until_phase(handle, "stranded", seconds=30)
    assert (B in status.explanation, bool(status.left_to_do)) == (True, True)
    assert bench.world.writers == []
    bench.world.members[B].alive = True
    assert (await bench.refused(handle)).type == "RolledBack"
    await bench.until_consistent()


async def test_an_undo_that_is_refused_is_said_to_be_incomplete(bench: Bench) -> None:
    bench.world.faults.order("postgres.fence", Fault.REFUSED)
    bench.world.faults.order("postgres.give_back", Fault.REFUSED)
    handle = await bench.switch()
    refusal = await bench.refused(handle)
    status = await bench.status(handle)
    assert (refusal.type, status.phase) == ("RollbackIncomplete", "rollback incomplete")
    assert "start the same run again" in refusal.message
    assert await bench.ending(await bench.switch()) == "completed"
    await bench.until_consistent()


async def test_somebody_who_takes_the_record_after_the_promotion_strands_the_run(bench: Bench) -> None:
    hanging = bench.world.faults.order("postgres.route", Fault.HANGS)
    handle = await bench.switch()
    await hanging.reached.wait()
    bench.world.write(epoch=9, intent=None, run="somebody")
    hanging.released.set()
    refusal = await bench.refused(handle)
    assert (refusal.type, "epoch 9" in refusal.message) == ("Stranded", True)
    assert len(bench.world.writers) <= 1


async def test_a_pod_that_never_gets_ready_is_left_to_do_and_the_rest_is_done(bench: Bench) -> None:
    bench.world.deployments["api-deployment"].stuck = True
    handle = await bench.switch()
    refusal = await bench.refused(handle)
    assert (refusal.type, "api-deployment has 1 of 2 pods ready" in refusal.message) == ("Stranded", True)
    assert len((await bench.status(handle)).left_to_do) == 1
    await bench.until_consistent()
    assert bench.world.members[A].server is ServerState.RUNNING


@pytest.mark.parametrize("writes", [True, False])
async def test_a_restart_that_waits_for_a_dead_node_holds_up_only_what_was_not_seen_to_write(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, *, writes: bool
) -> None:
    monkeypatch.setattr(post_promotion, "_TAKEN_UP_SECONDS", 0.2)
    monkeypatch.setattr(post_promotion, "_WRITES_WITHIN", timedelta(seconds=1))
    application = bench.world.deployments["api-deployment"]
    application.stuck, application.untaken = True, (("api-deployment-2", "node-9"),)
    if not writes:
        bench.world.app_addresses = ()
    handle = await bench.switch()
    words = "waits for a node that does not answer (api-deployment-2 on node-9)"
    if writes:
        assert (await bench.finished(handle)).outcome == "completed"
        history = await handle.fetch_history()
        details = facts_of(chronicle_of(history.events, handle.id)).known.of(PostgresDetails)
        assert words in details.reconnected[0].note
    else:
        refusal = await bench.refused(handle)
        assert (refusal.type, "api-deployment has 1 of 2 pods ready" in refusal.message) == ("Stranded", True)


async def _note(bench: Bench, handle: Handle) -> str:
    assert (await bench.finished(handle)).outcome == "completed"
    history = await handle.fetch_history()
    details = facts_of(chronicle_of(history.events, handle.id)).known.of(PostgresDetails)
    return details.reconnected[0].note


@pytest.mark.parametrize(("paused", "refused"), [(True, ""), (False, "exceeded quota: pods")])
async def test_a_restart_that_does_not_begin_holds_up_nothing_that_writes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, *, paused: bool, refused: str
) -> None:
    monkeypatch.setattr(post_promotion, "_TAKEN_UP_SECONDS", 0.2)
    application = bench.world.deployments["api-deployment"]
    application.paused, application.refused = paused, refused
    plan = await bench.switch(run="plan")
    await bench.finished(plan)
    why = "is paused" if paused else "gets no new pods: exceeded quota"
    assert [line for line in (await bench.plan(plan)).remarks if f"api-deployment {why}" in line]
    assert f"LEFT TO DO: it {why}" in await _note(bench, await bench.switch())


async def test_a_paused_application_that_does_not_write_is_left_to_do_with_the_reason(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post_promotion, "_WRITES_WITHIN", timedelta(seconds=1))
    bench.world.deployments["api-deployment"].paused, bench.world.app_addresses = True, ()
    refusal = await bench.refused(await bench.switch())
    assert refusal.type == "Stranded"
    assert "1 of 2 pods ready" in refusal.message
    assert "kubectl rollout resume" in refusal.message


async def test_an_idle_application_adds_nothing_but_its_restart(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post_promotion, "_WRITES_WITHIN", timedelta(hours=1))
    monkeypatch.setattr(post_promotion, "_IDLE_SECONDS", 0.2)
    bench.world.app_writes = False
    handle = await bench.switch()
    assert await _note(bench, handle) == "no client asked it to write, before the move or since"


@pytest.mark.parametrize("fault", [Fault.FORBIDDEN, None])
async def test_an_application_that_cannot_be_restarted_holds_nothing_up(bench: Bench, fault: Fault | None) -> None:
    if fault is None:
        del bench.world.deployments["api-deployment"]
    else:
        bench.world.faults.order("kubernetes.restart_deployment", fault)
    handle = await bench.switch()
    assert (await bench.refused(handle)).type == "Stranded"
    left = (await bench.status(handle)).left_to_do
    assert [(one.kind, one.subject) for one in left] == [(Todo.RECONNECT, "api-deployment")]
    await bench.until_consistent()


async def _gone_since(bench: Bench, name: str, fault: Fault) -> Handle:
    """Return a run whose old primary has died during the step ``name``, once it waits for that one to come back."""
    hanging = bench.world.faults.order(name, fault)
    handle = await bench.switch()
    await hanging.reached.wait()
    bench.world.members[A].alive = False
    hanging.released.set()
    await bench.until_phase(handle, "restoring redundancy")
    return handle


async def test_after_a_clean_stop_nobody_is_restarted_for_a_pod_that_has_ended(bench: Bench) -> None:
    """The old primary's pod was asked to end: it is gone as soon as another member leads."""
    content = yaml.safe_load(bench.estate.read_text(encoding="utf-8"))
    content["postgres"][bench.cluster]["applications"][0]["reconnect"] = "none"
    bench.estate.write_text(yaml.safe_dump(content), encoding="utf-8")
    handle = await _gone_since(bench, "postgres.verify", Fault.HANGS)
    bench.world.members[A].alive = True
    await bench.finished(handle)
    details = facts_of(chronicle_of((await handle.fetch_history()).events, handle.id)).known.of(PostgresDetails)
    assert details.evicted is not None
    assert "cannot be asked" in details.evicted.words
    assert [one.restarted for one in details.reconnected] == [False]


@pytest.mark.usefixtures("hurried")
async def test_a_cancel_ends_the_wait_for_a_member_that_never_comes_back(bench: Bench) -> None:
    handle = await _gone_since(bench, "postgres.fence", Fault.OUTLIVES)
    await handle.cancel()
    refusal = await bench.refused(handle)
    assert (refusal.type, f"redundancy: {A} follows {B}" in refusal.message) == ("Stranded", True)
    assert (bench.world.writers, bench.world.record.leader, bench.world.record.unfinished) == ([B], B, "")
    bench.world.members[A].alive = True
    await bench.until_consistent()
