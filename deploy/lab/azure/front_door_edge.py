"""The edge of Front Door, which follows two clocks.

*Configuration* comes from the control plane: a change is at the edge ``propagation`` seconds after its operation has ended.
One that ends while another is still on its way waits for it and comes after, with all that ended meanwhile; hence the "up to
20 minutes, back to back 40" of Microsoft's FAQ. Nothing that Resource Manager shows tells when it is there.

*Health* comes from the edge's own probes of the origins: of the last ``sampleSize`` answers ``successfulSamplesRequired``
must have been 200. With 4 and 3, an origin that dies gets no more requests after two intervals, and one that comes back gets
them after three. Who wants traffic away from a region in seconds lets its health turn bad; the route comes later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from deploy.lab.azure.front_door_state import ENABLED, Path, Snapshot, State, children, key_of_id
from deploy.lab.azure.operations import Operations
from deploy.lab.azure.probing import OK, Check, Probe, Prober

DEFAULT_SAMPLES, DEFAULT_GOOD, DEFAULT_INTERVAL = 4, 3, 240
_ALL = "/*"
_LAST_PRIORITY, _LEAST_WEIGHT, _MOST_WEIGHT = 1, 1, 1000


class Edge:
    """What one place of the edge knows, standing for all of them. ``propagation`` in seconds at Azure."""

    def __init__(self, state: State, probe: Probe, propagation: float) -> None:
        self.propagation = propagation
        self._state = state
        self._deployed: Snapshot = {}
        self._operations: Operations | None = None
        self._prober = Prober(probe, self._checks)
        self._changed = False
        self._spreading: asyncio.Task[None] | None = None
        self._turn = 0

    def start(self, operations: Operations) -> None:
        """Begin to probe. What exists now has long been at the edge."""
        self._operations = operations
        self.know_all()
        self._prober.start(operations)

    async def stop(self) -> None:
        """End."""
        await self._prober.stop()
        if self._spreading:
            self._spreading.cancel()
            await asyncio.gather(self._spreading, return_exceptions=True)

    def know_all(self) -> None:
        """Let everything be at the edge that the control plane knows, without waiting."""
        self._deployed = self._state.snapshot()

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
            self._deployed = snapshot

    def origin_for(self, endpoint: str) -> str | None:
        """Return the host that a request to ``endpoint``, its name or its host name, is sent to now. None: to nobody.

        The lowest priority of the healthy origins wins, then the highest weight, then the name. When no origin is healthy,
        all that are enabled take turns.
        """
        group = self._group_of(endpoint)
        if group is None:
            return None
        enabled = {one: origin for one, origin in self._origins(group) if origin["enabledState"] == ENABLED}
        healthy = [one for one in enabled if self.is_healthy(one)]
        if not enabled:
            return None
        if not healthy:
            self._turn += 1
            return str(enabled[sorted(enabled)[self._turn % len(enabled)]]["hostName"])
        return str(enabled[min(healthy, key=lambda one: (*_rank(enabled[one]), one))]["hostName"])

    def is_healthy(self, origin: Path) -> bool:
        """Whether an origin's last answers were good enough; those of a group without probes always are."""
        check, settings = self._check(origin), self._deployed[origin[:-2]].get("loadBalancingSettings") or {}
        if check is None:
            return True
        samples = settings.get("sampleSize") or DEFAULT_SAMPLES
        return self._prober.seen(check).good_of(samples, OK) >= (settings.get("successfulSamplesRequired") or DEFAULT_GOOD)

    def _group_of(self, endpoint: str) -> Path | None:
        wanted = endpoint.lower()
        for path, found in self._deployed.items():
            if path[-2] == "afdendpoints" and wanted in {path[-1], str(found["hostName"]).lower()}:
                routes = [self._deployed[one] for one in children(self._deployed, path, "routes")]
                takes = [one for one in routes if one["enabledState"] == ENABLED and _ALL in one["patternsToMatch"]]
                return key_of_id(takes[0]["originGroup"]["id"]) if takes and found["enabledState"] == ENABLED else None
        return None

    def _origins(self, group: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        return ((one, self._deployed[one]) for one in children(self._deployed, group, "origins"))

    def _checks(self) -> Iterator[Check]:
        origins = [one for one, found in self._deployed.items() if one[-2] == "origins" and found["enabledState"] == ENABLED]
        return (check for one in origins if (check := self._check(one)))

    def _check(self, origin: Path) -> Check | None:
        settings = self._deployed[origin[:-2]].get("healthProbeSettings")
        if not settings:
            return None
        interval = settings.get("probeIntervalInSeconds") or DEFAULT_INTERVAL
        return Check(self._deployed[origin]["hostName"], settings.get("probePath") or "/", interval)


def _rank(origin: Mapping[str, Any]) -> tuple[int, int]:
    return origin.get("priority") or _LAST_PRIORITY, -(origin.get("weight") or _MOST_WEIGHT)
