"""What may be sent to a flexible server."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from deploy.lab.azure.bodies import AnyCase, Sent


class PromotedRole(AnyCase):
    """The role that a promotion asks for: Primary with a switchover, None with a standalone server."""

    PRIMARY = "Primary"
    NONE = "None"


class PromoteMode(AnyCase):
    """Whether the old primary becomes a replica."""

    SWITCHOVER = "Switchover"
    STANDALONE = "Standalone"


class PromoteOption(AnyCase):
    """Whether the promotion waits for the source's last writes."""

    PLANNED = "Planned"
    FORCED = "Forced"


class FailoverMode(AnyCase):
    """How a server moves to its own standby."""

    PLANNED_FAILOVER = "PlannedFailover"
    FORCED_FAILOVER = "ForcedFailover"
    PLANNED_SWITCHOVER = "PlannedSwitchover"
    FORCED_SWITCHOVER = "ForcedSwitchover"


class HaMode(AnyCase):
    """Where the standby is."""

    DISABLED = "Disabled"
    SAME_ZONE = "SameZone"
    ZONE_REDUNDANT = "ZoneRedundant"


class EndpointType(AnyCase):
    """There is only one."""

    READ_WRITE = "ReadWrite"


class Replica(Sent):
    """A promotion."""

    role: PromotedRole | None = None
    promote_mode: PromoteMode | None = None
    promote_option: PromoteOption | None = None


class HighAvailability(Sent):
    """High availability, to be switched on or off."""

    mode: HaMode | None = None
    standby_availability_zone: str | None = None


class Storage(Sent):
    """Storage, to be enlarged."""

    storage_size_gb: int | None = Field(default=None, alias="storageSizeGB")
    auto_grow: Literal["Enabled", "Disabled"] | None = None
    tier: str | None = None
    iops: int | None = None
    throughput: int | None = None
    type: str | None = None


class Backup(Sent):
    """How long backups are kept."""

    backup_retention_days: int | None = Field(default=None, ge=7, le=35)


class MaintenanceWindow(Sent):
    """When Azure may maintain the server."""

    custom_window: Literal["Enabled", "Disabled"] | None = None
    day_of_week: int | None = Field(default=None, ge=0, le=6)
    start_hour: int | None = Field(default=None, ge=0, le=23)
    start_minute: int | None = Field(default=None, ge=0, le=59)


class ServerProperties(Sent):
    """What of a server may be changed here."""

    administrator_login_password: str | None = None
    create_mode: Literal["Default", "Update"] | None = None
    source_server_resource_id: str | None = None
    replica: Replica | None = None
    high_availability: HighAvailability | None = None
    storage: Storage | None = None
    backup: Backup | None = None
    maintenance_window: MaintenanceWindow | None = None


class Sku(Sent):
    """The size."""

    name: str | None = None
    tier: Literal["Burstable", "GeneralPurpose", "MemoryOptimized"] | None = None


class ServerPatch(Sent):
    """The body of PATCH on a server."""

    properties: ServerProperties = ServerProperties()
    sku: Sku | None = None
    tags: dict[str, str] | None = None


class Restart(Sent):
    """The body of POST restart."""

    restart_with_failover: bool = False
    failover_mode: FailoverMode | None = None


class EndpointProperties(Sent):
    """The one member that is given is the replica, or the primary while there is none."""

    endpoint_type: EndpointType
    members: tuple[str, ...] = Field(min_length=1, max_length=1)


class EndpointBody(Sent):
    """The body of PUT and PATCH on a virtual endpoint."""

    properties: EndpointProperties
