"""The flexible servers and virtual endpoints that exist, as Resource Manager shows them."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.lab.azure.databases import Databases, Names
from deploy.lab.azure.errors import ArmError, no_resource
from deploy.lab.azure.operations import OperationFailedError, Plan
from deploy.lab.azure.routing import Answer, Call

NAMESPACE = "Microsoft.DBforPostgreSQL"
KIND = f"{NAMESPACE}/flexibleServers"
DOMAIN = "postgres.database.azure.com"
_REFUSED_AFTER_SECONDS = 5
STOP, START = "StopServerManagementOperation", "StartServerManagementOperation"
_DOING = {STOP: "Stopping", START: "Starting"}
"""Kind of operation → state of a server meanwhile."""
REPLICA_ROLES = ("AsyncReplica", "GeoAsyncReplica")


def long_ago() -> datetime:
    """Return yesterday."""
    return datetime.now(UTC) - timedelta(days=1)


@dataclass(frozen=True)
class BackupSet:
    """One backup."""

    name: str
    completed: datetime
    automatic: bool = True


@dataclass(frozen=True)
class Maintenance:
    """One maintenance event."""

    start: datetime
    status: str = "Planned"
    minutes: int = 60
    deferrable: bool = True
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass
class Server:
    """One server. ``state`` is what it shows while no operation runs on it."""

    name: str
    group: str
    location: str
    role: str = "Primary"
    source: str = ""
    ha_mode: str = "Disabled"
    state: str = "Ready"
    replica_role: str = "AsyncReplica"
    """Its role when it follows another; across regions Azure's enumeration also knows GeoAsyncReplica."""
    version: str = "17"
    minor_version: str = "5"
    zone: str = "1"
    login: str = "azureadmin"
    sku: dict[str, str] = field(default_factory=lambda: {"name": "Standard_D4ds_v5", "tier": "GeneralPurpose"})
    storage: dict[str, Any] = field(
        default_factory=lambda: {"type": "", "iops": 1100, "tier": "P15", "storageSizeGB": 256, "autoGrow": "Disabled"}
    )
    retention_days: int = 7
    window: dict[str, Any] = field(
        default_factory=lambda: {"customWindow": "Disabled", "dayOfWeek": 0, "startHour": 0, "startMinute": 0}
    )
    tags: dict[str, str] = field(default_factory=dict)
    restorable_since: datetime | None = None
    created: datetime = field(default_factory=long_ago)
    backups: list[BackupSet] = field(default_factory=list)
    maintenance: list[Maintenance] = field(default_factory=list)
    busy: bool = False
    doing: str = "Updating"
    """The state that it shows while it is busy."""
    failing_over: bool = False
    """To its own standby; until the operation ends."""
    returns_to: str = ""
    """The server that it is to follow when it is back."""

    @property
    def is_replica(self) -> bool:
        """Whether it follows another."""
        return self.role in REPLICA_ROLES


@dataclass
class Endpoint:
    """A virtual endpoint: its object is at the primary's path."""

    name: str
    group: str
    owner: str
    replica: str = ""

    @property
    def members(self) -> list[str]:
        """The primary first."""
        return [self.owner, *([self.replica] if self.replica else [])]


