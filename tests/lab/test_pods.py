"""Pods of the sample API on the real cluster: ended, hung, and never to come back; each is told by its evidence."""

from __future__ import annotations

import asyncio
import json
import subprocess

import pytest
from temporalio.client import WorkflowHandle

from activities.pods.models import PodDetails
from activities.run.models.report import Outcome
from deploy.lab.controlplane import kubectl_command
from deploy.lab.patience import stretched
from deploy.lab.switching import ending, start_pods
from starters.history.model import Facts
from tests.lab.platform import Platform

pytestmark = pytest.mark.lab
_OBJECTIVE_SECONDS = 30


def _whole(platform: Platform) -> list[str]:
    platform.kubectl("rollout", "status", "deployment/api-deployment", "--timeout=120s")
    return platform.pods("api")


async def _done(handle: WorkflowHandle[object, object]) -> Facts:
    facts = await ending(handle)
    assert facts.outcome is Outcome.COMPLETED, facts.reason
    assert facts.verdict.met, facts.verdict.sentences
    details = facts.known.of(PodDetails)
    assert details.recovery_seconds is not None
    print(*facts.verdict.sentences, facts.known.measurement, sep="\n")
    return facts


async def test_a_drill_ends_a_process_and_times_its_return(platform: Platform) -> None:
    before = _whole(platform)
    facts = await _done(await start_pods(platform.client, run="drill"))
    details = facts.known.of(PodDetails)
    assert details.struck is not None
    assert details.struck.how == "kill 1"
    assert details.replaced is None
    assert platform.pods("api") == before
    restarts = platform.kubectl(
        "get", "pod", details.struck.pod, "-o", "jsonpath={.status.containerStatuses[0].restartCount}"
    )
    assert int(restarts) > 0
    assert details.recovery_seconds is not None
    assert details.recovery_seconds < _OBJECTIVE_SECONDS


async def test_a_hung_pod_is_replaced_within_the_objective(platform: Platform) -> None:
    hung = _whole(platform)[0]
    platform.freeze(hung)
    try:
        while json.loads(platform.kubectl("get", "pod", hung, "-o", "json"))["status"]["containerStatuses"][0]["ready"]:
            await asyncio.sleep(0.5)
        facts = await _done(await start_pods(platform.client))
    finally:
        if hung in platform.pods("api"):
            platform.thaw(hung)
    details = facts.known.of(PodDetails)
    assert details.replaced is not None
    assert details.replaced.pods == (hung,)
    assert details.survey is not None
    (broken,) = details.survey.broken
    assert broken.trouble == "not ready"
    assert any("Unhealthy" in line for line in broken.events)


async def test_a_plan_says_why_a_pod_cannot_start_and_lets_it_be(platform: Platform) -> None:
    _whole(platform)
    image = {"spec": {"template": {"spec": {"containers": [{"name": "api", "image": "failover.lab/nowhere:1"}]}}}}
    platform.kubectl("patch", "deployment", "api-deployment", "-p", json.dumps(image))
    try:
        async with asyncio.timeout(stretched(60)):
            while True:
                facts = await ending(await start_pods(platform.client, run="plan"))
                details = facts.known.of(PodDetails)
                assert details.survey is not None
                if any(pod.trouble == "cannot start" for pod in details.survey.broken):
                    break
                await asyncio.sleep(1)
        assert facts.outcome is Outcome.DRY_RUN, facts.reason
        (broken,) = details.survey.broken
        assert "nowhere" in broken.words
        assert details.replaced is None
    finally:
        platform.kubectl("rollout", "undo", "deployment/api-deployment")
        _whole(platform)


async def test_a_worker_may_delete_no_pod_that_keeps_data(platform: Platform) -> None:
    namespace = "aiagent-prod"
    arguments = (
        "-n",
        namespace,
        "delete",
        "pod",
        platform.leader,
        f"--as=system:serviceaccount:{namespace}:failover-worker",
    )
    command = kubectl_command(platform.lab, platform.binaries, *arguments)
    refused = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "pods of Deployments only" in refused.stderr
