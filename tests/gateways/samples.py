"""A gateway as the estate declares it."""

from __future__ import annotations

from typing import Any

from estate.base import Region
from estate.gateways import Gateway, GatewayTarget
from tests.azure.pair import SUBSCRIPTION
from tests.gateways.world import ADDRESSES, GATEWAY, GROUP, POOL

ENTRY: dict[str, Any] = {
    "region": "eastus", "subscription": SUBSCRIPTION, "resource_group": GROUP, "pool": POOL, "backends": list(ADDRESSES),
}  # fmt: skip


def target_of(**changes: Any) -> GatewayTarget:
    return GatewayTarget(
        name=GATEWAY,
        region=Region(location="East US", namespace="aiagent-prod"),
        gateway=Gateway.model_validate({**ENTRY, **changes}),
        people={"dana": ("DBA",), "omar": ("DBA",)},
    )