@dataclass
class State:
    """All that exists, and how it changes."""

    subscription: str
    databases: Databases
    names: Names
    servers: dict[str, Server] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)

    def server(self, call: Call) -> Server:
        """Return the server of a call's path. 404 without it."""
        name = call.names["server"]
        found = self.servers.get(name.lower())
        if found is None or found.group.lower() != call.target.group.lower():
            raise no_resource(KIND, name, call.target.group)
        return found

    def replicas(self, server: Server) -> list[Server]:
        """Return who follows ``server``."""
        return [one for one in self.servers.values() if one.is_replica and one.source == server.name]

    def endpoint_of(self, *members: Server) -> Endpoint | None:
        """Return the virtual endpoint that has exactly these members."""
        wanted = {one.name for one in members}
        return next((one for one in self.endpoints.values() if set(one.members) == wanted), None)

    def publish(self, endpoint: Endpoint) -> None:
        """Let an endpoint's names lead to its members."""
        self.names.point(endpoint.name, endpoint.owner, endpoint.replica or endpoint.owner)

    async def settle(self) -> None:
        """Let old primaries that are back be the replicas that they were made."""
        for server in self.servers.values():
            leader = server.returns_to
            if leader and await self.databases.is_up(server.name) and server.returns_to:  # not by another request meanwhile
                self.becomes_replica(server, leader)

    def becomes_replica(self, server: Server, leader: str) -> None:
        """Show ``server`` as a replica of ``leader``."""
        server.role, server.source, server.returns_to, server.ha_mode = server.replica_role, leader, "", "Disabled"

    def id_of(self, server: Server) -> str:
        """Return a server's resource id."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{server.group}/providers/{KIND}/{server.name}"

    def change(
        self, call: Call, kind: str, seconds: float, servers: Sequence[Server], work: Callable[[], Awaitable[Any]]
    ) -> Answer:
        """Begin a change of ``servers``, which are busy until it ends; one that is busy makes it fail, after the 202."""
        busy = next((one for one in servers if one.busy), None)
        if busy:
            return call.begin(Plan(kind, servers[0].location, _REFUSED_AFTER_SECONDS, lambda: _refuse_busy(busy)))
        for one in servers:
            one.busy, one.doing = True, _DOING.get(kind, "Updating")

        def done() -> None:
            for one in servers:
                one.busy = one.failing_over = False

        return call.begin(Plan(kind, servers[0].location, seconds, work, done))

    def body(self, server: Server) -> dict[str, Any]:
        """Return a server as GET shows it."""
        return {
            "sku": dict(server.sku),
            "systemData": {"createdAt": f"{server.created:%Y-%m-%dT%H:%M:%S.%f}0Z"},
            "properties": self._properties(server),
            "location": server.location,
            **({"tags": dict(server.tags)} if server.tags else {}),
            "id": self.id_of(server),
            "name": server.name,
            "type": KIND,
        }

    def _properties(self, server: Server) -> dict[str, Any]:
        source = self.servers.get(server.source.lower()) if server.is_replica else None
        since = {"earliestRestoreDate": stamp(server.restorable_since)} if server.restorable_since else {}
        capacity = 0 if server.role == "None" else 5
        standby = "NotEnabled" if server.ha_mode == "Disabled" else "FailingOver" if server.failing_over else "Healthy"
        return {
            "dataEncryption": {"type": "SystemManaged"},
            "replica": {"role": server.role, "capacity": capacity},
            "storage": dict(server.storage),
            "network": {"publicNetworkAccess": "Disabled"},
            "privateEndpointConnections": [],
            "authConfig": {"activeDirectoryAuth": "Disabled", "passwordAuth": "Enabled"},
            "fullyQualifiedDomainName": f"{server.name}.{DOMAIN}",
            "version": server.version,
            "minorVersion": server.minor_version,
            "administratorLogin": server.login,
            "state": server.doing if server.busy else server.state,
            "availabilityZone": server.zone,
            **({"sourceServerResourceId": self.id_of(source)} if source else {}),
            "backup": {"backupRetentionDays": server.retention_days, "geoRedundantBackup": "Disabled", **since},
            "highAvailability": {"mode": server.ha_mode, "state": standby},
            "maintenanceWindow": dict(server.window),
            "replicationRole": server.role,
            "replicaCapacity": capacity,
        }


def stamp(moment: datetime) -> str:
    """Return a moment as backups show it: seven decimals and an offset."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}0+00:00"


async def _refuse_busy(server: Server) -> None:
    text = f"Server '{server.name}' is busy with another operation. Please try again later."
    raise OperationFailedError("ServerBusy", text)


def refused(code: str, message: str) -> ArmError:
    """Return a 400 of the service itself."""
    return ArmError(400, code, message)
