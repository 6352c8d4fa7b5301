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
from tests.nodes.proving import exists
from tests.pods.bench import PodBench
from tests.postgres.bench import Handle
from tests.postgres.gone import Gone, take_away
from tests.replay.votes import policies, unapproved

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


async def _nothing_broken(bench: PodBench) -> Handle:
    return await bench.start()


async def _pods_plan(bench: PodBench) -> Handle:
    bench.world.break_pod("api-0", Trouble.CRASHING)
    return await bench.start(run="plan")


async def _pods_cancelled(bench: PodBench) -> Handle:
    bench.world.break_pod("api-0", Trouble.NOT_READY, seconds_ago=0)
    handle = await bench.start()
    await bench.until_phase(handle, "waiting for recovery")
    await handle.cancel()
    return handle


async def _node_plan(bench: NodeBench) -> Handle:
    bench.put_primary()
    return await bench.start(run="plan")


async def _node_unasked(bench: NodeBench) -> Handle:
    return await bench.start()


async def _lonely_pod(bench: NodeBench) -> Handle:
    bench.world.put(bench.node, "by-hand", "", owner="none")
    return await bench.start()


async def _changed_meanwhile(bench: NodeBench) -> Handle:
    handle = await bench.start()
    plan = (await bench.until_phase(handle, "awaiting approval")).plan
    assert plan is not None
    bench.put_primary()
    await handle.execute_update("decide", {"by": "dana", "plan": plan.digest, "approve": True})
    return handle


async def _not_let_on_again(bench: NodeBench) -> Handle:
    bench.faults.order("node.drain", Fault.REFUSED)
    bench.faults.order("node.uncordon", Fault.REFUSED)
    return await bench.start()


async def _not_ready_elsewhere(bench: NodeBench) -> Handle:
    bench.world.ready_within = 60
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
    bench.faults.order("node.drain", Fault.REFUSED)
    return await bench.start()


async def _not_moved(bench: NodeBench) -> Handle:
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


async def _left_the_cluster(bench: NodeBench) -> Handle:
    bench.world.go_dark(bench.node)
    await bench.ending(await bench.start(mode="forced"))
    handle: Handle = bench.client.get_workflow_handle(f"return/node/{bench.node}")
    bench.started.append(handle)
    del bench.world.nodes_by_name[bench.node]
    return handle


async def _no_longer_waited_for(bench: NodeBench) -> Handle:
    bench.world.go_dark(bench.node)
    await bench.ending(await bench.start(mode="forced"))
    handle: Handle = bench.client.get_workflow_handle(f"return/node/{bench.node}")
    bench.started.append(handle)
    while "node.await_return" not in bench.faults.calls:
        await asyncio.sleep(0.05)
    await handle.cancel()
    return handle


async def _forced_plan(bench: NodeBench) -> Handle:
    _with_data(bench)
    return await bench.start(mode="forced", run="plan")


async def _node_alive(bench: NodeBench) -> Handle:
    return await bench.start(mode="forced")


async def _not_replaced(bench: NodeBench) -> Handle:
    _with_data(bench)
    bench.faults.order("node.replace", Fault.REFUSED)
    return await bench.start(mode="forced")


async def _not_replaced_nor_let_on_again(bench: NodeBench) -> Handle:
    bench.faults.order("node.uncordon", Fault.REFUSED)
    return await _not_replaced(bench)


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


async def _word_passed_on(bench: NodeBench) -> Handle:
    bench.lose_primary(Gone.DEAD)
    handle = await bench.start(mode="forced")
    await bench.until_phase(handle, "failing over hosted leaders")
    await exists(bench.of_postgres())
    await bench.until_phase(bench.of_postgres(), "awaiting proof")
    await handle.execute_update("attest", {"by": "dana", "member": bench.node})
    return handle


_MACHINES = {"machines": {"kind": "http", "address": "http://power.example", "may_end": True}}
POD_RUNS: dict[str, Callable[[PodBench], Awaitable[Handle]]] = {
    "pods-replaced": _replaced,
    "pods-mended": _mended,
    "pods-drilled": _drilled,
    "pods-not-the-pods": _not_the_pods,
    "pods-stranded": _stranded,
    "pods-whole": _nothing_broken,
    "pods-plan": _pods_plan,
    "pods-cancelled": _pods_cancelled,
    **unapproved("pods", _replaced),
}
WORKLOADS: dict[str, dict[str, Any]] = {**policies("pods", "failover"), "pods-cancelled": {"patience": "PT30S"}}
"""Run → what else the workload's entry says."""


async def _not_waited_for(bench: NodeBench) -> Handle:
    hanging = bench.faults.order("node.await_replacements", Fault.HANGS)
    handle = await bench.start()
    await hanging.reached.wait()
    await handle.execute_update("skip", {"by": "dana", "reason": "a test", "step": "ready"})
    return handle


NODE_RUNS: dict[str, Callable[[NodeBench], Awaitable[Handle]]] = {
    "node-emptied": _emptied,
    "node-ready-skipped": _not_waited_for,
    "node-insisted": _insisted,
    "node-rolled-back": _let_on_again,
    "node-leader-not-moved": _not_moved,
    "node-cancelled": _cancelled,
    "node-given-up": _given_up,
    "node-word-passed-on": _word_passed_on,
    "node-back": _back,
    "node-proved": _proved,
    "node-proved-by-word": _proved_by_word,
    "node-proof-refused": _proof_refused,
    "node-cancelled-without-proof": _cancelled_without_proof,
    "node-machine-needed": _machine_needed,
    "forced-by-machine": _by_machine,
    "node-left": _left_the_cluster,
    "node-return-cancelled": _no_longer_waited_for,
    "node-plan": _node_plan,
    "node-plan-changed": _changed_meanwhile,
    "node-refused": _lonely_pod,
    "node-rollback-incomplete": _not_let_on_again,
    "node-stranded": _not_ready_elsewhere,
    **unapproved("node", _node_unasked),
    "node-forced-plan": _forced_plan,
    "node-forced-refused": _node_alive,
    "node-forced-rolled-back": _not_replaced,
    "node-forced-rollback-incomplete": _not_replaced_nor_let_on_again,
    "node-forced-stranded": _proved,
}
POOLS: dict[str, dict[str, Any]] = {
    **policies("node", "planned"),
    "node-plan-changed": {"approvals": {"planned": {"roles": ["DBA"], "window": "PT1M"}}},
    "node-forced-stranded": {"word_within": "PT1S"},
    **dict.fromkeys(("node-proved", "node-proved-by-word", "node-proof-refused", "node-cancelled-without-proof"), _MACHINES),
    **{name: {**_MACHINES, "forced": BY_MACHINE} for name in ("node-machine-needed", "forced-by-machine")},
}
"""Run → what else the pool's entry says."""
