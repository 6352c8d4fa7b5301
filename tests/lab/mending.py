"""Makes the lab whole after a test that has failed in the middle: one red test must not turn the next ones red."""

from __future__ import annotations

import asyncio

from deploy.lab.breaking import heal, let_go_on
from deploy.lab.controlplane import start_control_plane
from deploy.lab.names import NODES, LabError
from deploy.lab.node import start_node
from deploy.lab.switching import ending, plan_of, start
from deploy.lab.temporal import start_temporal
from deploy.lab.watching import stop_watches
from tests.lab.platform import Platform

_TAINT = "node.kubernetes.io/out-of-service"


async def make_whole(platform: Platform) -> None:
    """Return once the platform is whole; mend it when it is not by itself. LabError, TimeoutError: it cannot be mended."""
    if platform.left_whole:
        try:
            await asyncio.to_thread(platform.settle)
            await platform.until_fit()
        except (LabError, TimeoutError) as error:
            print(f"mends the platform: {error}")
        else:
            return
    await _mend(platform)
    platform.left_whole = True
    await asyncio.to_thread(platform.settle, 200)
    await platform.until_fit()


async def _mend(platform: Platform) -> None:
    """End every run, bring everything back and settle what a run has left."""
    await stop_watches(platform.client)
    async for run in platform.client.list_workflows("ExecutionStatus = 'Running'"):
        await platform.client.get_workflow_handle(run.id).terminate("left by an earlier test")
    await asyncio.to_thread(_bring_nodes_back, platform)
    if platform.note("intent") or platform.note("unfinished"):
        await _settle(platform)
    await platform.fresh_pods(fit=False)
    await asyncio.to_thread(heal, platform.lab, lambda _: None)


def _bring_nodes_back(platform: Platform) -> None:
    start_control_plane(platform.lab, platform.binaries)
    start_temporal(platform.lab)
    let_go_on(platform.lab)
    for node in NODES:
        start_node(platform.lab, node, platform.binaries)
        platform.kubectl("uncordon", node)
        if _TAINT in platform.kubectl("get", "node", node, "-o", "json"):
            platform.kubectl("taint", "node", node, f"{_TAINT}-")


async def _settle(platform: Platform) -> None:
    """Start a run, which first undoes or finishes what another one has left; whatever it would do then is called off."""
    handle = await start(platform.client, reason="settles what an earlier test has left")
    try:
        await plan_of(handle, within=60)
        await handle.cancel()
    except LabError:
        pass  # it has ended: there was something to finish
    await ending(handle)
