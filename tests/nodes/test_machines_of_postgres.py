"""A forced PostgreSQL failover where the machine under the old primary may prove that it is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from activities.nodes.machine_models import MachineState
from activities.nodes.run_models import NodeDetails
from activities.postgres.models.details import PostgresDetails
from activities.run.models.todo import Todo, kinds_of
from estate.base import EstateError
from estate.loader import load_estate
from starters.history.model import facts_of
from starters.history.parse import chronicle_of
from tests.fakes.faults import Fault
from tests.fakes.world import A, B
from tests.nodes.bench import BY_MACHINE, NodeBench, serving
from tests.nodes.proving import ENDS, LOOKS, exists, explained
from tests.postgres.bench import Handle
from workflows.postgres.models import lock_id


@pytest_asyncio.fixture(loop_scope="session")
async def primary(request: pytest.FixtureRequest, temporal: Client, tmp_path: Path) -> AsyncIterator[NodeBench]:
    """Have the PostgreSQL primary on a node that is cut off, with all that runs there."""
    async with serving(temporal, tmp_path, BY_MACHINE, machines=getattr(request, "param", LOOKS)) as one:
        one.lose_primary()
        yield one


async def _begun(bench: NodeBench) -> Handle:
    """Start to fail the database over, and see it wait for proof."""
    request = {"cluster": bench.cluster, "mode": "forced", "run": "real", "by": "omar", "reason": "a test"}
    handle: Handle = await bench.client.start_workflow(
        "postgres-failover", request, id=lock_id(bench.cluster), task_queue=bench.queue
    )
    bench.started.append(handle)
    await bench.until_phase(handle, "awaiting proof")
    return handle


async def _still_waits(bench: NodeBench, handle: Handle) -> None:
    before = bench.machines.asked
    async with asyncio.timeout(20):
        while bench.machines.asked < before + 2:
            await asyncio.sleep(0.05)
    assert (await bench.status(handle)).phase == "awaiting proof"
    assert bench.postgres.record.leader == A


@pytest.mark.parametrize("state", [MachineState.STOPPED, MachineState.DEALLOCATED])
async def test_a_machine_that_does_not_run_is_proof(primary: NodeBench, state: MachineState) -> None:
    handle = await _begun(primary)
    await _still_waits(primary, handle)
    primary.machines.states[primary.node] = state
    assert (await primary.ending(handle))[0] == "completed"
    facts = facts_of(chronicle_of((await handle.fetch_history()).events, handle.id))
    assert primary.postgres.record.leader == B
    details = facts.known.of(PostgresDetails)
    assert details.proof is not None
    assert details.proof.kind == "machine"
    assert details.proof.words == f"{A}: http says that the machine of {primary.node} is {state.value}"
    assert primary.machines.ended == []


@pytest.mark.parametrize("trouble", ["kubelet answers", "silent", "forbidden", "missing"])
async def test_nothing_else_is_proof_until_it_speaks(primary: NodeBench, trouble: str) -> None:
    machines, world = primary.machines, primary.world
    machines.states[primary.node] = MachineState.STOPPED
    machines.silent, machines.forbidden = trouble == "silent", trouble == "forbidden"
    machines.missing = {primary.node} if trouble == "missing" else set()
    if trouble == "kubelet answers":
        world.dark.discard(primary.node)
    handle = await _begun(primary)
    await _still_waits(primary, handle)
    machines.silent = machines.forbidden = False
    machines.missing.clear()
    world.dark.add(primary.node)
    assert (await primary.ending(handle))[0] == "completed"
    assert primary.postgres.record.leader == B


@pytest.mark.parametrize("primary", [ENDS], ids=["ends"], indirect=True)
async def test_a_node_s_own_run_ends_the_machine_and_the_database_takes_that_for_proof(primary: NodeBench) -> None:
    """Nobody says a word: the node's run has the machine ended while the database's waits for proof."""
    end, words = await primary.ending(await primary.start(mode="forced"))
    assert end == "completed", words
    assert primary.machines.ended == [primary.node]
    assert primary.postgres.record.leader == B
    details = primary.report().of(NodeDetails)
    assert details.moved_first == (f"postgres-failover {primary.cluster}",)


async def test_no_machine_is_ended_while_people_decide_about_the_database(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, BY_MACHINE, machines=ENDS) as bench:
        bench.ask_dbas()
        bench.lose_primary()
        handle, child = await bench.start(mode="forced"), bench.of_postgres()
        await bench.until_phase(handle, "failing over hosted leaders")
        await exists(child)
        await bench.until_phase(child, "awaiting approval")
        await asyncio.sleep(1.5)
        assert (bench.machines.ended, bench.machines.asked) == ([], 0)
        plan = (await bench.status(child)).plan
        assert plan is not None
        await child.execute_update("decide", {"by": "dana", "plan": plan.digest, "approve": True})
        end, words = await bench.ending(handle)
        assert (end, bench.machines.ended) == ("completed", [bench.node]), words
        assert bench.postgres.record.leader == B


@pytest.mark.parametrize("primary", [ENDS], ids=["ends"], indirect=True)
async def test_a_database_that_another_run_has_claimed_already_gets_its_proof(primary: NodeBench) -> None:
    """Its watch was quicker: that run waits for proof, and the node's run finds its claim."""
    database = await _begun(primary)
    handle = await primary.start(mode="forced")
    assert (await primary.ending(database))[0] == "completed"
    end, words = await primary.ending(handle)
    assert (end, primary.machines.ended) == ("completed", [primary.node]), words


@pytest.mark.parametrize("primary", [ENDS], ids=["ends"], indirect=True)
async def test_a_refusal_is_shown_and_the_control_plane_asked_again(primary: NodeBench) -> None:
    primary.machines.forbidden = True
    handle = await primary.start(mode="forced")
    await explained(primary, handle, "its machine proves nothing: asked for")
    assert (await primary.status(handle)).phase == "failing over hosted leaders"
    primary.machines.forbidden = False
    end, words = await primary.ending(handle)
    assert (end, primary.machines.ended) == ("completed", [primary.node]), words


@pytest.mark.parametrize("primary", [ENDS], ids=["ends"], indirect=True)
async def test_a_cancel_says_that_the_machine_may_have_been_ended(primary: NodeBench) -> None:
    hanging = primary.faults.order("postgres.promote", Fault.HANGS)
    handle = await primary.start(mode="forced")
    await hanging.reached.wait()
    await handle.cancel()
    async with asyncio.timeout(20):
        while primary.is_cordoned:
            await asyncio.sleep(0.05)
    hanging.released.set()
    assert (await primary.ending(handle))[0] == "cancelled"
    assert Todo.MACHINE in kinds_of(primary.report().left_to_do)


@pytest.mark.parametrize("primary", [ENDS], ids=["ends"], indirect=True)
async def test_a_database_s_own_run_ends_no_machine(primary: NodeBench) -> None:
    handle = await _begun(primary)
    await _still_waits(primary, handle)
    assert primary.machines.ended == []


async def test_machine_among_the_proofs_needs_machines(temporal: Client, tmp_path: Path) -> None:
    with pytest.raises(EstateError, match=r"forced\.proof has machine, but no node_pools entry of eastus has machines"):
        async with serving(temporal, tmp_path, BY_MACHINE) as bench:
            load_estate(bench.estate)
