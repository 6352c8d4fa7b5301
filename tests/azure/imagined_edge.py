"""The edge without a proxy: says which host a request would be sent to. ``tests/proxy`` compares it with HAProxy."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.lab.azure.front_door_deployed import Group, Origin, group_of, groups
from deploy.lab.azure.front_door_state import Path, Snapshot
from deploy.lab.azure.operations import Operations
from deploy.lab.azure.probing import OK, Check, Probe, Prober


class ImaginedEdge:
    """A plane. ``probe`` answers for the origins."""

    def __init__(self, probe: Probe) -> None:
        self._deployed: Snapshot = {}
        self._groups: dict[Path, Group] = {}
        self._turn = 0
        self.prober = Prober(probe, self._checks)

    def begin(self, operations: Operations) -> None:
        self.prober.start(operations)

    def deploy(self, snapshot: Snapshot) -> None:
        self._deployed, self._groups = snapshot, groups(snapshot)

    async def end(self) -> None:
        await self.prober.stop()

    def origin_for(self, endpoint: str) -> str | None:
        """Return the host that a request to ``endpoint``, its name or its host name, is sent to now. None: to nobody.

        The lowest priority of the healthy origins wins, then the highest weight, then the name. When no origin is healthy,
        all that are enabled take turns.
        """
        key = group_of(self._deployed, endpoint)
        group = self._groups.get(key) if key else None
        if group is None or not group.origins:
            return None
        healthy = [name for name, one in group.origins.items() if self._is_healthy(group, one)]
        if not healthy:
            self._turn += 1
            return group.origins[sorted(group.origins)[self._turn % len(group.origins)]].host
        first = min(healthy, key=lambda one: (group.origins[one].priority, -group.origins[one].weight, one))
        return group.origins[first].host

    def check_of(self, host: str) -> Check:
        """Return how a host is probed."""
        return next(one for one in self._checks() if one.host == host)

    def _is_healthy(self, group: Group, origin: Origin) -> bool:
        check, health = _check(group, origin), group.health
        return not check or not health or self.prober.seen(check).good_of(health.samples, OK) >= health.good

    def _checks(self) -> Iterator[Check]:
        pairs = [(group, origin) for group in self._groups.values() for origin in group.origins.values()]
        return (check for group, origin in pairs if (check := _check(group, origin)))


def _check(group: Group, origin: Origin) -> Check | None:
    return Check(origin.host, group.health.path, group.health.seconds) if group.health else None
