"""``node-failover --mode forced``: what keeps no data comes back at once, what keeps some waits for a word."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowUpdateFailedError

from activities.nodes.run_models import NodeDetails
from activities.run.models.report import Outcome
from tests.fakes.faults import Fault
from tests.fakes.world import A, B
from tests.nodes.bench import NodeBench, serving
from tests.nodes.proving import exists
from tests.postgres.gone import POLICY, Gone, take_away
from tests.run.cancels import cancel

_STEPS = ("node.survey", "node.cordon", "node.replace", "node.give_up", "node.await_replacements")
_TAINT = ("node.kubernetes.io/out-of-service:NoExecute",)


def _with_data(bench: NodeBench) -> None:
    bench.world.put(bench.node, "redis-0", "StatefulSet", owner="redis")
    bench.world.go_dark(bench.node)


async def test_pods_without_data_come_back_while_those_with_data_wait_for_a_word(bench: NodeBench) -> None:
    _with_data(bench)
    handle = await bench.start(mode="forced")
    status = await bench.until_phase(handle, "awaiting proof")
    assert sorted(bench.world.removed) == ["api-a-1", "api-b-1"]
    assert status.waits_for_attestation == bench.node
    assert bench.world.nodes_by_name[bench.node].taints == ()
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update("attest", {"by": "dana", "member": "node-1"})
    await handle.execute_update("attest", {"by": "dana", "member": bench.node})
    end, words = await bench.ending(handle)
    assert end == "completed", words
    assert sorted(bench.world.removed) == ["api-a-1", "api-b-1", "redis-0"]
    assert (bench.is_cordoned, bench.world.nodes_by_name[bench.node].taints) == (True, _TAINT)
    assert bench.report().attested_by == "dana"
    details = bench.report().of(NodeDetails)
    replaced = details.pods_replaced
    assert replaced is not None
    assert replaced.pods == ("aiagent-prod/api-a-1", "aiagent-prod/api-b-1", "aiagent-prod/redis-0")
    assert details.recovery_seconds is not None


async def test_a_deployments_pod_with_a_volume_waits_for_a_word_and_is_named_with_it(bench: NodeBench) -> None:
    bench.world.put(bench.node, "grafana-1", owner="grafana", volumes=("claim grafana",))
    bench.world.go_dark(bench.node)
    handle = await bench.start(mode="forced")
    status = await bench.until_phase(handle, "awaiting proof")
    assert sorted(bench.world.removed) == ["api-a-1", "api-b-1"]
    assert status.plan is not None
    assert "aiagent-prod/grafana-1 (claim grafana) keep data" in status.plan.attestation
    await handle.execute_update("attest", {"by": "dana", "member": bench.node})
    end, words = await bench.ending(handle)
    assert end == "completed", words
    assert sorted(bench.world.removed) == ["api-a-1", "api-b-1", "grafana-1"]


async def test_a_leader_of_another_estate_is_named_and_waits_for_a_word(bench: NodeBench) -> None:
    bench.world.put(bench.node, "ledger-0", "StatefulSet", owner="ledger", leads="role=primary")
    bench.world.go_dark(bench.node)
    handle = await bench.start(mode="forced")
    status = await bench.until_phase(handle, "awaiting proof")
    assert status.plan is not None
    assert [one for one in status.plan.steps if "ledger-0 leads a database that the estate does not list" in one]
    assert "ledger-0" not in bench.world.removed


async def test_a_node_that_comes_back_is_taken_back_once_it_is_well(bench: NodeBench) -> None:
    _with_data(bench)
    handle = await bench.start(mode="forced", attest=True)
    assert (await bench.ending(handle))[0] == "completed"
    back = bench.client.get_workflow_handle(f"return/node/{bench.node}")
    bench.started.append(back)
    await asyncio.sleep(1)
    assert bench.is_cordoned
    bench.world.come_back(bench.node)
    await asyncio.wait_for(back.result(), 20)
    assert (bench.is_cordoned, bench.world.nodes_by_name[bench.node].taints) == (False, ())


async def test_a_node_that_leaves_the_cluster_ends_the_wait(bench: NodeBench) -> None:
    bench.world.go_dark(bench.node)
    assert (await bench.ending(await bench.start(mode="forced")))[0] == "completed"
    back = bench.client.get_workflow_handle(f"return/node/{bench.node}")
    bench.started.append(back)
    del bench.world.nodes_by_name[bench.node]
    assert (await asyncio.wait_for(back.result(), 20))["gone"]


async def test_a_node_that_lives_is_left_alone(bench: NodeBench) -> None:
    end, words = await bench.ending(await bench.start(mode="forced"))
    assert (end, bench.is_cordoned, bench.world.removed) == ("NodeAlive", False, [])
    assert "mode planned asks its pods to go" in words


async def test_a_node_that_only_lost_its_control_plane_is_told_from_one_that_is_gone(bench: NodeBench) -> None:
    bench.world.put(bench.node, "redis-0", "StatefulSet", owner="redis")
    bench.world.go_dark(bench.node, cut_off=True)
    assert (await bench.ending(await bench.start(mode="forced", run="plan")))[0] == "completed"
    handle = await bench.start(mode="forced")
    status = await bench.until_phase(handle, "awaiting proof")
    assert status.plan is not None
    assert status.plan.diagnosis is not None
    assert "IT GOES ON RUNNING THEM" in status.plan.diagnosis.reason
    assert "redis-0" not in bench.world.removed


async def test_without_a_word_what_keeps_data_stays_and_the_run_is_stranded(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, word_within="PT1S") as bench:
        _with_data(bench)
        end, words = await bench.ending(await bench.start(mode="forced"))
        assert end == "Stranded"
        assert "redis-0: waits for proof" in words
        assert "redis-0" not in bench.world.removed
        back = bench.client.get_workflow_handle(f"return/node/{bench.node}")
        bench.started.append(back)
        bench.world.come_back(bench.node)
        await asyncio.wait_for(back.result(), 20)
        assert not bench.is_cordoned


async def test_a_cancel_while_it_waits_for_a_word_lets_pods_on_again(bench: NodeBench) -> None:
    _with_data(bench)
    handle = await bench.start(mode="forced")
    await bench.until_phase(handle, "awaiting proof")
    await handle.cancel()
    assert await bench.ending(handle) == ("cancelled", "")
    assert (bench.is_cordoned, "redis-0" in bench.world.removed) == (False, False)
    assert bench.report().outcome is Outcome.ROLLED_BACK


async def test_a_cancel_after_the_taint_does_not_stop_the_rest(bench: NodeBench) -> None:
    _with_data(bench)
    hanging = bench.faults.order("node.give_up", Fault.HANGS)
    handle = await bench.start(mode="forced", attest=True)
    await hanging.reached.wait()
    await cancel(handle)
    hanging.released.set()
    assert (await bench.ending(handle))[0] in {"completed", "Stranded"}
    assert "redis-0" in bench.world.removed


@pytest.mark.parametrize("step", _STEPS)
async def test_a_step_that_is_done_but_not_reported_is_made_again(bench: NodeBench, step: str) -> None:
    _with_data(bench)
    bench.faults.order(step, Fault.UNREPORTED)
    end, words = await bench.ending(await bench.start(mode="forced", attest=True))
    assert (end, sorted(bench.world.removed)) == ("completed", ["api-a-1", "api-b-1", "redis-0"]), words


async def test_a_primary_on_it_is_failed_over_by_its_own_procedure(bench: NodeBench) -> None:
    before = bench.put_primary()
    bench.world.go_dark(bench.node)
    take_away(bench.postgres, Gone.DEAD)
    end, words = await bench.ending(await bench.start(mode="forced", attest=True))
    assert end == "completed", words
    assert bench.postgres.record.leader != before
    details = bench.report().of(NodeDetails)
    assert details.moved_first == (f"postgres-failover {bench.cluster}",)


async def test_a_primary_that_cannot_be_failed_over_is_left_to_do_and_the_rest_comes_back(bench: NodeBench) -> None:
    bench.put_primary()  # it lives, and nobody says otherwise
    bench.world.go_dark(bench.node)
    handle = await bench.start(mode="forced")
    await bench.until_phase(handle, "awaiting proof")
    await handle.execute_update("attest", {"by": "dana", "member": bench.node})
    end, words = await bench.ending(handle)
    assert end == "Stranded"
    assert f"postgres-failover {bench.cluster}" in words
    assert sorted(bench.world.removed)[:2] == ["api-a-1", "api-b-1"]


async def _moved_by_another(bench: NodeBench) -> asyncio.Event:
    """Let another run be in the middle of moving the primary off the node; set the event to let it go on."""
    bench.put_primary()
    bench.world.go_dark(bench.node)
    take_away(bench.postgres, Gone.DEAD)
    hanging = bench.faults.order("postgres.promote", Fault.HANGS)
    request = {"cluster": bench.cluster, "mode": "forced", "run": "real", "by": "omar", "attest": True}
    lock = f"postgres/{bench.cluster}"
    bench.started.append(await bench.client.start_workflow("postgres-failover", request, id=lock, task_queue=bench.queue))
    await hanging.reached.wait()
    return hanging.released


async def test_a_primary_that_another_run_moves_already_is_waited_for(bench: NodeBench) -> None:
    """Its watch was quicker: the lock is held, and what the node's run wanted comes about all the same."""
    before = bench.postgres.record.leader
    going_on = await _moved_by_another(bench)
    handle = await bench.start(mode="forced", attest=True)
    await bench.until_phase(handle, "failing over hosted leaders")
    going_on.set()
    end, words = await bench.ending(handle)
    assert end == "completed", words
    assert bench.postgres.record.leader != before


