"""A run that waits for the approval of another one says whose, for what, and what to type."""

from __future__ import annotations

import asyncio
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from starters.client.following import Watched
from starters.client.targets import Place
from starters.render.waiting import notices
from tests.nodes.bench import NodeBench, serving
from tests.nodes.proving import exists
from tests.postgres.gone import Gone
from tests.starters.conftest import command_for
from tests.starters.recorded import until
from workflows.nodes.models import node_lock_id
from workflows.run.phases import Phase


async def test_a_node_whose_database_waits_for_approval(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path) as bench:
        bench.ask_dbas()
        bench.lose_primary()
        failover = command_for(temporal, bench.queue)
        planned = await failover("plan", "node-failover", bench.node, "--mode", "forced", "--by", "omar")
        started = await failover("start", "node-failover", bench.node, "--mode", "forced", "--by", "omar", "--no-follow")
        bench.started += [bench.client.get_workflow_handle(node_lock_id(bench.node)), bench.of_postgres()]
        digest = await _digest(bench)
        status = await failover("status", bench.node)
        followed = await failover("follow", bench.node, "--timeout", "1s")
        document = (await failover("status", bench.node, "--output", "json")).document

    assert f"(postgres-failover {bench.cluster}): approval of {bench.cluster}: DBA (dana)." in " ".join(planned.out.split())
    assert started.code in {0, 4}, started  # 0: on a busy machine it is said to have begun before anybody is waited for
    for ran in (status, followed):
        assert ran.code == 4, ran
        assert f"waits for postgres-failover {bench.cluster}, which is awaiting approval" in ran.out
        assert "waits for 1 of DBA (dana)" in ran.out
        assert f"failover approve {bench.cluster} --by NAME --plan {digest}\n" in ran.out
    (child,) = document["children"]
    assert (child["workflow_id"], child["digest"]) == (f"postgres/{bench.cluster}", digest)


async def test_one_attestation_of_the_node_is_offered_for_what_led_there(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path) as bench:
        bench.lose_primary(Gone.DEAD)
        failover = command_for(temporal, bench.queue)
        handle = await bench.start(mode="forced")
        await bench.until_phase(handle, "failing over hosted leaders")
        await exists(bench.of_postgres())
        await bench.until_phase(bench.of_postgres(), "awaiting proof")
        status = await failover("status", bench.node)
        word = await failover("attest", bench.node, "--member", bench.node, "--by", "dana")
        end = (await bench.ending(handle))[0]

    assert status.code == 4
    told = " ".join(status.out.split())
    assert f"once for all that led there: failover attest {bench.node} --member {bench.node} --by NAME follow it" in told
    assert (word.code in {0, 4}, end) == (True, "completed"), word


async def _digest(bench: NodeBench) -> str:
    """Return the digest of the database's plan, once it waits for approval."""
    async with asyncio.timeout(60):
        while True:
            try:
                status = await bench.status(bench.of_postgres())
            except RPCError:
                status = None
            if status and status.plan and status.phase is Phase.AWAITING_APPROVAL:
                return status.plan.digest
            await asyncio.sleep(0.1)


def test_without_a_worker_it_says_what_is_known() -> None:
    child = until("switched", "postgres.survey")
    child.workflow_id = "postgres/orders"
    child.phases.append((child.phases[-1][0], Phase.AWAITING_APPROVAL.value))
    parent = Watched(Place("node/node-2"), until("switched", "postgres.survey"))
    parent.children = (Watched(Place("postgres/orders"), child),)

    told = "\n".join(notices(parent))

    assert "waits for postgres-failover orders, which is awaiting approval by DBA (dana); no worker answers" in told
    assert "\n  failover status orders" in told
