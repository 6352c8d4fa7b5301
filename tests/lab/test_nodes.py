"""A node of the real cluster is emptied: its leader moves first, nothing is lost, budgets are respected by name."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from temporalio.service import RPCError

from activities.nodes.run_models import NodeDetails
from activities.postgres.models.details import PostgresDetails
from activities.run.models.report import Outcome
from deploy.lab.breaking import heal
from deploy.lab.estate import changed_estate, power_is_proof
from deploy.lab.names import NODES
from deploy.lab.patience import stretched
from deploy.lab.processes import pid_of
from deploy.lab.sentinels import redis_master
from deploy.lab.switching import REDIS, approve, ending, start, start_node, start_redis
from starters.history.model import Facts
from tests.lab.platform import Platform

pytestmark = pytest.mark.lab
_BUDGET = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "api"},
    "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "api"}}},
}


def _whole(platform: Platform) -> None:
    platform.kubectl("rollout", "status", "deployment/api-deployment", "--timeout=120s")
    platform.settle(200)
    platform.look()


def _left_on(platform: Platform, node: str) -> list[str]:
    found = json.loads(platform.kubectl("get", "pods", "--field-selector", f"spec.nodeName={node}", "-o", "json"))
    return [pod["metadata"]["name"] for pod in found["items"] if "deletionTimestamp" not in pod["metadata"]]


def _why(facts: Facts) -> str:
    return "; ".join((facts.reason, *(left.message for left in facts.known.left_to_do)))


async def test_the_node_of_the_primary_is_emptied(platform: Platform) -> None:
    _whole(platform)
    node, before = platform.nodes[platform.old], platform.old
    handle = await start_node(platform.client, node, uncordon=True)
    child = platform.client.get_workflow_handle("postgres/orders")
    await _until_it_is(platform, "postgres-failover")
    await approve(child, within=60)
    facts: Facts = await ending(handle, within=240)
    assert facts.outcome is Outcome.COMPLETED, facts.reason
    details = facts.known.of(NodeDetails)
    assert "postgres-failover orders" in details.moved_first
    assert platform.leader != before
    assert details.drained is not None
    assert f"aiagent-prod/{before}" in details.drained.gone
    assert facts.verdict.met, facts.verdict.sentences
    print(*facts.verdict.sentences, details.drained.gone, sep="\n")
    _whole(platform)


async def _until_it_is(platform: Platform, workflow: str) -> None:
    """Wait until the lock of the database is held by a run of ``workflow`` that is open."""
    async with asyncio.timeout(stretched(60)):
        while True:
            with contextlib.suppress(RPCError):  # nothing has held it yet
                found = await platform.client.get_workflow_handle("postgres/orders").describe()
                if found.workflow_type == workflow and found.close_time is None:
                    return
            await asyncio.sleep(0.2)


async def test_a_node_without_power_is_given_up_after_a_word_and_taken_back(platform: Platform) -> None:
    _whole(platform)
    node = platform.nodes[platform.old]
    with_data = [pod for pod in _left_on(platform, node) if pod.startswith(("redis", "postgresql"))]
    await asyncio.to_thread(platform.break_it, "node", node)
    handle = await start_node(platform.client, node, mode="forced", attest=True, reason="its power is off")
    await _until_it_is(platform, "postgres-failover")
    await approve(platform.client.get_workflow_handle("postgres/orders"), within=60, attest=True)
    facts = await ending(handle, within=240)
    details = facts.known.of(NodeDetails)
    assert "postgres-failover orders" in details.moved_first, facts.reason
    assert platform.leader == platform.candidate
    assert facts.outcome is Outcome.COMPLETED, _why(facts)
    assert details.pods_replaced is not None
    assert set(with_data) <= {path.split("/")[1] for path in details.pods_replaced.pods}
    print(*facts.verdict.sentences, facts.known.left_to_do, sep="\n")
    await asyncio.to_thread(heal, platform.lab)
    back = platform.client.get_workflow_handle(f"return/node/{node}")
    await asyncio.wait_for(back.result(), stretched(120))
    spec = json.loads(platform.kubectl("get", "node", node, "-o", "json"))["spec"]
    assert not spec.get("unschedulable")
    assert not any("out-of-service" in taint["key"] for taint in spec.get("taints", []))
    _whole(platform)


async def test_a_silent_node_is_ended_by_its_machine_s_control_plane(platform: Platform) -> None:
    """It is cut off and goes on running its pods; nobody says a word."""
    _whole(platform)
    node = next(name for name in NODES if name not in platform.nodes.values())
    with_data = [pod for pod in _left_on(platform, node) if pod.startswith("redis")]
    assert with_data
    with changed_estate(platform.lab, platform.binaries, power_is_proof):
        await asyncio.to_thread(platform.break_it, "network", node)
        assert pid_of(platform.lab, node) is not None
        handle = await start_node(platform.client, node, mode="forced", reason="its cable is pulled")
        facts = await ending(handle, within=240)
        assert facts.outcome is Outcome.COMPLETED, _why(facts)
        details = facts.known.of(NodeDetails)
        assert details.proof is not None
        assert details.proof.words == f"http says that the machine of {node} is stopped, as this run has asked for"
        assert (details.proof.kind, facts.known.attested_by) == ("machine", "")
        assert pid_of(platform.lab, node) is None
        assert details.pods_replaced is not None
        assert set(with_data) <= {path.split("/")[1] for path in details.pods_replaced.pods}
        print(*facts.verdict.sentences, details.proof.words, sep="\n")
        await asyncio.to_thread(heal, platform.lab)
        back = platform.client.get_workflow_handle(f"return/node/{node}")
        await asyncio.wait_for(back.result(), stretched(120))
        _whole(platform)
    spec = json.loads(platform.kubectl("get", "node", node, "-o", "json"))["spec"]
    assert not spec.get("unschedulable")
    assert not any("out-of-service" in taint["key"] for taint in spec.get("taints", []))


@pytest.mark.matrix  # test_forced.py has one that is cut off, and this file one without power
async def test_a_cut_off_node_with_the_primary_is_given_up_without_a_word(platform: Platform) -> None:
    """Its machine is ended by the run, and the database takes that for proof; somebody only agrees to the plan."""
    _whole(platform)
    await _lead_from_one_node(platform)
    node, before = platform.nodes[platform.old], platform.old
    with changed_estate(platform.lab, platform.binaries, power_is_proof):
        await asyncio.to_thread(platform.break_it, "network", node)
        handle = await start_node(platform.client, node, mode="forced", reason="its cable is pulled")
        await _until_it_is(platform, "postgres-failover")
        child = platform.client.get_workflow_handle("postgres/orders")
        await approve(child, within=60)
        facts = await ending(handle, within=240)
        assert facts.outcome is Outcome.COMPLETED, _why(facts)
        details = facts.known.of(NodeDetails)
        assert "postgres-failover orders" in details.moved_first
        assert any(one.startswith(f"redis-failover {REDIS}") for one in details.moved_first)  # Sentinel may be quicker
        assert platform.leader == platform.candidate
        moved = await ending(child, within=60)
        other = moved.known.of(PostgresDetails)
        assert other.proof is not None
        assert other.proof.words == f"{before}: http says that the machine of {node} is stopped"
        assert (other.proof.kind, moved.known.attested_by, facts.known.attested_by) == ("machine", "", "")
        print(*facts.verdict.sentences, other.proof.words, sep="\n")
        await asyncio.to_thread(heal, platform.lab)
        await asyncio.wait_for(platform.client.get_workflow_handle(f"return/node/{node}").result(), stretched(120))
        _whole(platform)


async def _lead_from_one_node(platform: Platform) -> None:
    """Let the PostgreSQL primary and the Redis master be on one node: Redis moves to a member's, then PostgreSQL to that."""
    if platform.node_of(redis_master(platform.lab, platform.binaries)) not in platform.nodes.values():
        facts = await ending(await start_redis(platform.client))
        assert facts.outcome is Outcome.COMPLETED, facts.reason
        _whole(platform)
    if platform.node_of(redis_master(platform.lab, platform.binaries)) != platform.nodes[platform.old]:
        handle = await start(platform.client)
        await approve(handle)
        facts = await ending(handle)
        assert facts.outcome is Outcome.COMPLETED, facts.reason
        _whole(platform)


async def test_a_budget_is_named_and_a_cancel_lets_pods_on_again(platform: Platform) -> None:
    _whole(platform)
    node = min({platform.node_of(pod) for pod in platform.pods("api")} - {platform.nodes[platform.old]})
    budget = platform.lab.home / "budget.json"
    budget.write_text(json.dumps(_BUDGET), encoding="utf-8")
    platform.kubectl("apply", "-f", str(budget))
    try:
        handle = await start_node(platform.client, node)
        async with asyncio.timeout(stretched(150)):
            while (status := await handle.query("status"))["phase"] != "blocked by a disruption budget":
                assert status["outcome"] is None, status["explanation"]
                await asyncio.sleep(1)
        assert "The disruption budget api needs 2 healthy pods" in status["explanation"]
        await handle.cancel()
        facts = await ending(handle)
        assert facts.outcome is Outcome.ROLLED_BACK, facts.reason
        spec = json.loads(platform.kubectl("get", "node", node, "-o", "json"))["spec"]
        assert not spec.get("unschedulable")
    finally:
        platform.kubectl("delete", "pdb", "api")
        _whole(platform)
