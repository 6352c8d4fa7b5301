"""Runs that end in the middle on the real platform: terminated, and a worker frozen inside the promotion."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest

from activities.run.models.report import Outcome
from deploy.lab.breaking import kill_processes
from deploy.lab.node import start_node
from deploy.lab.processes import wait_until
from deploy.lab.switching import approve, ending, start
from tests.lab.histories import completed
from tests.lab.platform import Platform

pytestmark = pytest.mark.lab

_UNDONE_FIRST = ("postgres.claim", "postgres.fence")
_FINISHED_FIRST = ("postgres.promote", "postgres.route", "postgres.verify")


_ALWAYS = {"postgres.claim", "postgres.promote"}
"""One that is undone and one that is finished; the others belong to ``./run matrix``."""


@pytest.mark.parametrize(
    "step",
    [pytest.param(one, marks=[] if one in _ALWAYS else [pytest.mark.matrix]) for one in (*_UNDONE_FIRST, *_FINISHED_FIRST)],
)
async def test_a_terminated_run_is_settled_by_the_next_one(platform: Platform, step: str) -> None:
    target = platform.standby
    handle = await start(platform.client)
    async with asyncio.TaskGroup() as both:
        both.create_task(approve(handle))
        await completed(handle, step)
        await handle.terminate("pulled by a test")
    again = await start(platform.client, reason=f"after a termination behind {step}")
    if step in _UNDONE_FIRST:
        await approve(again)
    facts = await ending(again)
    platform.settle()
    assert facts.outcome is (Outcome.COMPLETED if step in _UNDONE_FIRST else Outcome.RECOVERED)
    assert platform.leader == target
    assert platform.note("unfinished") == ""


_FREEZES = """
import os, signal
from activities.clients.gate import GateClient
from workers.main import main
promote = GateClient.promote
async def frozen(self, *arguments, **more):
    print("freezes inside the promotion", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
    try:
        answer = await promote(self, *arguments, **more)
    except BaseException:
        print("the late promotion was refused", flush=True)
        raise
    print("the late promotion was accepted", flush=True)
    return answer
GateClient.promote = frozen
main()
"""


@pytest.mark.matrix  # the campaign and the tests of the gate send late commands by the hundred
async def test_a_worker_that_was_frozen_inside_the_promotion_changes_nothing_when_it_thaws(platform: Platform) -> None:
    leader, standby = platform.leader, platform.standby
    node = platform.kubectl("get", "pod", standby, "-o", "jsonpath={.spec.nodeName}")
    _only_the_freezing_worker(platform, avoid=node)
    try:
        pod = platform.pods("frozen-worker")[0]
        handle = await start(platform.client)
        await approve(handle, within=60)
        await asyncio.to_thread(wait_until, "frozen", lambda: "freezes" in platform.log(pod), 60)
        platform.break_it("node", node)
        platform.kubectl("scale", "deployment", "failover-worker", "--replicas=2")
        await asyncio.sleep(20)  # the promotion's patience
        start_node(platform.lab, node, platform.binaries)
        facts = await ending(handle, within=300)
        assert facts.outcome is Outcome.ROLLED_BACK
        thawed = kill_processes(platform.lab, platform.binaries, pod, signal.SIGCONT)
        assert thawed > 0
        await asyncio.to_thread(wait_until, "answered", lambda: "the late promotion was" in platform.log(pod), 60)
        assert "accepted" not in platform.log(pod)
        assert platform.leader == leader
        assert not platform.note("intent")
    finally:
        platform.kubectl("delete", "deployment", "frozen-worker", "--wait=false")
        for left in platform.pods("frozen-worker", leaving=True):  # its first process hears no SIGTERM
            kill_processes(platform.lab, platform.binaries, left, signal.SIGKILL)
        wait_until("the frozen worker gone", lambda: not platform.pods("frozen-worker", leaving=True), 60)
        platform.kubectl("scale", "deployment", "failover-worker", "--replicas=2")
        start_node(platform.lab, node, platform.binaries)
        platform.settle(200)


def _only_the_freezing_worker(platform: Platform, avoid: str) -> None:
    """Put a worker that stops itself right before it would ask for the promotion in the place of the others."""
    made = json.loads(platform.kubectl("get", "deployment", "failover-worker", "-o", "json"))
    template = made["spec"]["template"]
    template["metadata"]["labels"] = {"app": "frozen-worker"}
    template["spec"]["containers"][0]["command"] = ["sh", "-c", 'python -c "$FREEZES" & wait']
    template["spec"]["containers"][0]["env"].append({"name": "FREEZES", "value": _FREEZES})
    elsewhere = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "NotIn", "values": [avoid]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [elsewhere]}}
    template["spec"]["affinity"] = {"nodeAffinity": required}
    frozen = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "frozen-worker", "namespace": made["metadata"]["namespace"]},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "frozen-worker"}}, "template": template},
    }
    manifest = Path(platform.lab.home, "frozen-worker.json")
    manifest.write_text(json.dumps(frozen), encoding="utf-8")
    platform.kubectl("apply", "-f", str(manifest))
    platform.kubectl("rollout", "status", "deployment/frozen-worker", "--timeout=60s")
    platform.kubectl("scale", "deployment", "failover-worker", "--replicas=0")
    wait_until("the other workers gone", lambda: not platform.pods("failover-worker", leaving=True), 60)
