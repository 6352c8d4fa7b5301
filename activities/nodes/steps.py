"""Keeps new pods away from a node, evicts what is there as its disruption budgets allow, or gives it up and takes it back.

Every step looks first. A pod is evicted by its UID, so that the new one of the same name, on another node, is never meant.
A run that ended in between leaves a node that is cordoned and half empty, which does no harm: the next one goes on there.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from temporalio import activity

from activities.clients.ports import UnreachableError
from activities.nodes.models import (
    Blocked,
    Cordoned,
    CordonRequest,
    Drained,
    DrainRequest,
    NodeFact,
    NodePod,
    NodeSettled,
    PodsReplaced,
    ReplacePodsRequest,
    Returned,
    SettledRequest,
)
from activities.nodes.survey import granted, leads_unlisted
from activities.run.declare import step
from activities.run.errors import Refusal, refuse, retry_in
from activities.run.heartbeat import keep_details
from activities.run.polling import sleep, until
from activities.run.postures import CHANGE, COMPENSATE, ENDLESS, FORWARD
from estate.nodes import NodeTarget

if TYPE_CHECKING:
    from activities.clients.cluster_ports import Nodes

_LOOK_SECONDS, _EVICT_AGAIN_SECONDS = 0.3, 1.0
_AT_ONCE = timedelta(milliseconds=50)
_WELL_SECONDS = 5.0
"""A node must have answered for itself for so long before it takes pods again."""
_LEASE_SECONDS = 15.0
"""A kubelet renews its lease every ten seconds."""


class NodeActivities:
    """The changing half of ``node-failover``, and what waits for a change."""

    def __init__(self, nodes: Nodes) -> None:
        """Act through ``nodes``."""
        self._nodes = nodes

    @step("node.cordon", CHANGE, lambda request: f"cordon {request.target.name}")
    async def cordon(self, request: CordonRequest) -> Cordoned:
        """Keep new pods away from the node. Repeating it changes nothing more."""
        target = request.target
        node = await self._node(target)
        ours = bool(node.cordoned_for)
        if not node.cordoned or ours:
            await granted(self._nodes.cordon(target.region, target.name, str(request.run)))
        return Cordoned(at=datetime.now(UTC), before=node.cordoned and not ours)

    @step("node.uncordon", COMPENSATE, lambda request: f"uncordon {request.target.name}")
    async def uncordon(self, request: CordonRequest) -> Cordoned:
        """Let new pods on again, unless somebody else than a run keeps them away. Repeating it changes nothing more."""
        target = request.target
        node = await self._node(target)
        if node.cordoned and not node.cordoned_for:
            return Cordoned(at=datetime.now(UTC), before=True)
        await granted(self._nodes.uncordon(target.region, target.name))
        return Cordoned(at=datetime.now(UTC))

    async def _node(self, target: NodeTarget) -> NodeFact:
        nodes = await granted(self._nodes.nodes(target.region))
        for node in nodes:
            if node.name == target.name:
                return node
        raise refuse(Refusal.BAD_INPUT, f"node: {target.name} is gone from the cluster")

    @step("node.drain", FORWARD, lambda request: f"evict what is on {request.target.name}")
    async def drain(self, request: DrainRequest) -> Drained:
        """Evict what is on the node; return when nothing is left, or when budgets have refused for ``blocked_after``.

        A pod that leads a database which nobody here moves first is not evicted without ``insisted_by``, either.

        Repeating it goes on where the last attempt was, and names what that one has evicted, too. It may evict the worker
        that it runs on, and is handed on at once then, since that worker's pod would wait for this step and this step for
        that pod. With ``insisted_by`` what a budget refuses is deleted instead.
        """
        target, before = request.target, activity.info().heartbeat_details
        seen = {*request.found, *(before[0] if before else ())}
        patience, since = target.settings.blocked_after.total_seconds(), time.monotonic()
        while True:
            if activity.is_worker_shutdown():
                raise retry_in(_AT_ONCE, "handed on: its own worker was asked to end")
            pods = await granted(self._nodes.pods_on(target.region, target.name))
            staying = [pod for pod in pods if not pod.stays]
            seen |= {pod.path for pod in staying}
            keep_details(sorted(seen))
            if not staying:
                return Drained(gone=tuple(sorted(seen)), at=datetime.now(UTC))
            waiting = [pod for pod in staying if not pod.leaving]
            blocked = [found for pod in waiting if (found := await self._evict(request, pod)) is not None]
            if len(blocked) < len(staying):
                since = time.monotonic()  # something is still going
            if time.monotonic() - since > patience:
                gone = seen - {one.pod for one in blocked}
                return Drained(gone=tuple(sorted(gone)), blocked=tuple(blocked), at=datetime.now(UTC))
            await sleep(_EVICT_AGAIN_SECONDS if waiting else _LOOK_SECONDS)

    async def _evict(self, request: DrainRequest, pod: NodePod) -> Blocked | None:
        """Evict one pod; return what its budget says, ``None`` when it goes."""
        region = request.target.region
        if (label := leads_unlisted(request.target, pod)) and not request.insisted_by:
            words = f"it leads a database that the estate does not list ({label}): move that first, by its own means"
            return Blocked(pod=pod.path, words=words)
        words = await granted(self._nodes.evict(region, pod))
        if words and request.insisted_by:
            await granted(self._nodes.delete(region, pod))
            return None
        return Blocked(pod=pod.path, words=words) if words else None

    @step("node.replace", FORWARD, lambda request: f"remove {len(request.pods)} pods of {request.target.name}")
    async def replace(self, request: ReplacePodsRequest) -> PodsReplaced:
        """Remove those of the pods that are on the node, without waiting for its kubelet; gone ones stay gone."""
        target, asked = request.target, {(pod.path, pod.uid) for pod in request.pods}
        for pod in await granted(self._nodes.pods_on(target.region, target.name)):
            if (pod.path, pod.uid) in asked:
                await granted(self._nodes.delete(target.region, pod, at_once=True))
        return PodsReplaced(pods=tuple(pod.path for pod in request.pods), at=datetime.now(UTC))

    @step("node.give_up", FORWARD, lambda request: f"taint {request.target.name} as out of service")
    async def give_up(self, request: CordonRequest) -> Cordoned:
        """Taint the node as out of service, so that its volumes may be used elsewhere. Only after proof."""
        await granted(self._nodes.give_up(request.target.region, request.target.name))
        return Cordoned(at=datetime.now(UTC))

    @step("node.await_return", ENDLESS, lambda request: f"{request.target.name} is healthy again", formerly="node.returned")
    async def await_return(self, request: CordonRequest) -> Returned:
        """Wait until a node that was given up has been Ready for a while, or has left the cluster; then take it back.

        Its taint is removed and pods are let on again, unless a person has cordoned it meanwhile.
        """
        target, well_since = request.target, None
        while True:
            nodes = await granted(self._nodes.nodes(target.region))
            node = next((one for one in nodes if one.name == target.name), None)
            if node is None:
                return Returned(at=datetime.now(UTC), gone=True)
            well_since = (well_since or time.monotonic()) if await self._is_well(target, node) else None
            if well_since is not None and time.monotonic() - well_since >= _WELL_SECONDS:
                break
            await sleep(_EVICT_AGAIN_SECONDS)
        await granted(self._nodes.take_back(target.region, target.name))
        await self.uncordon(request)
        return Returned(at=datetime.now(UTC))

    async def _is_well(self, target: NodeTarget, node: NodeFact) -> bool:
        """Whether a node answers for itself: its condition is a memory for as long as nobody has missed its kubelet."""
        if node.ready != "True":
            return False
        seen = await self._nodes.witness(target.region, node, ())
        return seen.vouches(_LEASE_SECONDS)

    @step(
        "node.await_replacements",
        FORWARD,
        lambda request: f"everything of {request.target.name} is ready elsewhere",
        formerly="node.settled",
    )
    async def await_replacements(self, request: SettledRequest) -> NodeSettled:
        """Return once the controllers of the pods have as many ready pods as they want, or when time is up."""

        async def so_far() -> NodeSettled | None:
            unready, now = await self._nodes.unready(request.target.region, request.pods), datetime.now(UTC)
            waits = unready and now < request.until
            return None if waits else NodeSettled(whole=not unready, at=now, unready=unready)

        return await until(so_far, every=_LOOK_SECONDS, bears=(UnreachableError,))
