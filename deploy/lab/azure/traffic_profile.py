"""One Traffic Manager profile: who is probed, what the probes say, and whom the name leads to."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from deploy.lab.azure.probing import OK, Check, Prober

KIND = "Microsoft.Network/trafficManagerProfiles"
ENDPOINT_TYPES = ("azureEndpoints", "externalEndpoints")
DOMAIN = "trafficmanager.net"
_PROFILE_STATUSES = (
    ("Degraded", "Degraded"),
    ("Online", "Online"),
    ("Unmonitored", "Online"),
    ("CheckingEndpoint", "CheckingEndpoints"),
)
_SERVING = ("Online", "CheckingEndpoint", "Unmonitored")


@dataclass
class Endpoint:
    """One endpoint. ``more`` are further properties, in Azure's own spelling."""

    name: str
    target: str
    priority: int = 1
    weight: int = 1
    status: str = "Enabled"
    kind: str = "externalEndpoints"
    location: str = ""
    always_serve: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what is not emulated: whether a nested profile is healthy hangs on the profile in it."""
        if self.kind not in ENDPOINT_TYPES:
            raise ValueError(f"{self.kind} are not emulated, only {' and '.join(ENDPOINT_TYPES)}")


@dataclass
class Profile:
    """One profile. Intervals in seconds at Azure, ``ttl`` in real ones."""

    name: str
    group: str
    endpoints: list[Endpoint]
    relative_name: str = ""
    ttl: int = 60
    status: str = "Enabled"
    routing: str = "Priority"
    path: str = "/"
    protocol: str = "HTTPS"
    port: int = 443
    interval: int = 30
    timeout: int = 10
    tolerated: int = 3
    good: list[range] = field(default_factory=lambda: [OK])

    def __post_init__(self) -> None:
        """Be found under its own name, unless another is given."""
        self.relative_name = self.relative_name or self.name

    @property
    def fqdn(self) -> str:
        """The name that clients ask for."""
        return f"{self.relative_name}.{DOMAIN}"

    def checks(self) -> Iterable[Check]:
        """Return whom to probe: enabled endpoints of a profile that is enabled."""
        if self.status != "Enabled":
            return []
        return [self.check(one) for one in self.endpoints if one.status == "Enabled" and one.always_serve != "Enabled"]

    def check(self, endpoint: Endpoint) -> Check:
        """Return how one endpoint is probed."""
        return Check(endpoint.target, self.path, self.interval, self.timeout)

    def monitored(self, endpoint: Endpoint, prober: Prober) -> str:
        """Return an endpoint's monitor status."""
        if endpoint.status != "Enabled":
            return "Disabled"
        if self.status != "Enabled":
            return "Inactive"
        if endpoint.always_serve == "Enabled":
            return "Unmonitored"
        good = {status for one in self.good for status in one}
        up = prober.seen(self.check(endpoint)).verdict(self.tolerated + 1, good)
        return "CheckingEndpoint" if up is None else "Online" if up else "Degraded"

    def profile_monitored(self, prober: Prober) -> str:
        """Return the profile's monitor status: one degraded endpoint is enough for Degraded."""
        if self.status != "Enabled":
            return "Disabled"
        statuses = {self.monitored(one, prober) for one in self.endpoints}
        for status, shown in _PROFILE_STATUSES:
            if status in statuses:
                return shown
        return "Inactive"

    def chosen(self, prober: Prober) -> str | None:
        """Return the target that a query is answered with; None if there is none, or the routing is not by priority."""
        if self.status != "Enabled" or self.routing != "Priority":
            return None
        enabled = [one for one in self.endpoints if one.status == "Enabled"]
        serving = [one for one in enabled if self.monitored(one, prober) in _SERVING] or enabled
        return min(serving, key=lambda one: (one.priority, one.name)).target if serving else None

    def body(self, id_of: str, prober: Prober) -> dict[str, Any]:
        """Return the profile as GET shows it."""
        return {
            "id": id_of,
            "name": self.name,
            "type": KIND,
            "location": "global",
            "tags": {},
            "properties": {
                "profileStatus": self.status,
                "trafficRoutingMethod": self.routing,
                "dnsConfig": {"relativeName": self.relative_name, "fqdn": self.fqdn, "ttl": self.ttl},
                "monitorConfig": self._monitor(prober),
                "endpoints": [self.endpoint_body(one, id_of, prober) for one in self.endpoints],
            },
        }

    def _monitor(self, prober: Prober) -> dict[str, Any]:
        good = [{"min": one.start, "max": one.stop - 1} for one in self.good]
        return {
            "profileMonitorStatus": self.profile_monitored(prober),
            "protocol": self.protocol,
            "port": self.port,
            "path": self.path,
            "intervalInSeconds": self.interval,
            "toleratedNumberOfFailures": self.tolerated,
            "timeoutInSeconds": self.timeout,
            **({"expectedStatusCodeRanges": good} if self.good != [OK] else {}),
        }

    def endpoint_body(self, endpoint: Endpoint, id_of: str, prober: Prober) -> dict[str, Any]:
        """Return an endpoint as GET shows it."""
        return {
            "id": f"{id_of}/{endpoint.kind}/{endpoint.name}",
            "name": endpoint.name,
            "type": f"{KIND}/{endpoint.kind}",
            "properties": {
                "endpointStatus": endpoint.status,
                "endpointMonitorStatus": self.monitored(endpoint, prober),
                "target": endpoint.target,
                "weight": endpoint.weight,
                "priority": endpoint.priority,
                **({"endpointLocation": endpoint.location} if endpoint.location else {}),
                **({"alwaysServe": endpoint.always_serve} if endpoint.always_serve else {}),
                **copy.deepcopy(endpoint.more),
            },
        }
