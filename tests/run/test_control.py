"""People hold a run between its phases, let it go on, skip a step, or use its ungraceful form."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowUpdateFailedError

from deploy.lab.patience import stretched
from tests.fakes.faults import Fault, Ordered
from tests.postgres.bench import Handle
from tests.run.controlled import ControlBench, controlled
from workflows.run import controlling

_WHY = {"by": "dana", "reason": "look first"}
_PEOPLE: dict[str, Any] = {"people": {"dana": ["DBA"], "mona": ["Manager"], "omar": ["CTO"]}}


@pytest_asyncio.fixture(loop_scope="session")
async def bench(temporal: Client, tmp_path: Path) -> AsyncIterator[ControlBench]:
    """Ask nobody to approve: anybody whom the estate knows may control."""
    async with controlled(temporal, tmp_path, **_PEOPLE) as one:
        yield one


async def reached(fault: Ordered) -> None:
    """Wait until a step meets ``fault``."""
    async with asyncio.timeout(stretched(20)):
        await fault.reached.wait()


async def _hanging(bench: ControlBench, step: str) -> tuple[Handle, Ordered]:
    """Begin a run that hangs in ``step``."""
    hanging = bench.world.faults.order(f"small.{step}", Fault.HANGS)
    handle = await bench.begin()
    await reached(hanging)
    return handle, hanging


async def _held(bench: ControlBench, step: str = "look", **order: Any) -> Handle:
    """Begin a run that is held before the phase after ``step``."""
    handle, hanging = await _hanging(bench, step)
    await handle.execute_update("hold", {**_WHY, **order})
    hanging.released.set()
    await bench.until_phase(handle, "held")
    return handle


async def _complaint(handle: Handle, update: str, order: dict[str, Any]) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update(update, order)
    return str(refused.value.cause)


async def test_a_hold_stops_the_run_before_it_changes_anything_and_a_release_lets_it_go_on(bench: ControlBench) -> None:
    handle = await _held(bench)
    status = await bench.status(handle)
    assert status.held.startswith("held by dana since ")
    assert status.held.endswith("Z: look first")
    assert status.explanation == status.held
    assert bench.parts.done == []
    answer = await handle.execute_update("release", {"by": "mona"})
    assert answer["held"] == ""
    result = await bench.finished(handle)
    assert (result.outcome, bench.parts.done) == ("completed", ["claim", "move", "all"])
    kept = bench.report()["control"]
    assert [(one["what"], one["by"], one.get("reason", "")) for one in kept] == [
        ("hold", "dana", "look first"),
        ("release", "mona", ""),
    ]
    assert all(one["at"] for one in kept)


async def test_signals_do_the_same_and_what_does_not_count_is_dropped(bench: ControlBench) -> None:
    handle, hanging = await _hanging(bench, "look")
    for wrong in ({"by": "stranger", "reason": "x"}, {"by": "dana"}, {"nonsense": 1}, "text", 1):
        for signal in ("held", "released", "skipped", "forced"):
            await handle.signal(signal, wrong)
    assert (await bench.status(handle)).control == ()
    await handle.signal("held", _WHY)
    hanging.released.set()
    await bench.until_phase(handle, "held")
    await handle.signal("released", {"by": "dana"})
    assert (await bench.finished(handle)).outcome == "completed"


async def test_a_hold_that_would_keep_clients_out_waits_until_that_is_over(bench: ControlBench) -> None:
    handle, hanging = await _hanging(bench, "claim")
    answer = await handle.execute_update("hold", _WHY)
    assert "it goes on until then: nobody is served before it has moved" not in answer["held"]
    hanging.released.set()
    status = await bench.until_phase(handle, "held")
    assert bench.parts.done == ["claim", "move"]
    assert status.waits_for_attestation == ""
    await handle.execute_update("release", {"by": "dana"})
    assert (await bench.finished(handle)).outcome == "completed"


async def test_it_says_so_when_asked_there(bench: ControlBench) -> None:
    handle, hanging = await _hanging(bench, "move")
    answer = await handle.execute_update("hold", _WHY)
    assert answer["held"].endswith("it goes on until then: nobody is served before it has moved")
    hanging.released.set()
    await bench.until_phase(handle, "held")


async def test_anyway_holds_even_there_and_a_cancel_undoes_as_ever(bench: ControlBench) -> None:
    handle = await _held(bench, "claim", anyway=True)
    assert bench.parts.done == ["claim"]
    await handle.cancel()
    assert await bench.ending(handle) == "cancelled"
    assert bench.parts.done == ["claim", "undo"]


async def test_a_hold_may_be_made_stronger_and_is_not_made_twice(bench: ControlBench) -> None:
    handle, hanging = await _hanging(bench, "claim")
    await handle.execute_update("hold", _WHY)
    assert "cannot be held twice" in await _complaint(handle, "hold", _WHY)
    await handle.execute_update("hold", {**_WHY, "anyway": True})
    assert "cannot be held twice" in await _complaint(handle, "hold", {**_WHY, "anyway": True})
    hanging.released.set()
    await bench.until_phase(handle, "held")
    assert bench.parts.done == ["claim"]


async def test_a_held_run_is_cancelled_before_anything_has_changed(bench: ControlBench) -> None:
    handle = await _held(bench)
    await handle.cancel()
    assert await bench.ending(handle) == "cancelled"
    assert bench.parts.done == []
    assert bench.report()["outcome"] == "cancelled"


async def test_a_plan_that_has_changed_while_it_was_held_is_not_carried_out(bench: ControlBench) -> None:
    handle = await _held(bench)
    bench.parts.candidate = "c"
    await handle.execute_update("release", {"by": "dana"})
    refusal = await bench.refused(handle)
    assert (refusal.type, "was to be carried out" in refusal.message) == ("PlanChanged", True)
    assert bench.parts.done == []


async def test_held_twice_it_looks_again_each_time(bench: ControlBench) -> None:
    handle = await _held(bench)
    hanging = bench.world.faults.order("small.look", Fault.HANGS)
    await handle.execute_update("release", {"by": "dana"})
    await reached(hanging)
    await handle.execute_update("hold", _WHY)
    hanging.released.set()
    await bench.until_phase(handle, "held")
    await handle.execute_update("release", {"by": "dana"})
    assert (await bench.finished(handle)).outcome == "completed"


async def test_a_held_run_is_held_still_after_a_restart_of_its_worker(bench: ControlBench) -> None:
    handle = await _held(bench, "move")
    await bench.stop_worker()
    bench.start_worker()
    status = await bench.status(handle)
    assert (status.phase, status.held.startswith("held by dana")) == ("held", True)
    await handle.execute_update("release", {"by": "dana"})
    result = await bench.finished(handle)
    assert (result.outcome, bench.parts.done) == ("completed", ["claim", "move", "all"])
    (span,) = result.waited_for_people
    assert span[0] < span[1]


async def test_a_hold_that_nobody_ends_is_told_and_goes_on_holding(
    bench: ControlBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controlling, "_WARNED_EVERY", timedelta(seconds=0.2))
    handle = await _held(bench)

    async def warned() -> bool:
        return "HELD FOR 0 h: it goes on only when somebody releases it" in (await bench.status(handle)).explanation

    await bench.until(warned)
    assert ((await bench.status(handle)).phase, bench.parts.done) == ("held", [])


async def test_a_skipped_step_is_not_begun_and_stays_listed(bench: ControlBench) -> None:
    handle, hanging = await _hanging(bench, "move")
    assert [one.model_dump() for one in (await bench.status(handle)).can_skip] == [{"step": "wait", "means": "nobody waits"}]
    await handle.execute_update("skip", {**_WHY, "step": "wait"})
    hanging.released.set()
    result = await bench.finished(handle)
    assert bench.parts.done == ["claim", "move"]
    assert result.explanation == "moved; wait skipped by dana: look first"
    assert bench.report()["left_to_do"] == [
        {"kind": "ready", "subject": "small", "message": "all are ready (skipped by dana: look first)"}
    ]


async def test_a_step_that_goes_on_is_ended_when_it_is_skipped(bench: ControlBench) -> None:
    handle, hanging = await _hanging(bench, "wait")
    await handle.execute_update("skip", {**_WHY, "step": "wait"})
    result = await bench.finished(handle)
    assert (hanging.over.is_set(), bench.parts.done) == (True, ["claim", "move"])
    assert result.explanation == "moved; wait skipped by dana: look first"


async def test_a_step_that_was_done_in_that_moment_counts_as_done(bench: ControlBench) -> None:
    hanging = bench.world.faults.order("small.wait", Fault.OUTLIVES)
    handle = await bench.begin()
    await reached(hanging)
    await handle.execute_update("skip", {**_WHY, "step": "wait"})
    hanging.released.set()
    result = await bench.finished(handle)
    assert (result.explanation, bench.parts.done) == ("moved", ["claim", "move", "all"])
    (entry,) = bench.report()["control"]
    assert entry["too_late"] is True
    assert "left_to_do" not in bench.report() or bench.report()["left_to_do"] == []


async def test_a_forced_step_is_begun_again_in_its_ungraceful_form(bench: ControlBench) -> None:
    handle, _ = await _hanging(bench, "wait")
    assert [one.step for one in (await bench.status(handle)).can_force] == ["wait"]
    await handle.execute_update("force", {**_WHY, "step": "wait"})
    result = await bench.finished(handle)
    assert bench.parts.done == ["claim", "move", "one"]
    assert result.explanation == "moved; wait forced by dana: look first"


async def test_a_forced_step_can_be_skipped_still(bench: ControlBench) -> None:
    handle, hanging = await _hanging(bench, "wait")
    again = bench.world.faults.order("small.wait", Fault.HANGS)
    await handle.execute_update("force", {**_WHY, "step": "wait"})
    await reached(again)
    assert hanging.over.is_set()
    await handle.execute_update("skip", {**_WHY, "step": "wait"})
    result = await bench.finished(handle)
    assert (result.explanation, bench.parts.done) == ("moved; wait skipped by dana: look first", ["claim", "move"])


async def test_a_cancel_that_comes_with_a_skip_undoes_everything(bench: ControlBench) -> None:
    hanging = bench.world.faults.order("small.wait", Fault.HANGS, for_ever=True)
    handle = await bench.begin()
    await reached(hanging)
    await bench.stop_worker()
    await handle.signal("skipped", {**_WHY, "step": "wait"})
    await handle.cancel()
    bench.start_worker()
    assert await bench.ending(handle) == "cancelled"
    assert bench.parts.done == ["claim", "move", "undo"]


@pytest.mark.parametrize(
    ("update", "order", "complaint"),
    [
        ("release", {"by": "dana"}, "nobody holds this run"),
        ("hold", {"by": "stranger", "reason": "x"}, "by: stranger cannot control this run; who can: dana, mona, omar"),
        ("hold", {"by": "dana"}, "reason: missing"),
        ("hold", {"by": "dana", "reason": ""}, "reason:"),
        ("skip", {**_WHY, "step": "claim"}, "step: claim cannot be skipped now; what can: wait"),
        ("force", {**_WHY, "step": "claim"}, "step: claim cannot be forced now; what can: wait"),
        ("skip", {**_WHY, "step": "wait", "how": 1}, "how: unknown key; known keys are by, step, reason"),
    ],
)
async def test_what_does_not_count_is_answered_with_a_sentence(
    bench: ControlBench, update: str, order: dict[str, Any], complaint: str
) -> None:
    handle, _ = await _hanging(bench, "claim")
    assert complaint in await _complaint(handle, update, order)
    assert (await bench.status(handle)).control == ()


async def test_before_it_changes_anything_it_says_what_can_be_skipped_later(bench: ControlBench) -> None:
    handle, _ = await _hanging(bench, "look")
    told = await _complaint(handle, "skip", {**_WHY, "step": "wait"})
    assert "what can, once the run changes something and until it is done: wait" in told


async def test_an_undo_is_not_held(bench: ControlBench) -> None:
    hanging = bench.world.faults.order("small.undo", Fault.HANGS)
    handle = await _held(bench, "claim", anyway=True)
    await handle.cancel()
    await reached(hanging)
    assert "undoing" in await _complaint(handle, "hold", {**_WHY, "anyway": True})
    hanging.released.set()
    assert await bench.ending(handle) == "cancelled"


async def test_a_plan_cannot_be_held(bench: ControlBench) -> None:
    hanging = bench.world.faults.order("small.look", Fault.HANGS)
    handle = await bench.begin(run="plan")
    await reached(hanging)
    assert "is a plan" in await _complaint(handle, "hold", _WHY)


async def test_where_a_policy_has_roles_only_who_has_one_controls(temporal: Client, tmp_path: Path) -> None:
    approvals = {"planned": {"roles": ["DBA"], "window": "PT1M"}}
    people = {"dana": ["DBA"], "mona": ["Manager"], "omar": ["DBA"]}
    async with controlled(temporal, tmp_path, approvals=approvals, people=people) as bench:
        handle = await bench.begin()
        plan = (await bench.until_phase(handle, "awaiting approval")).plan
        assert plan is not None
        told = await _complaint(handle, "hold", {"by": "mona", "reason": "x"})
        assert told.endswith("who can: DBA (dana, omar)")
        await handle.execute_update("hold", {"by": " OMAR ", "reason": "not yet"})
        await handle.execute_update("decide", {"by": "dana", "plan": plan.digest, "approve": True})
        await bench.until_phase(handle, "held")
        assert bench.parts.done == []
        await handle.execute_update("release", {"by": "dana"})
        assert (await bench.finished(handle)).outcome == "completed"