async def test_a_lock_that_is_held_for_too_long_is_left_to_do(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, word_within="PT1S") as bench:
        await _moved_by_another(bench)
        end, words = await bench.ending(await bench.start(mode="forced", attest=True))
        assert end == "Stranded"
        assert "is held by another run" in words


@pytest.mark.parametrize("asks_dbas", [False, True])
async def test_one_word_about_the_node_counts_for_the_database_on_it(bench: NodeBench, *, asks_dbas: bool) -> None:
    """Given while the database's run waits for proof, or while people still decide about it."""
    if asks_dbas:
        bench.ask_dbas()
    bench.lose_primary(Gone.DEAD)
    handle, child = await bench.start(mode="forced"), bench.of_postgres()
    await bench.until_phase(handle, "failing over hosted leaders")
    await exists(child)
    await bench.until_phase(child, "awaiting approval" if asks_dbas else "awaiting proof")
    await handle.execute_update("attest", {"by": "dana", "member": bench.node})
    if asks_dbas:
        plan = (await bench.status(child)).plan
        assert plan is not None
        await child.execute_update("decide", {"by": "dana", "plan": plan.digest, "approve": True})
    end, words = await bench.ending(handle)
    assert end == "completed", words
    assert (bench.postgres.record.leader, bench.postgres.violations) == (B, [])
    assert (await bench.status(child)).attested_by == "dana"


async def test_a_database_that_takes_no_words_takes_none_about_its_node_either(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, {**POLICY, "proof": ["gate"], "proof_within": "PT3S"}) as bench:
        bench.lose_primary()
        handle = await bench.start(mode="forced")
        await bench.until_phase(handle, "failing over hosted leaders")
        await handle.execute_update("attest", {"by": "dana", "member": bench.node})
        end, words = await bench.ending(handle)
        assert (end, "nobody has proved within" in words) == ("Stranded", True)
        assert bench.postgres.record.leader == A
