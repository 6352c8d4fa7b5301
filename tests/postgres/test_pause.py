"""A pause holds what happens by itself, and nothing that a person asks for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from activities.postgres.models.upkeep import Paused
from activities.run.models.wire import read
from tests.fakes.faults import Fault
from tests.fakes.world import A, B
from tests.postgres.bench import Bench, Handle

_FOR_AN_HOUR = {"lasts": "1h", "by": "mona", "reason": "look at it first"}


async def _pause(bench: Bench, **more: Any) -> Handle:
    request = {"cluster": bench.cluster, **(more or _FOR_AN_HOUR)}
    return await bench.start(request, workflow="postgres-pause", id=f"pause/{bench.lock}")


async def _paused(bench: Bench, **more: Any) -> Paused:
    return read(Paused, await (await _pause(bench, **more)).result())


async def test_the_record_carries_the_pause_and_loses_it_again(bench: Bench) -> None:
    before = bench.world.record
    paused = await _paused(bench)
    record = bench.world.record
    assert (record.paused_until, record.paused_by, record.paused_because) == (paused.until, "mona", "look at it first")
    assert (await _paused(bench, off=True)).until == ""
    after = bench.world.record
    assert after == before.model_copy(update={"resource_version": after.resource_version})


@pytest.mark.parametrize("fault", [Fault.UNREPORTED, Fault.SILENT])
async def test_a_pause_that_is_not_reported_is_written_once(bench: Bench, fault: Fault) -> None:
    bench.world.faults.order("postgres.pause", fault)
    paused = await _paused(bench)
    assert bench.world.record.paused_until == paused.until
    assert len(bench.world.changed) == 1


async def test_a_conflict_is_read_again(bench: Bench) -> None:
    bench.world.before_patch.append(lambda: bench.world.write(epoch=6))
    await _paused(bench)
    assert (bench.world.record.epoch, bench.world.record.paused_by) == (6, "mona")


@pytest.mark.parametrize(
    "step", ["postgres.claim", "postgres.fence", "postgres.promote", "postgres.route", "postgres.finish"]
)
async def test_a_pause_in_any_step_of_a_failover_stays_and_stops_nothing(bench: Bench, step: str) -> None:
    hanging = bench.world.faults.order(step, Fault.HANGS)
    handle = await bench.switch()
    await hanging.reached.wait()
    paused = await _paused(bench)
    hanging.released.set()
    assert (await bench.finished(handle)).leader == B
    record = bench.world.record
    assert (record.leader, record.unfinished, record.paused_until) == (B, "", paused.until)
    await _paused(bench, off=True)
    await bench.until_consistent()


async def test_an_undo_is_not_held_up_by_a_pause_in_between(bench: Bench) -> None:
    hanging = bench.world.faults.order("postgres.fence", Fault.HANGS)
    handle = await bench.switch()
    await hanging.reached.wait()
    await _paused(bench)
    await handle.cancel()
    assert await bench.ending(handle) == "cancelled"
    await bench.until_consistent()
    assert (bench.world.writers, bench.world.record.paused_by) == ([A], "mona")


async def test_a_failover_while_paused_ends_well_and_leaves_the_old_primary_as_it_is(bench: Bench) -> None:
    await _paused(bench)
    handle = await bench.switch()
    assert (await bench.finished(handle)).leader == B
    old = bench.world.members[A]
    await asyncio.sleep(0.2)
    assert (old.role, old.standby_signal, bench.world.record.sync) == (None, False, "none")
    request = {"cluster": bench.cluster, "run": "real", "by": "mona"}
    again = await bench.finished(await bench.start(request, workflow="postgres-rejoin"))
    assert (again.outcome, bench.world.record.paused_by) == ("completed", "mona")
    await bench.until_consistent()


async def test_a_pause_that_is_over_holds_nothing(bench: Bench) -> None:
    await _paused(bench, lasts="1s", by="mona", reason="short")
    await asyncio.sleep(1.1)
    assert (await bench.finished(await bench.switch())).leader == B
    await bench.until_consistent()


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, "lasts: missing"),
        ({"lasts": "soon", "by": "mona", "reason": "x"}, "lasts: "),
        ({"lasts": "8d", "by": "mona", "reason": "x"}, "lasts: "),
        ({"lasts": "2h", "reason": "x"}, "by: missing"),
        ({"lasts": "2h", "by": "mona"}, "reason: missing"),
        ({"lasts": "2h", "off": True}, "lasts: "),
        ({"for": "2h"}, "for: unknown key"),
    ],
)
async def test_a_pause_without_end_name_or_reason_is_refused(bench: Bench, request_: dict[str, Any], words: str) -> None:
    refusal = await bench.refused(
        await bench.start({"cluster": bench.cluster, **request_}, workflow="postgres-pause", id=f"pause/{bench.lock}")
    )
    assert (refusal.type, refusal.message.startswith(words)) == ("BadInput", True), refusal.message
    assert bench.world.changed == []


async def test_runs_under_its_own_id(bench: Bench) -> None:
    request = {"cluster": bench.cluster, **_FOR_AN_HOUR}
    refusal = await bench.refused(await bench.start(request, workflow="postgres-pause"))
    assert (refusal.type, f"pause/{bench.lock}" in refusal.message) == ("WrongWorkflowId", True)


async def test_moves_no_writes_where_somebody_has_changed_the_selector(bench: Bench) -> None:
    bench.world.point_service_at(B)
    refusal = await bench.refused(await _pause(bench))
    assert (refusal.type, bench.world.record.selector) == ("RecordDisagrees", B)


async def test_a_worker_that_may_not_write_says_so(bench: Bench) -> None:
    bench.world.faults.order("kubernetes.write_record", Fault.FORBIDDEN)
    refusal = await bench.refused(await _pause(bench))
    assert (refusal.type, "Role" in refusal.message) == ("Unreachable", True)
