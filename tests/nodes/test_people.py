"""People decide before a node that lives is touched, and no objective counts the time that they take."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from activities.nodes.run_models import NodeDetails
from activities.run.models.report import Outcome
from activities.run.models.todo import Todo
from tests.fakes.faults import Fault
from tests.nodes.bench import NodeBench
from tests.nodes.proving import exists
from tests.postgres.bench import Handle
from tests.postgres.gone import Gone
from workflows.run.recovering import seconds_within

_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


async def _asking(bench: NodeBench) -> Handle:
    """Return the database's run once it asks people."""
    child: Handle = bench.of_postgres()
    await exists(child)
    await bench.until_phase(child, "awaiting approval")
    return child


async def _vote(bench: NodeBench, *, approve: bool) -> None:
    child = await _asking(bench)
    status = await bench.until_phase(child, "awaiting approval")
    assert status.plan is not None
    await child.execute_update("decide", {"by": "dana", "plan": status.plan.digest, "approve": approve})


async def test_a_leader_moves_before_the_node_is_cordoned(bench: NodeBench) -> None:
    bench.ask_dbas()
    before = bench.put_primary()
    handle = await bench.start()
    await _asking(bench)
    assert (bench.is_cordoned, bench.world.evicted) == (False, [])
    await asyncio.sleep(2)
    await _vote(bench, approve=True)
    end, words = await bench.ending(handle)
    assert end == "completed", words
    assert before in bench.world.evicted
    calls = [step for step in bench.faults.calls if step in {"postgres.route", "node.cordon", "node.survey"}]
    assert calls[-3:] == ["postgres.route", "node.survey", "node.cordon"]
    details = bench.report().of(NodeDetails)
    assert details.people_seconds == 0, "the time from the cordon on holds no decision"
    assert details.moved_first == (f"postgres-failover {bench.cluster}",)


async def test_a_no_leaves_the_node_as_it_was(bench: NodeBench) -> None:
    bench.ask_dbas()
    before = bench.put_primary()
    handle = await bench.start()
    await _vote(bench, approve=False)
    end, words = await bench.ending(handle)
    assert end == "ApprovalRejected", words
    assert (bench.is_cordoned, bench.world.evicted, bench.postgres.record.leader) == (False, [], before)
    assert bench.report().outcome is Outcome.REFUSED


async def test_a_failover_that_leaves_something_to_do_is_told_and_the_node_is_as_it_was(bench: NodeBench) -> None:
    bench.put_primary()
    bench.faults.order("postgres.verify", Fault.REFUSED)
    end, words = await bench.ending(await bench.start())
    assert (end, bench.is_cordoned) == ("Stranded", False), words
    assert f"{bench.node} is not cordoned: postgres-failover {bench.cluster}: " in words
    (left,) = bench.report().left_to_do
    assert (left.kind, left.subject) == (Todo.MOVE, bench.cluster)


async def test_a_failover_that_a_person_cancels_is_named(bench: NodeBench) -> None:
    bench.ask_dbas()
    bench.put_primary()
    handle = await bench.start()
    await (await _asking(bench)).cancel()
    end, words = await bench.ending(handle)
    assert (end, words) == ("RolledBack", f"postgres-failover {bench.cluster} was cancelled")
    assert bench.report().outcome is Outcome.REFUSED


async def test_a_cordon_that_an_ended_run_has_left_is_taken_off_when_nothing_comes_of_this_one(bench: NodeBench) -> None:
    bench.ask_dbas()
    bench.put_primary()
    node = bench.world.nodes_by_name[bench.node]
    cordoned = {"cordoned": True, "cordoned_for": f"node/{bench.node}/ended"}
    bench.world.nodes_by_name[bench.node] = node.model_copy(update=cordoned)
    handle = await bench.start()
    await _vote(bench, approve=False)
    assert (await bench.ending(handle))[0] == "RolledBack"
    assert not bench.is_cordoned


async def test_a_cancel_while_people_decide_cancels_what_was_begun(bench: NodeBench) -> None:
    bench.ask_dbas()
    bench.put_primary()
    handle = await bench.start()
    child = await _asking(bench)
    await handle.cancel()
    assert await bench.ending(handle) == ("cancelled", "")
    assert (await bench.ending(child))[0] == "cancelled"
    assert not bench.is_cordoned


async def test_what_has_changed_while_people_decided_is_seen(bench: NodeBench) -> None:
    bench.ask_dbas()
    bench.put_primary()
    handle = await bench.start()
    await _asking(bench)
    bench.world.put(bench.node, "by-hand", "", owner="none")
    await _vote(bench, approve=True)
    end, words = await bench.ending(handle)
    assert (end, "by-hand" in words) == ("RolledBack", True), words
    assert not bench.is_cordoned
    assert bench.report().outcome is Outcome.ROLLED_BACK
    assert f"{bench.node} is as it was, postgres-failover {bench.cluster} stays moved" in words


async def test_no_objective_counts_the_time_in_which_people_decide_about_a_silent_node(bench: NodeBench) -> None:
    bench.ask_dbas()
    bench.lose_primary(Gone.DEAD)
    handle = await bench.start(mode="forced", attest=True)
    await _asking(bench)
    await asyncio.sleep(4)
    await _vote(bench, approve=True)
    end, words = await bench.ending(handle)
    assert end == "completed", words
    details = bench.report().of(NodeDetails)
    assert details.people_seconds > 4
    assert details.recovery_seconds is not None
    assert details.settled is not None
    assert details.recovery_seconds < (details.settled.at - bench.report().started_at).total_seconds() - 4


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [
        ((), 0),
        (((5, 15),), 10),
        (((-5, 5), (50, 70)), 15),
        (((5, 15), (10, 20), (12, 13)), 15),
        (((-9, -1), (61, 99)), 0),
    ],
)
def test_spans_that_overlap_count_once(spans: tuple[tuple[int, int], ...], seconds: int) -> None:
    at = [(_NOON + timedelta(seconds=one), _NOON + timedelta(seconds=other)) for one, other in spans]
    assert seconds_within(at, _NOON, _NOON + timedelta(seconds=60)) == seconds
