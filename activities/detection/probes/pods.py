"""Looks at a workload's pods, and whether its Service answers.

A pod that is only starting is no trouble: a rollout makes such pods all the time.
"""

from __future__ import annotations

import asyncio

from activities.clients.cluster_ports import Workloads
from activities.clients.ports import ForbiddenError, MissingError, UnreachableError, WriteFailedError
from activities.detection.models import Condition, Finding, Look
from activities.pods.models import Trouble
from estate.workloads import WorkloadTarget

_WITHIN_SECONDS = 2.5
_NO_TROUBLE = {Trouble.NONE, Trouble.STARTING, Trouble.OVER, Trouble.UNSCHEDULED}
"""What a new pod would not mend, or mends itself."""


class PodEye:
    """One witness's eye on one workload."""

    def __init__(self, workloads: Workloads, target: WorkloadTarget) -> None:
        """Look through ``workloads``."""
        self._workloads, self._target = workloads, target

    async def look(self) -> Look:
        """Return whether pods are broken or the Service does not answer."""
        try:
            async with asyncio.timeout(_WITHIN_SECONDS):
                (_, pods), answer = await asyncio.gather(self._workloads.pods(self._target), self._answer())
        except (UnreachableError, MissingError, ForbiddenError, TimeoutError) as error:
            return Look(blind=f"the API server says nothing of these pods: {str(error) or 'no answer'}")
        broken = [f"{pod.name}: {pod.trouble.value}" for pod in pods if pod.trouble not in _NO_TROUBLE]
        words = "; ".join([*broken, *([answer] if answer else [])])
        if not words:
            return Look()
        condition = Condition.STOPPED if broken else Condition.SILENT
        return Look(findings=(Finding(subject=self._target.name, condition=condition, words=words),))

    async def _answer(self) -> str:
        try:
            await self._workloads.ask(self._target)
        except (WriteFailedError, UnreachableError) as error:
            return f"its Service: {error}"
        return ""
