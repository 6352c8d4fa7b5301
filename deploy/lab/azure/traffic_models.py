"""What PATCH on an endpoint of Traffic Manager takes. What was only read may be sent back, and is not looked at."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from deploy.lab.azure.bodies import OnOff, Sent


class EndpointProperties(Sent):
    """What of an endpoint may be changed, and its monitor status, which may not."""

    target_resource_id: str | None = None
    target: str = ""
    endpoint_status: OnOff = OnOff.ENABLED
    weight: int = Field(default=1, ge=1, le=1000)
    priority: int = Field(default=1, ge=1, le=1000)
    endpoint_location: str | None = None
    endpoint_monitor_status: str | None = None
    geo_mapping: tuple[str, ...] | None = None
    subnets: tuple[dict[str, Any], ...] | None = None
    custom_headers: tuple[dict[str, str], ...] | None = None
    always_serve: OnOff = OnOff.DISABLED


class EndpointPatch(Sent):
    """The body of PATCH on an endpoint."""

    id: str | None = None
    name: str | None = None
    type: str | None = None
    properties: EndpointProperties = EndpointProperties()
