"""A forced PostgreSQL failover where the machine under the old primary may prove that it is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from activities.models.machines import MachineState
from estate.loader import EstateError, load_estate
from starters.report.chronicle import chronicle_of
from starters.report.facts import facts_of
from tests.fakes.world import A, B
from tests.nodes.bench import NodeBench, serving
from tests.nodes.proving import ENDS, LOOKS
from tests.workflows.bench import Handle
from tests.workflows.gone import POLICY, Gone, take_away
from workflows.models import lock_id

_MACHINE = {**POLICY, "proof": ["gate", "machine"], "proof_within": "PT20S"}


@pytest_asyncio.fixture(loop_scope="session")
async def primary(request: pytest.FixtureRequest, temporal: Client, tmp_path: Path) -> AsyncIterator[NodeBench]:
    """Have the PostgreSQL primary on a node that is cut off, with all that runs there."""
    async with serving(temporal, tmp_path, _MACHINE, machines=getattr(request, "param", LOOKS)) as one:
        one.put_primary()
        one.world.go_dark(one.node)
        take_away(one.postgres, Gone.CUT_OFF)
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
    assert facts.known.proof is not None
    assert facts.known.proof.kind == "machine"
    assert facts.known.proof.words == f"{A}: http says that the machine of {primary.node} is {state.value}"
    assert primary.machines.ended == []


@pytest.mark.parametrize("trouble", ["kubelet answers", "silent", "forbidden", "missing", "not among the pods"])
async def test_nothing_else_is_proof_until_it_speaks(primary: NodeBench, trouble: str) -> None:
    machines, world = primary.machines, primary.world
    machines.states[primary.node] = MachineState.STOPPED
    machines.silent, machines.forbidden = trouble == "silent", trouble == "forbidden"
    machines.missing = {primary.node} if trouble == "missing" else set()
    where = primary.postgres.node_of
    if trouble == "kubelet answers":
        world.dark.discard(primary.node)
    if trouble == "not among the pods":
        where.pop(A)
    handle = await _begun(primary)
    if trouble == "not among the pods":
        await asyncio.sleep(2.5)
        assert (await primary.status(handle)).phase == "awaiting proof"
        where[A] = primary.node
    else:
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
    assert primary.report().moved_first == (f"postgres-failover {primary.cluster}",)


@pytest.mark.parametrize("primary", [ENDS], ids=["ends"], indirect=True)
async def test_a_database_s_own_run_ends_no_machine(primary: NodeBench) -> None:
    handle = await _begun(primary)
    await _still_waits(primary, handle)
    assert primary.machines.ended == []


async def test_machine_among_the_proofs_needs_machines(temporal: Client, tmp_path: Path) -> None:
    with pytest.raises(EstateError, match=r"forced\.proof has machine, but no node_pools entry of eastus has machines"):
        async with serving(temporal, tmp_path, _MACHINE) as bench:
            load_estate(bench.estate)
