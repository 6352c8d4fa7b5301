"""``node-failover`` on a real Temporal server: leaders first, budgets respected, and every way back is true."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowUpdateFailedError

from activities.nodes.run_models import NodeDetails
from activities.run.models.report import Outcome
from activities.run.models.todo import Todo
from tests.fakes.faults import Fault
from tests.nodes.bench import NodeBench, serving
from tests.run.cancels import cancel

_STEPS = ("node.resolve", "node.survey", "node.cordon", "node.drain", "node.await_replacements")
_BUDGET = "The disruption budget api needs 1 healthy pods and has 1 currently"


async def test_what_is_on_the_node_leaves_and_it_stays_cordoned(bench: NodeBench) -> None:
    end, words = await bench.ending(await bench.start())
    assert end == "completed", words
    assert "is cordoned" in words
    assert bench.world.on(bench.node) == ["kube-proxy-1"]
    assert (bench.is_cordoned, sorted(bench.world.evicted)) == (True, ["api-a-1", "api-b-1"])
    report = bench.report()
    details = report.of(NodeDetails)
    assert details.drained is not None
    assert details.drained.gone == ("aiagent-prod/api-a-1", "aiagent-prod/api-b-1")
    assert details.recovery_seconds is not None
    assert bench.world.ready_within < details.recovery_seconds < 20


async def test_it_takes_pods_again_where_that_is_asked(bench: NodeBench) -> None:
    end, words = await bench.ending(await bench.start(uncordon=True))
    assert (end, bench.is_cordoned) == ("completed", False)
    assert "takes pods again" in words


async def test_the_primary_moves_first_by_its_own_procedure(bench: NodeBench) -> None:
    before = bench.put_primary()
    end, words = await bench.ending(await bench.start())
    assert end == "completed", words
    assert bench.postgres.record.leader != before
    assert before in bench.world.evicted
    details = bench.report().of(NodeDetails)
    assert details.moved_first == (f"postgres-failover {bench.cluster}",)


async def test_a_primary_that_cannot_move_keeps_everything_where_it_is(bench: NodeBench) -> None:
    before = bench.put_primary()
    bench.faults.order("postgres.fence", Fault.REFUSED)
    end, words = await bench.ending(await bench.start())
    assert end in {"RolledBack", "NotAvailable"}, words
    assert (bench.is_cordoned, bench.world.evicted) == (False, [])
    assert bench.postgres.record.leader == before
    assert bench.report().outcome is Outcome.REFUSED


async def test_where_the_clusters_lock_is_held_nothing_is_evicted(bench: NodeBench) -> None:
    bench.put_primary()
    held = bench.faults.order("postgres.survey", Fault.HANGS)
    other = await bench.client.start_workflow(
        "postgres-failover",
        {"cluster": bench.cluster, "mode": "planned", "run": "real", "by": "dana"},
        id=f"postgres/{bench.cluster}",
        task_queue=bench.queue,
    )
    await held.reached.wait()
    end, words = await bench.ending(await bench.start())
    assert end == "ClaimedElsewhere", words
    assert f"postgres/{bench.cluster} is held by another run" in words
    assert (bench.is_cordoned, bench.world.evicted) == (False, [])
    await other.terminate("the test is over")


async def test_a_budget_that_refuses_holds_it_up_by_name_until_it_allows(bench: NodeBench) -> None:
    bench.world.budgets["api-a-1"] = _BUDGET
    handle = await bench.start()
    status = await bench.until_phase(handle, "blocked by a disruption budget")
    assert f"aiagent-prod/api-a-1: {_BUDGET}" in status.explanation
    assert bench.world.on(bench.node) == ["api-a-1", "kube-proxy-1"]
    del bench.world.budgets["api-a-1"]
    assert (await bench.ending(handle))[0] == "completed"
    assert bench.world.deleted == []


async def test_a_person_who_insists_has_it_deleted(bench: NodeBench) -> None:
    bench.world.budgets["api-a-1"] = _BUDGET
    handle = await bench.start()
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update("insist", {"by": "dana", "node": bench.node})  # nothing holds it up yet
    await bench.until_phase(handle, "blocked by a disruption budget")
    for word in ({"by": "nobody", "node": bench.node}, {"by": "dana", "node": "node-1"}, {"by": "dana"}):
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update("insist", word)
    await handle.execute_update("insist", {"by": "dana", "node": bench.node})
    assert (await bench.ending(handle))[0] == "completed"
    assert bench.world.deleted == ["api-a-1"]
    report = bench.report()
    details = report.of(NodeDetails)
    assert report.insisted_by == "dana"
    assert details.drained is not None
    assert details.drained.gone == ("aiagent-prod/api-a-1", "aiagent-prod/api-b-1")  # one left before the word


async def test_a_leader_that_the_estate_does_not_list_waits_for_a_person(bench: NodeBench) -> None:
    bench.world.put(bench.node, "ledger-0", "StatefulSet", owner="ledger", leads="role=primary")
    handle = await bench.start()
    status = await bench.until_phase(handle, "blocked by a disruption budget")
    assert "aiagent-prod/ledger-0: it leads a database that the estate does not list (role=primary)" in status.explanation
    assert status.plan is not None
    assert [one for one in status.plan.steps if one.startswith("WAIT FOR A PERSON") and "ledger-0" in one]
    assert "ledger-0" not in bench.world.evicted
    await handle.execute_update("insist", {"by": "dana", "node": bench.node})
    assert (await bench.ending(handle))[0] == "completed"
    assert "ledger-0" in bench.world.evicted


async def test_a_leader_that_somebody_moves_meanwhile_is_waited_for_no_longer(bench: NodeBench) -> None:
    bench.world.put(bench.node, "ledger-0", "StatefulSet", owner="ledger", leads="role=primary")
    handle = await bench.start()
    await bench.until_phase(handle, "blocked by a disruption budget")
    bench.world.pods = [(node, pod.model_copy(update={"leads": ""})) for node, pod in bench.world.pods]
    assert (await bench.ending(handle))[0] == "completed"


async def test_the_estates_own_leader_is_no_stranger_for_its_label(bench: NodeBench) -> None:
    leader = bench.put_primary()
    bench.world.pods = [
        (node, pod.model_copy(update={"leads": "role=primary"} if pod.name == leader else {}))
        for node, pod in bench.world.pods
    ]
    end, words = await bench.ending(await bench.start())
    assert end == "completed", words
    assert leader in bench.world.evicted


async def test_a_cancel_while_a_budget_holds_it_up_lets_pods_on_again(bench: NodeBench) -> None:
    bench.world.budgets["api-a-1"] = _BUDGET
    handle = await bench.start()
    await bench.until_phase(handle, "blocked by a disruption budget")
    await handle.cancel()
    assert await bench.ending(handle) == ("cancelled", "")
    assert not bench.is_cordoned
    assert bench.report().outcome is Outcome.ROLLED_BACK
    del bench.world.budgets["api-a-1"]
    await asyncio.sleep(1.5)
    assert "api-a-1" in bench.world.on(bench.node)  # nobody goes on evicting


async def test_nobody_insists_in_time(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, decided_within="PT2S") as bench:
        bench.world.budgets["api-a-1"] = _BUDGET
        end, words = await bench.ending(await bench.start())
        assert end == "RolledBack"
        assert "nobody overrode it" in words
        assert not bench.is_cordoned


async def test_what_is_not_ready_elsewhere_is_listed_and_the_node_stays_empty(bench: NodeBench) -> None:
    bench.world.ready_within = 60
    end, words = await bench.ending(await bench.start())
    assert end == "Stranded"
    assert "ReplicaSet aiagent-prod/api-a: 1 of 2 ready" in words
    assert bench.is_cordoned


async def test_a_pod_that_no_other_node_takes_is_not_waited_for_but_listed(bench: NodeBench) -> None:
    bench.world.put(bench.node, "redis-0", "StatefulSet", owner="redis", homeless=True)
    bench.world.never_ready.add("redis")
    end, words = await bench.ending(await bench.start())
    assert end == "completed", words
    (left,) = bench.report().left_to_do
    assert (left.kind, left.subject) == (Todo.SCHEDULE, "aiagent-prod/redis-0")
    assert bench.is_cordoned


async def test_a_pod_whose_volume_is_on_this_node_waits_for_it_and_the_plan_says_so(bench: NodeBench) -> None:
    bench.world.put(bench.node, "db-0", "StatefulSet", owner="db", homeless=True, bound=("data-db-0",))
    bench.world.never_ready.add("db")
    end, words = await bench.ending(await bench.start())
    assert end == "completed", words
    (left,) = bench.report().left_to_do
    assert f"waits for {bench.node}, which its volume is bound to (data-db-0): uncordon it" in left.message
    plan = bench.report().plan
    assert plan is not None
    assert any("aiagent-prod/db-0 (data-db-0), whose volumes no other node reaches" in step for step in plan.steps)


async def test_with_uncordon_it_is_waited_for(bench: NodeBench) -> None:
    bench.world.put(bench.node, "redis-0", "StatefulSet", owner="redis", homeless=True)
    bench.world.never_ready.add("redis")
    end, words = await bench.ending(await bench.start(uncordon=True))
    assert end == "Stranded"
    assert "aiagent-prod/redis: 1 of 2 ready" in words
    assert not bench.is_cordoned


async def test_a_persons_own_cordon_is_left_as_it_was(bench: NodeBench) -> None:
    node = bench.world.nodes_by_name[bench.node]
    bench.world.nodes_by_name[bench.node] = node.model_copy(update={"cordoned": True})
    end, words = await bench.ending(await bench.start(uncordon=True))
    assert (end, bench.is_cordoned) == ("completed", True)
    assert "is cordoned" in words


@pytest.mark.parametrize("step", _STEPS)
async def test_a_step_that_is_done_but_not_reported_is_made_again(bench: NodeBench, step: str) -> None:
    bench.faults.order(step, Fault.UNREPORTED)
    end, words = await bench.ending(await bench.start())
    assert (end, sorted(bench.world.evicted)) == ("completed", ["api-a-1", "api-b-1"]), words


@pytest.mark.parametrize("step", ["node.cordon", "node.drain", "node.await_replacements"])
async def test_a_refused_step_is_undone(bench: NodeBench, step: str) -> None:
    bench.faults.order(step, Fault.REFUSED)
    end, words = await bench.ending(await bench.start())
    assert end in {"RolledBack", "NotAvailable"}, words
    assert not bench.is_cordoned


@pytest.mark.parametrize("step", ["node.cordon", "node.drain", "node.await_replacements"])
async def test_a_cancel_at_each_step_is_undone(bench: NodeBench, step: str) -> None:
    hanging = bench.faults.order(step, Fault.HANGS)
    handle = await bench.start()
    await hanging.reached.wait()
    await cancel(handle)
    await hanging.over.wait()  # the step has heard of it by its beat
    assert await bench.ending(handle) == ("cancelled", "")
    assert not bench.is_cordoned


async def test_a_run_that_was_terminated_goes_on_with_the_next(bench: NodeBench) -> None:
    hanging = bench.faults.order("node.drain", Fault.HANGS)
    handle = await bench.start()
    await hanging.reached.wait()
    await handle.terminate("by hand")
    hanging.released.set()
    assert bench.is_cordoned
    assert (await bench.ending(await bench.start(uncordon=True)))[0] == "completed"
    assert not bench.is_cordoned


async def test_the_api_server_is_gone_while_it_evicts(bench: NodeBench) -> None:
    bench.world.budgets["api-a-1"] = _BUDGET
    handle = await bench.start()
    await bench.until_phase(handle, "blocked by a disruption budget")
    bench.world.gone = True
    await asyncio.sleep(2)
    bench.world.gone = False
    del bench.world.budgets["api-a-1"]
    assert (await bench.ending(handle))[0] == "completed"


async def test_refusals(bench: NodeBench) -> None:
    facts = dict(bench.world.nodes_by_name)
    bench.world.nodes_by_name[bench.node] = facts[bench.node].model_copy(update={"ready": "Unknown", "reason": "silent"})
    assert (await bench.ending(await bench.start()))[0] == "NodeNotReady"
    bench.world.nodes_by_name = {bench.node: facts[bench.node]}
    assert (await bench.ending(await bench.start()))[0] == "NoRoom"
    bench.world.nodes_by_name = facts
    bench.world.put(bench.node, "by-hand", "", owner="none")
    end, words = await bench.ending(await bench.start())
    assert end == "LonelyPods"
    assert "aiagent-prod/by-hand" in words
    assert (bench.is_cordoned, bench.world.evicted) == (False, [])


async def test_a_plan_changes_nothing(bench: NodeBench) -> None:
    before = bench.put_primary()
    assert (await bench.ending(await bench.start(run="plan")))[0] == "completed"
    assert (bench.is_cordoned, bench.world.evicted, bench.postgres.record.leader) == (False, [], before)


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"run": "real"}, "node: missing"),
        ({"node": "", "run": "real"}, "node: string should have at least 1 character"),
        ({"node": "node-9", "run": "real"}, "does not hold the lock"),
        ({"node": "node-9", "mode": "gone"}, "mode: input should be 'planned' or 'forced'"),
        ({"node": "node-9", "attest": True}, "attest: only with mode forced"),
        ("node-9", "expected one JSON object"),
    ],
)
async def test_bad_input_gets_one_sentence(bench: NodeBench, request_: object, sentence: str) -> None:
    end, words = await bench.ending(await bench.start(request_))
    assert end in {"BadInput", "WrongWorkflowId"}
    assert sentence in words


async def test_an_unknown_node_is_named(bench: NodeBench) -> None:
    end, words = await bench.ending(await bench.start({"node": "node-9", "run": "real"}, id="node/node-9"))
    assert end == "BadInput"
    assert "there is no node-9; there is node-1, " in words
