"""What may be sent to a flexible server, strictly: an unknown property is refused, an enumeration is read in any case.

The two generations of Microsoft's own examples write ``Switchover`` and ``switchover``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from deploy.lab.azure.errors import ArmError


class _AnyCase(StrEnum):
    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return next((one for one in cls if isinstance(value, str) and one.value.lower() == value.lower()), None)


class PromotedRole(_AnyCase):
    """The role that a promotion asks for: Primary with a switchover, None with a standalone server."""

    PRIMARY = "Primary"
    NONE = "None"


class PromoteMode(_AnyCase):
    """Whether the old primary becomes a replica."""

    SWITCHOVER = "Switchover"
    STANDALONE = "Standalone"


class PromoteOption(_AnyCase):
    """Whether the promotion waits for the source's last writes."""

    PLANNED = "Planned"
    FORCED = "Forced"


class FailoverMode(_AnyCase):
    """How a server moves to its own standby."""

    PLANNED_FAILOVER = "PlannedFailover"
    FORCED_FAILOVER = "ForcedFailover"
    PLANNED_SWITCHOVER = "PlannedSwitchover"
    FORCED_SWITCHOVER = "ForcedSwitchover"


class HaMode(_AnyCase):
    """Where the standby is."""

    DISABLED = "Disabled"
    SAME_ZONE = "SameZone"
    ZONE_REDUNDANT = "ZoneRedundant"


class EndpointType(_AnyCase):
    """There is only one."""

    READ_WRITE = "ReadWrite"


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, frozen=True)


class Replica(_Sent):
    """A promotion."""

    role: PromotedRole | None = None
    promote_mode: PromoteMode | None = None
    promote_option: PromoteOption | None = None


class HighAvailability(_Sent):
    """High availability, to be switched on or off."""

    mode: HaMode | None = None
    standby_availability_zone: str | None = None


class Storage(_Sent):
    """Storage, to be enlarged."""

    storage_size_gb: int | None = Field(default=None, alias="storageSizeGB")
    auto_grow: Literal["Enabled", "Disabled"] | None = None
    tier: str | None = None
    iops: int | None = None
    throughput: int | None = None
    type: str | None = None


class Backup(_Sent):
    """How long backups are kept."""

    backup_retention_days: int | None = Field(default=None, ge=7, le=35)


class MaintenanceWindow(_Sent):
    """When Azure may maintain the server."""

    custom_window: Literal["Enabled", "Disabled"] | None = None
    day_of_week: int | None = Field(default=None, ge=0, le=6)
    start_hour: int | None = Field(default=None, ge=0, le=23)
    start_minute: int | None = Field(default=None, ge=0, le=59)


class ServerProperties(_Sent):
    """What of a server may be changed here."""

    administrator_login_password: str | None = None
    create_mode: Literal["Default", "Update"] | None = None
    source_server_resource_id: str | None = None
    replica: Replica | None = None
    high_availability: HighAvailability | None = None
    storage: Storage | None = None
    backup: Backup | None = None
    maintenance_window: MaintenanceWindow | None = None


class Sku(_Sent):
    """The size."""

    name: str | None = None
    tier: Literal["Burstable", "GeneralPurpose", "MemoryOptimized"] | None = None


class ServerPatch(_Sent):
    """The body of PATCH on a server."""

    properties: ServerProperties = ServerProperties()
    sku: Sku | None = None
    tags: dict[str, str] | None = None


class Restart(_Sent):
    """The body of POST restart."""

    restart_with_failover: bool = False
    failover_mode: FailoverMode | None = None


class EndpointProperties(_Sent):
    """The one member that is given is the replica, or the primary while there is none."""

    endpoint_type: EndpointType
    members: tuple[str, ...] = Field(min_length=1, max_length=1)


class EndpointBody(_Sent):
    """The body of PUT and PATCH on a virtual endpoint."""

    properties: EndpointProperties


_Model = TypeVar("_Model", bound=_Sent)


def read(model: type[_Model], body: Any) -> _Model:  # noqa: ANN401 - any JSON
    """Return a body as ``model``; 400 for one that it is not."""
    try:
        return model.model_validate({} if body is None else body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "body"
        if first["type"] == "extra_forbidden":
            text = f"Could not find member '{first['loc'][-1]}' on object of type '{model.__name__}'. Path '{place}'."
            raise ArmError(
                400, "InvalidRequestContent", f"The request content was invalid: '{text}'", by="contract"
            ) from None
        text = f"Invalid value given for parameter {place}. {first['msg']}."
        raise ArmError(400, "InvalidParameterValue", text, by="contract") from None
