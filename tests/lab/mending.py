"""Makes the lab whole after a test that has failed in the middle: one red test must not turn the next ones red."""

from __future__ import annotations

import asyncio

from deploy.lab.breaking import heal
from deploy.lab.names import NODES, LabError
from deploy.lab.switching import ending, plan_of, start
from deploy.lab.watching import stop_watches
from tests.lab.platform import Platform

_TAINT = "node.kubernetes.io/out-of-service"


async def make_whole(platform: Platform) -> None:
    """Return once the platform is whole; mend it when it is not by itself. LabError, TimeoutError: it cannot be mended."""
    try:
        await asyncio.to_thread(platform.settle)
        await platform.until_fit()
    except (LabError, TimeoutError) as error:
        print(f"mends what an earlier test has left: {error}")
        await _mend(platform)
        await asyncio.to_thread(platform.settle, 200)
        await platform.until_fit()


async def _mend(platform: Platform) -> None:
    """End every run, bring everything back and settle what a run has left."""
    await stop_watches(platform.client)
    async for run in platform.client.list_workflows("ExecutionStatus = 'Running'"):
        await platform.client.get_workflow_handle(run.id).terminate("left by an earlier test")
    await asyncio.to_thread(heal, platform.lab, lambda _: None)
    for node in NODES:
        platform.kubectl("uncordon", node)
        platform.kubectl("taint", "node", node, f"{_TAINT}-") if _TAINT in platform.kubectl(
            "get", "node", node, "-o", "json"
        ) else None
    await platform.fresh_pods(fit=False)
    if platform.note("intent") or platform.note("unfinished"):
        await _settle(platform)


async def _settle(platform: Platform) -> None:
    """Start a run, which first undoes or finishes what another one has left; whatever it would do then is called off."""
    handle = await start(platform.client, reason="settles what an earlier test has left")
    try:
        await plan_of(handle, within=60)
        await handle.cancel()
    except LabError:
        pass  # it has ended: there was something to finish
    await ending(handle)
