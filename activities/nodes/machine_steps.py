"""The step of ``node-failover`` that has a silent node's machine prove that it is stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from temporalio import activity

from activities.clients.ports import ForbiddenError, UnreachableError
from activities.nodes.machine_fencing import LOOK_SECONDS, MachineWords
from activities.nodes.machine_models import MachineState, NodeProof, StoppedRequest
from activities.nodes.models import NodeWitness
from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.heartbeat import keep_details
from activities.run.polling import sleep
from activities.run.postures import WAIT
from estate.nodes import MachineKind

if TYPE_CHECKING:
    from activities.clients.cluster_ports import Machines, Nodes

_LEASE = timedelta(seconds=15)
"""A kubelet renews its lease every ten seconds."""
_WATCHED = timedelta(seconds=12)
"""An API server that was away itself finds every lease old; those of nodes that live are renewed within this time."""
_SAME_RENEWAL = timedelta(seconds=2)
_ENDABLE = {MachineState.RUNNING, MachineState.UNKNOWN}


@dataclass
class _Silence:
    """What has been seen of a node's lease since somebody has begun to look."""

    since: datetime | None = None
    renewed: datetime | None = None

    def lasts(self, seen: NodeWitness, watched: timedelta) -> bool:
        """Whether nobody has renewed the lease for long enough, as far as it can be known."""
        now = datetime.now(UTC)
        if seen.lease_age_seconds is None:
            return False
        self.since = self.since or now
        self.renewed = self.renewed or now - timedelta(seconds=seen.lease_age_seconds)
        return now - self.renewed >= _LEASE and now - self.since >= watched

    def is_broken(self, seen: NodeWitness) -> bool:
        """Whether its kubelet answers, or has renewed the lease meanwhile."""
        if seen.port == "answers":
            return True
        if self.renewed is None or seen.lease_age_seconds is None:
            return False
        return datetime.now(UTC) - timedelta(seconds=seen.lease_age_seconds) > self.renewed + _SAME_RENEWAL


class MachineActivities:
    """Asks the control planes of machines."""

    def __init__(self, nodes: Nodes, machines: Mapping[MachineKind, Machines], watched: timedelta = _WATCHED) -> None:
        """Ask ``machines`` of the pool's kind; end nothing that ``nodes`` has not found silent for ``watched``."""
        self._words, self._watched = MachineWords(nodes, machines), watched

    @step(
        "machine.stop_and_confirm",
        WAIT,
        lambda request: f"the machine of {request.target.name} does not run",
        formerly="node.stopped",
    )
    async def stop_and_confirm(self, request: StoppedRequest) -> NodeProof:
        """Return once the machine's own control plane says that it does not run; look every second.

        With ``end``, and where the estate lets a run do so, its end is asked for once, after its node has been silent for
        a while. A control plane that does not answer is asked again.

        Raises:
            ApplicationError: ``NodeAlive`` when the node answers again; ``Unreachable`` when we may not ask;
                ``BadInput`` when its control plane knows no such machine.

        """
        silence, asked = _Silence(), bool(activity.info().heartbeat_details)
        while True:
            try:
                words, state = await self._words.of(request.target, request.provider_id)
                if words:
                    end = ", as this run has asked for" if asked else ""
                    return NodeProof(words=f"{words}{end}", at=datetime.now(UTC))
                if not asked and state in _ENDABLE and await self._may_end(request, silence):
                    await self._words.control_plane(request.target).end(request.target, request.provider_id)
                    asked = True
                    keep_details("asked")
            except UnreachableError as error:
                activity.logger.info("No answer: %s", error)
                silence = _Silence()
            except ForbiddenError as error:
                raise refuse(Refusal.UNREACHABLE, str(error)) from error
            await sleep(LOOK_SECONDS)

    async def _may_end(self, request: StoppedRequest, silence: _Silence) -> bool:
        """Whether the machine is to be ended now: its node is silent, and the estate lets a run do so."""
        target, settings = request.target, request.target.settings.machines
        if not request.end or settings is None or not settings.may_end:
            return False
        seen = await self._words.witness(target)
        if seen is None:
            return False
        if not await self._words.is_its_machine(target, request.provider_id):
            raise refuse(Refusal.BAD_INPUT, f"provider_id: {request.provider_id} is not the machine of {target.name}")
        if silence.is_broken(seen):
            raise refuse(Refusal.NODE_ALIVE, f"{target.name} answers again: its machine is not ended")
        return silence.lasts(seen, self._watched)
