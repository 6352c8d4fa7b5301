"""Starts runs on the lab and agrees to them as an operator and an approver would: for demo, benchmarks and tests."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from activities.run.models.plan import Plan
from activities.run.models.report import Outcome
from deploy.lab.names import Lab, LabError
from deploy.lab.patience import stretched
from deploy.lab.signing import Signers
from starters.history.model import Facts, facts_of
from starters.history.parse import chronicle_of
from workflows.nodes.models import node_lock_id
from workflows.pods.models import pods_lock_id
from workflows.postgres.failover import PostgresFailover
from workflows.postgres.models import lock_id
from workflows.redis.models import redis_lock_id
from workflows.run.models import TASK_QUEUE, TASK_TIMEOUT, Decision, Status, plan_id
from workflows.run.payloads import DATA_CONVERTER

_ANSWER_WITHIN = timedelta(seconds=3)
_PLANNED_WITHIN = 20.0
CLUSTER, REDIS, WORKLOAD = "orders", "mymaster", "api"
OPERATOR, APPROVER = "mona", "dana"
Handle = WorkflowHandle[Any, Any]


async def connect(lab: Lab) -> Client:
    """Return a client of the lab's Temporal, through the portal."""
    return await Client.connect(f"127.0.0.1:{lab.ports['temporal']}", data_converter=DATA_CONVERTER)


async def start(client: Client, **request: str | bool) -> Handle:
    """Start a real planned failover unless ``request`` says otherwise; nothing is approved yet."""
    usual = {"cluster": CLUSTER, "mode": "planned", "run": "real", "by": OPERATOR, "reason": "lab"}
    return await client.start_workflow(
        "postgres-failover", {**usual, **request}, id=lock_id(CLUSTER), task_queue=TASK_QUEUE, task_timeout=TASK_TIMEOUT
    )


async def start_redis(client: Client, **request: str | bool) -> Handle:
    """Start a real planned failover of Redis unless ``request`` says otherwise; the lab asks nobody for approval."""
    usual = {"master": REDIS, "mode": "planned", "run": "real", "by": OPERATOR, "reason": "lab"}
    return await client.start_workflow(
        "redis-failover", {**usual, **request}, id=redis_lock_id(REDIS), task_queue=TASK_QUEUE, task_timeout=TASK_TIMEOUT
    )


async def start_pods(client: Client, **request: str | bool) -> Handle:
    """Start a real run of ``pod-failover`` on the sample API unless ``request`` says otherwise."""
    usual = {"workload": WORKLOAD, "run": "real", "by": OPERATOR, "reason": "lab"}
    asked, lock = {**usual, **request}, pods_lock_id(WORKLOAD)
    id_ = plan_id(lock) if asked["run"] == "plan" else lock
    return await client.start_workflow("pod-failover", asked, id=id_, task_queue=TASK_QUEUE, task_timeout=TASK_TIMEOUT)


async def start_node(client: Client, node: str, **request: str | bool) -> Handle:
    """Start to empty ``node`` for real."""
    asked = {"node": node, "run": "real", "by": OPERATOR, "reason": "lab", **request}
    lock = node_lock_id(node)
    return await client.start_workflow("node-failover", asked, id=lock, task_queue=TASK_QUEUE, task_timeout=TASK_TIMEOUT)


async def approve(handle: Handle, *, within: float = 30, attest: bool = False, signers: Signers | None = None) -> Status:
    """Approve the plan once it waits, and ``attest`` that the old primary is stopped; return the status after it.

    ``signers``: sign it with a key of theirs.

    Raises:
        LabError: the run ended before; carries its own words.
    """
    return await agree(handle, await plan_of(handle, within=within), attest=attest, signers=signers)


async def agree(handle: Handle, plan: Plan, *, attest: bool = False, signers: Signers | None = None) -> Status:
    """Approve ``plan``, signed if there are ``signers``; return the status after it."""
    decision = Decision(by=APPROVER, plan=plan.digest, approve=True, attest=attest)
    if signers is not None:
        now = await status_of(handle)
        if now is None or now.approval is None:
            raise LabError("the run does not say what it waits for")
        decision = signers.sign(decision, now.approval, handle.id)
    status: Status = await handle.execute_update("decide", decision, result_type=Status)
    return status


async def plan_of(handle: Handle, *, within: float = 30) -> Plan:
    """Return the plan once it waits for approval.

    Raises:
        LabError: the run ended before; carries its own words.
    """
    async with asyncio.timeout(stretched(within)):
        while True:
            status = await status_of(handle)
            if status is not None and status.outcome is not None:
                raise LabError(f"the run ended before it could be approved: {status.explanation}")
            if status is not None and status.plan is not None and status.approval is not None:
                return status.plan
            await asyncio.sleep(0.05)


async def status_of(handle: Handle) -> Status | None:
    """Return the run's status; ``None`` while no worker answers."""
    try:
        return await handle.query(PostgresFailover.status, rpc_timeout=_ANSWER_WITHIN)
    except RPCError:
        return None


async def facts(handle: Handle) -> Facts:
    """Return everything that the run's history says."""
    history = await handle.fetch_history()
    return facts_of(chronicle_of(history.events, handle.id))


async def switch(client: Client, **request: str | bool) -> Facts:
    """Move writes to the other member and return the report; the run may end in any way."""
    handle = await start(client, **request)
    await approve(handle)
    return await ending(handle)


async def is_fit(client: Client) -> bool:
    """Whether a plan is made and not refused. What a cluster says of itself can be a moment old."""
    handle: Handle = await client.start_workflow(
        "postgres-failover",
        {"cluster": CLUSTER, "mode": "planned"},
        id=plan_id(lock_id(CLUSTER)),
        task_queue=TASK_QUEUE,
        task_timeout=TASK_TIMEOUT,
        id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
    )
    try:
        return (await ending(handle, within=_PLANNED_WITHIN)).outcome is Outcome.DRY_RUN
    except TimeoutError:
        return False


async def ending(handle: Handle, *, within: float = 180) -> Facts:
    """Wait until the run is closed and return the report."""
    async with asyncio.timeout(stretched(within)):
        with contextlib.suppress(WorkflowFailureError):
            await handle.result()
    return await facts(handle)
