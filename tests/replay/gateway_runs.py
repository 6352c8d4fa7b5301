"""The runs of ``gateway-failover`` whose histories are kept; the emulated Azure makes them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from deploy.lab.azure.faults import Fault as Azure
from tests.fakes.faults import Fault
from tests.gateways.bench import GatewayBench
from tests.gateways.world import ADDRESSES, DECLARED, B
from tests.postgres.bench import Handle
from tests.replay.votes import policies, unapproved
from tests.run.cancels import cancel

_PUT: dict[str, Any] = {"method": "PUT", "path": "*/applicationGateways/*"}


async def _ill(bench: GatewayBench, *ill: str) -> None:
    for one in ill or (B,):
        bench.world.hosts.status[one] = 503
        await bench.world.until_told(one, "Down")


async def _out(bench: GatewayBench) -> Handle:
    await _ill(bench)
    return await bench.start()


async def _plan(bench: GatewayBench) -> Handle:
    await _ill(bench)
    return await bench.start(run="plan")


async def _mended(bench: GatewayBench) -> Handle:
    bench.world.lay_out(probe={**DECLARED, "path": "/healthz"})
    return await bench.start()


async def _nothing(bench: GatewayBench) -> Handle:
    return await bench.start()


async def _all_ill(bench: GatewayBench) -> Handle:
    await _ill(bench, *ADDRESSES)
    return await bench.start()


def _with(*faults: Azure) -> Callable[[GatewayBench], Awaitable[Handle]]:
    async def run(bench: GatewayBench) -> Handle:
        await _ill(bench)
        for fault in faults:
            bench.world.emulator.faults.order(fault)
        return await bench.start()

    return run


async def _updating(bench: GatewayBench) -> Handle:
    """Have somebody else's change come first, and last for a moment."""
    await _ill(bench)
    held = bench.faults.order("gateway.change", Fault.HANGS)
    handle = await bench.start()
    await held.reached.wait()
    bench.world.gateway.properties["backendAddressPools"][0]["properties"]["backendAddresses"].append({"fqdn": "localhost"})
    bench.world.gateway.state = "Updating"
    bench.faults.release()
    await bench.until_phase(handle, "surveying")
    bench.world.gateway.state = "Succeeded"
    return handle


def _cancelled_in(step: str, fault: Fault) -> Callable[[GatewayBench], Awaitable[Handle]]:
    async def run(bench: GatewayBench) -> Handle:
        await _ill(bench)
        held = bench.faults.order(step, fault)
        handle = await bench.start()
        await held.reached.wait()
        await cancel(handle)
        bench.faults.release()
        return handle

    return run


async def _changed_by_others(bench: GatewayBench) -> Handle:
    bench.world.lay_out(probe={**DECLARED, "path": "/healthz"})
    held = bench.faults.order("gateway.await_change", Fault.OUTLIVES)
    handle = await bench.start()
    await held.reached.wait()
    bench.world.gateway.properties["probes"][0]["properties"]["path"] = "/theirs"
    await cancel(handle)
    bench.faults.release()
    return handle


async def _unproven(bench: GatewayBench) -> Handle:
    await _ill(bench)
    hanging = bench.faults.order("gateway.await_health", Fault.HANGS)
    handle = await bench.start()
    await hanging.reached.wait()
    await handle.execute_update("skip", {"by": "dana", "reason": "a test", "step": "proof"})
    return handle


GATEWAY_RUNS: dict[str, Callable[[GatewayBench], Awaitable[Handle]]] = {
    "gateway-taken-out": _out,
    "gateway-plan": _plan,
    "gateway-probe-mended": _mended,
    "gateway-nothing-to-do": _nothing,
    "gateway-refused-all-ill": _all_ill,
    "gateway-refused-by-azure": _with(Azure(**_PUT, status=403, code="AuthorizationFailed")),
    "gateway-azure-is-busy": _with(Azure(**_PUT, status=429, code="RetryableError")),
    "gateway-changed-meanwhile": _updating,
    "gateway-answer-lost": _with(Azure(**_PUT, drop="after")),
    "gateway-failed-in-azure": _with(Azure(**_PUT, ends="Failed", code="InternalServerError")),
    "gateway-undo-while-busy": _with(
        Azure(**_PUT, ends="Failed", code="InternalServerError"), Azure(**_PUT, nth=2, status=429, code="RetryableError")
    ),
    "gateway-proof-skipped": _unproven,
    "gateway-cancelled": _cancelled_in("gateway.survey", Fault.HANGS),
    "gateway-cancelled-and-put-back": _cancelled_in("gateway.await_health", Fault.OUTLIVES),
    "gateway-undo-incomplete": _changed_by_others,
    **unapproved("gateway-approval", _out),
}
GATEWAYS = policies("gateway-approval", "failover")
