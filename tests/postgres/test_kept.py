"""What rejoins keep aside is listed, and one thing is removed when a person says so by name."""

from __future__ import annotations

from typing import Any

import pytest

from activities.postgres.models.upkeep import KeptReport
from activities.run.models.wire import read
from tests.fakes.faults import Fault
from tests.fakes.world import A, B
from tests.postgres.bench import Bench, Handle

_REMOVE = {"member": B, "remove": "pgdata-0", "by": "mona", "reason": "looked through"}


async def look(bench: Bench, **more: Any) -> Handle:
    return await bench.start({"cluster": bench.cluster, **more}, workflow="postgres-kept", id=f"kept/{bench.lock}")


async def _kept(bench: Bench, **more: Any) -> dict[str, list[str]]:
    report = read(KeptReport, await (await look(bench, **more)).result())
    return {one.member: [item.name for item in one.items] for one in report.members}


async def test_everything_is_listed_and_nothing_changed(bench: Bench) -> None:
    bench.world.members[B].kept = [set(), set()]
    before = bench.world.snapshot
    assert await _kept(bench) == {A: [], B: ["pgdata-0", "pgdata-1"]}
    assert bench.world.snapshot == before


@pytest.mark.parametrize("fault", [None, Fault.UNREPORTED, Fault.SILENT])
async def test_one_thing_is_removed_however_often_it_is_tried(bench: Bench, fault: Fault | None) -> None:
    bench.world.members[B].kept = [set(), set()]
    if fault:
        bench.world.faults.order("postgres.discard_kept", fault)
    assert await _kept(bench, **_REMOVE) == {A: [], B: ["pgdata-1"]}
    assert await _kept(bench, **_REMOVE) == {A: [], B: ["pgdata-1"]}


async def test_a_member_whose_gate_is_silent_hides_no_other(bench: Bench) -> None:
    bench.world.members[B].kept = [set()]
    bench.world.faults.order("gates.kept", Fault.SILENT)
    report = read(KeptReport, await (await look(bench)).result())
    assert sorted(bool(one.error) for one in report.members) == [False, True]


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        ({"remove": "pgdata-0", "by": "mona", "reason": "x"}, "member: missing"),
        ({**_REMOVE, "by": ""}, "by: missing"),
        ({**_REMOVE, "reason": " "}, "reason: missing"),
        ({**_REMOVE, "member": "stranger"}, "has no stranger"),
    ],
)
async def test_a_removal_without_a_name_or_a_reason_is_refused(
    bench: Bench, request_: dict[str, Any], complaint: str
) -> None:
    bench.world.members[B].kept = [set()]
    refusal = await bench.refused(await look(bench, **request_))
    assert (refusal.type, complaint in refusal.message) == ("BadInput", True), refusal.message
    assert bench.world.members[B].discarded == set()
