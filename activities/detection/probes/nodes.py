"""Looks at the nodes of a pool: whether their kubelets answer and renew their leases, and whether their pods answer.

A node counts as silent only when nothing of it answers: a kubelet that is down leaves its pods at work. When more than half
of the pool is silent at once, the network is the likelier culprit, and nothing is said of any of them.
"""

from __future__ import annotations

import asyncio

from activities.clients.cluster_ports import Nodes
from activities.clients.ports import ForbiddenError, MissingError, UnreachableError
from activities.detection.models import Condition, Finding, Look
from activities.nodes.models import NodeFact
from estate.nodes import NodePoolTarget

_WITHIN_SECONDS = 3.0
_LEASE_SECONDS = 25.0
"""A kubelet renews it every 10 s."""
_NO_ANSWER = (UnreachableError, MissingError, ForbiddenError, TimeoutError)


class NodeEye:
    """One witness's eye on one pool."""

    def __init__(self, nodes: Nodes, target: NodePoolTarget) -> None:
        """Look through ``nodes``."""
        self._nodes, self._target = nodes, target

    async def look(self) -> Look:
        """Return which nodes are silent in every respect."""
        region, settings = self._target.region, self._target.settings
        try:
            async with asyncio.timeout(_WITHIN_SECONDS):
                pool = [one for one in await self._nodes.nodes(region) if settings.has(one.labels)]
                found = [one for one in await asyncio.gather(*(self._trouble_of(node) for node in pool)) if one]
        except _NO_ANSWER as error:
            return Look(blind=f"the API server says nothing of the nodes: {str(error) or 'no answer'}")
        if 2 * len(found) > len(pool):
            names = ", ".join(finding.subject for finding in found)
            return Look(blind=f"{len(found)} of {len(pool)} nodes are silent at once ({names}): a fault of the network?")
        return Look(findings=tuple(found))

    async def _trouble_of(self, node: NodeFact) -> Finding | None:
        region = self._target.region
        kubelet = await self._nodes.witness(region, node, ())
        age = kubelet.lease_age_seconds
        if kubelet.port != "silent" or (age is not None and age < _LEASE_SECONDS):
            return None
        seen = await self._nodes.witness(region, node, await self._nodes.pods_on(region, node.name))
        if seen.answering:
            return None
        words = f"its kubelet is silent, its lease is {age or 0:.0f} s old, none of {len(seen.silent)} pods asked answers"
        return Finding(subject=node.name, condition=Condition.SILENT, words=words)
