"""The edge of the emulated Front Door, as customers reach it: one HAProxy for all of Azure's places.

HAProxy decides where a request goes. Health is its own: it asks each origin as its group says, and moves requests to the
next priority itself, whatever the emulator does meanwhile. Configuration comes from the emulator when it has spread, and
reaches HAProxy by its runtime socket, so that no request ends by it. Its answers change from one request to the next, where
Azure's would for minutes come from both regions. A request whose origin does not answer ends with 502, and nothing is sent
twice.

Two things differ from Azure. Its probes look at the last ``sampleSize`` answers, HAProxy counts answers in a row: an origin
that is good and bad in turn stays up here. And customers' own Host header reaches the origin.
"""

from __future__ import annotations

from collections.abc import Mapping

from deploy.lab.azure.front_door import FrontDoor
from deploy.lab.azure.front_door_deployed import Group, Health, Origin, group_of, groups
from deploy.lab.azure.front_door_state import Path, Snapshot
from deploy.lab.azure.operations import Operations
from deploy.lab.haproxy import Haproxy
from deploy.lab.haproxy_layout import NOBODY, Entry, Layout, Pool, Probe, Server
from deploy.lab.ports import free_port

_ENTRY = "edge"
_HEAVIEST, _HEAVIEST_THERE = 1000, 256
_ANSWER_SECONDS = 2.0
"""What a probe of a real origin is given, however fast the emulator goes."""


class PublicEdge:
    """``origins``: host name of an origin → HOST:PORT where it is reached. An origin without one gets no requests."""

    def __init__(self, subscription: str, origins: Mapping[str, str], propagation: float) -> None:
        """Make the Front Door whose edge this is; lay out its profiles, and let the emulator serve it."""
        self._origins = origins
        self.front = FrontDoor(subscription, self, propagation)
        self.url = ""
        self.proxy: Haproxy | None = None
        self._endpoint, self._address = "", ""
        self._operations: Operations | None = None
        self._deployed: Snapshot = {}

    async def start(self, endpoint: str) -> None:
        """Serve the requests to ``endpoint`` on a port of the loopback, after ``stop`` on the same; the emulator runs."""
        self._endpoint, self._address = endpoint, self._address or f"127.0.0.1:{free_port('127.0.0.1')}"
        self.proxy = Haproxy("the edge", self._layout())
        await self.proxy.start()
        self.url = f"http://{self._address}"

    async def stop(self) -> None:
        """End."""
        if self.proxy:
            await self.proxy.stop()

    def begin(self, operations: Operations) -> None:
        """Take the pace of the emulator's time."""
        self._operations = operations

    def deploy(self, snapshot: Snapshot) -> None:
        """Let HAProxy work with this configuration."""
        self._deployed = snapshot
        if self.proxy:
            self.proxy.want(self._layout())

    async def end(self) -> None:
        """Leave HAProxy as it is until ``stop``: the control plane's end is not the edge's."""

    def _layout(self) -> Layout:
        found = groups(self._deployed)
        key = group_of(self._deployed, self._endpoint)
        leads = key is not None and key in found and any(one.host in self._origins for one in found[key].origins.values())
        entry = Entry(self._address, _name(key) if key and leads else NOBODY)
        return Layout({_ENTRY: entry}, {_name(one): self._pool(group) for one, group in found.items()})

    def _pool(self, group: Group) -> Pool:
        servers = {name: self._server(one) for name, one in group.origins.items() if one.host in self._origins}
        return Pool(servers, self._probe(group.health) if group.health else None, turns=True)

    def _server(self, origin: Origin) -> Server:
        weight = max(1, round(origin.weight * _HEAVIEST_THERE / _HEAVIEST))
        return Server(self._origins[origin.host], origin.priority, weight)

    def _probe(self, health: Health) -> Probe:
        """Return what comes nearest: down when too few of the last samples can be good, up when enough are."""
        seconds = health.seconds * (self._operations.pace if self._operations else 1)
        fall = health.samples - health.good + 1
        return Probe(health.path, seconds, _ANSWER_SECONDS, fall, health.good, method=health.method)


def _name(group: Path) -> str:
    """Return an origin group's name at HAProxy, by its profile's and its own."""
    return f"{group[1]}.{group[-1]}"
