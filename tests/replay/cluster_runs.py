"""The runs of ``pod-failover`` and ``node-failover`` whose histories are kept; they are recorded in front of the fakes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError

from activities.nodes.machine_models import MachineState
from activities.pods.models import Trouble
from tests.fakes.faults import Fault
from tests.nodes.bench import BY_MACHINE, NodeBench
from tests.pods.bench import PodBench
from tests.postgres.bench import Handle
from tests.postgres.gone import Gone, take_away

_BUDGET = "The disruption budget api needs 1 healthy pods and has 1 currently"


async def _replaced(bench: PodBench) -> Handle:
    bench.world.break_pod("api-0", Trouble.CRASHING)
    return await bench.start()


async def _mended(bench: PodBench) -> Handle:
    bench.world.break_pod("api-0", Trouble.STARTING, seconds_ago=0.2, mended_in=0.7)
    return await bench.start()


async def _drilled(bench: PodBench) -> Handle:
    return await bench.start(run="drill")


async def _not_the_pods(bench: PodBench) -> Handle:
    for name in bench.world.names:
        bench.world.break_pod(name, Trouble.NOT_READY, seconds_ago=0)
    return await bench.start()


async def _stranded(bench: PodBench) -> Handle:
    bench.world.break_pod("api-0", Trouble.UNSCHEDULED)
    return await bench.start()


async def _emptied(bench: NodeBench) -> Handle:
    bench.put_primary()
    return await bench.start(uncordon=True)


async def _insisted(bench: NodeBench) -> Handle:
    bench.world.budgets["api-a-1"] = _BUDGET
    handle = await bench.start()
    await bench.until_phase(handle, "blocked by a disruption budget")
    await handle.execute_update("insist", {"by": "dana", "node": bench.node})
    return handle


async def _let_on_again(bench: NodeBench) -> Handle:
    bench.put_primary()
    bench.faults.order("postgres.fence", Fault.REFUSED)
    return await bench.start()


async def _cancelled(bench: NodeBench) -> Handle:
    bench.world.budgets["api-a-1"] = _BUDGET
    handle = await bench.start()
    await bench.until_phase(handle, "blocked by a disruption budget")
    await handle.cancel()
    return handle


async def _given_up(bench: NodeBench) -> Handle:
    old = bench.put_primary()
    bench.world.go_dark(bench.node)
    take_away(bench.postgres, Gone.DEAD)
    handle = await bench.start(mode="forced")
    attested = asyncio.create_task(_attest(bench, old))
    await bench.until_phase(handle, "awaiting proof")
    await attested
    await handle.execute_update("attest", {"by": "dana", "member": bench.node})
    return handle


async def _attest(bench: NodeBench, member: str) -> None:
    """Say in the database's own run that its old primary is stopped, as soon as that waits for it."""
    while True:
        try:
            await bench.of_postgres().execute_update("attest", {"by": "dana", "member": member})
        except (RPCError, WorkflowUpdateFailedError):
            await asyncio.sleep(0.1)
        else:
            return


async def _back(bench: NodeBench) -> Handle:
    bench.world.go_dark(bench.node)
    await bench.ending(await bench.start(mode="forced"))
    bench.world.come_back(bench.node)
    handle: Handle = bench.client.get_workflow_handle(f"return/node/{bench.node}")
    bench.started.append(handle)
    return handle


def _with_data(bench: NodeBench) -> None:
    bench.world.put(bench.node, "redis-0", "StatefulSet", owner="redis")
    bench.world.go_dark(bench.node)


async def _proved(bench: NodeBench) -> Handle:
    _with_data(bench)
    return await bench.start(mode="forced")


async def _proved_by_word(bench: NodeBench) -> Handle:
    _with_data(bench)
    bench.machines.keeps = MachineState.CHANGING
    handle = await bench.start(mode="forced")
    await bench.until_phase(handle, "awaiting proof")
    await asyncio.sleep(1)
    await handle.execute_update("attest", {"by": "dana", "member": bench.node})
    return handle


async def _proof_refused(bench: NodeBench) -> Handle:
    _with_data(bench)
    bench.machines.forbidden = True
    handle = await bench.start(mode="forced")
    while "its machine proves nothing" not in (await bench.status(handle)).explanation:
        await asyncio.sleep(0.05)
    await handle.execute_update("attest", {"by": "dana", "member": bench.node})
    return handle


async def _cancelled_without_proof(bench: NodeBench) -> Handle:
    _with_data(bench)
    bench.machines.keeps = MachineState.CHANGING
    handle = await bench.start(mode="forced")
    await bench.until_phase(handle, "awaiting proof")
    await handle.cancel()
    return handle


async def _machine_needed(bench: NodeBench) -> Handle:
    bench.lose_primary()
    return await bench.start(mode="forced")


async def _by_machine(bench: NodeBench) -> Handle:
    await bench.ending(await _machine_needed(bench))
    return bench.of_postgres()


_MACHINES = {"machines": {"kind": "http", "address": "http://power.example", "may_end": True}}
POD_RUNS: dict[str, Callable[[PodBench], Awaitable[Handle]]] = {
    "pods-replaced": _replaced,
    "pods-mended": _mended,
    "pods-drilled": _drilled,
    "pods-not-the-pods": _not_the_pods,
    "pods-stranded": _stranded,
}
NODE_RUNS: dict[str, Callable[[NodeBench], Awaitable[Handle]]] = {
    "node-emptied": _emptied,
    "node-insisted": _insisted,
    "node-rolled-back": _let_on_again,
    "node-cancelled": _cancelled,
    "node-given-up": _given_up,
    "node-back": _back,
    "node-proved": _proved,
    "node-proved-by-word": _proved_by_word,
    "node-proof-refused": _proof_refused,
    "node-cancelled-without-proof": _cancelled_without_proof,
    "node-machine-needed": _machine_needed,
    "forced-by-machine": _by_machine,
}
POOLS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("node-proved", "node-proved-by-word", "node-proof-refused", "node-cancelled-without-proof"), _MACHINES),
    **{name: {**_MACHINES, "forced": BY_MACHINE} for name in ("node-machine-needed", "forced-by-machine")},
}
"""Run → what else the pool's entry says."""
