"""The edge of Front Door, which follows two clocks.

*Configuration* comes from the control plane: a change is at the edge ``propagation`` seconds after its operation has ended.
One that ends while another is still on its way waits for it and comes after, with all that ended meanwhile; hence the "up to
20 minutes, back to back 40" of Microsoft's FAQ. Nothing that Resource Manager shows tells when it is there.

*Health* comes from the edge's own probes of the origins: of the last ``sampleSize`` answers ``successfulSamplesRequired``
must have been 200. With 4 and 3, an origin that dies gets no more requests after two intervals, and one that comes back gets
them after three. Who wants traffic away from a region in seconds lets its health turn bad; the route comes later.

The first clock is here. The second one, and the requests themselves, belong to a ``Plane``.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from deploy.lab.azure.front_door_state import Snapshot, State
from deploy.lab.azure.operations import Operations


class Plane(Protocol):
    """What takes requests and probes origins, by the configuration that it was given last."""

    def begin(self, operations: Operations) -> None:
        """Begin to probe, at the pace of ``operations``, in the caller's event loop."""

    def deploy(self, snapshot: Snapshot) -> None:
        """Work with this configuration from now on."""

    async def end(self) -> None:
        """Probe no more."""


class Edge:
    """What one place of the edge knows, standing for all of them. ``propagation`` in seconds at Azure."""

    def __init__(self, state: State, plane: Plane, propagation: float) -> None:
        self.propagation = propagation
        self._state, self._plane = state, plane
        self._operations: Operations | None = None
        self._changed = False
        self._spreading: asyncio.Task[None] | None = None

    def start(self, operations: Operations) -> None:
        """Begin. What exists now has long been at the edge."""
        self._operations = operations
        self.know_all()
        self._plane.begin(operations)

    async def stop(self) -> None:
        """End."""
        await self._plane.end()
        if self._spreading:
            self._spreading.cancel()
            await asyncio.gather(self._spreading, return_exceptions=True)

    def know_all(self) -> None:
        """Let everything be at the edge that the control plane knows, without waiting."""
        self._plane.deploy(self._state.snapshot())

    @property
    def is_spreading(self) -> bool:
        """Whether a change is on its way to the edge. Azure tells nobody."""
        return self._spreading is not None and not self._spreading.done()

    def changed(self) -> None:
        """Send what an operation that has ended has changed on its way to the edge."""
        self._changed = True
        if not self.is_spreading:
            self._spreading = asyncio.create_task(self._spread())

    async def _spread(self) -> None:
        while self._changed and self._operations:
            self._changed, snapshot = False, self._state.snapshot()
            await asyncio.sleep(self.propagation * self._operations.pace)
            self._plane.deploy(snapshot)
