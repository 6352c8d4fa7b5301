"""A pair of Flexible Servers as it is surveyed: healthy, and with the changes of a test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from activities.region.models import READY, AzureFact, EndpointFact, FlexibleSqlFact, FlexibleSurvey, Role
from estate.base import Region
from estate.flexible import FlexibleDatabase, FlexibleTarget
from workflows.region.models import RegionDatabaseRequest

OLD, NEW, DATABASE = "aiagent-postgres", "aiagent-postgres-dr", "aiagent-db"
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
NOW = datetime(2026, 11, 29, 2, 30, tzinfo=UTC)
ENTRY: dict[str, Any] = {
    "region": "eastus",
    "subscription": SUBSCRIPTION,
    "servers": {
        OLD: {"resource_group": "aiagent-prod-rg", "region": "eastus"},
        NEW: {"resource_group": "aiagent-dr-rg", "region": "westus2"},
    },
    "virtual_endpoint": "aiagent",
    "database": "aiagent",
    "login": {"password": "env:FLEXIBLE_PASSWORD"},
}
TARGET = FlexibleTarget(
    name=DATABASE,
    region=Region(location="East US", namespace="aiagent-prod"),
    database=FlexibleDatabase.model_validate(ENTRY),
    locations={OLD: "East US", NEW: "West US 2"},
    people={"dana": ("DBA",), "omar": ("DBA",)},
)
_FACTS: dict[str, Any] = {
    "old_azure": AzureFact(name=OLD, role=Role.PRIMARY, state=READY, sku="Standard_D4ds_v5", storage_gb=256),
    "new_azure": AzureFact(name=NEW, role=Role.REPLICA, state=READY, source=OLD, sku="Standard_D4ds_v5", storage_gb=256),
    "old_sql": FlexibleSqlFact(
        name=OLD, in_recovery=False, system_identifier="7", timeline=3, written_lsn="0/5000000", behind_bytes=128,
        behind_seconds=0.4,
    ),
    "new_sql": FlexibleSqlFact(
        name=NEW, in_recovery=True, system_identifier="7", timeline=3, received_lsn="0/5000000", replayed_lsn="0/4FFFF80",
        replayed_at=NOW - timedelta(seconds=1), told_lsn="0/5000000", told_at=NOW, heard_seconds_ago=0.2,
    ),
    "endpoint": EndpointFact(members=(OLD, NEW), leads_to=OLD, addresses=("10.0.0.4",), ttl_seconds=30),
}  # fmt: skip
SILENT = FlexibleSqlFact(name=OLD, error="no route")


def survey(**changes: dict[str, Any]) -> FlexibleSurvey:
    """Return the healthy pair with ``changes`` of its parts: ``old_azure={"state": "Updating"}``."""
    facts = {name: fact.model_copy(update=changes.get(name, {})) for name, fact in _FACTS.items()}
    return FlexibleSurvey(
        at=NOW, azure=(facts["old_azure"], facts["new_azure"]), sql=(facts["old_sql"], facts["new_sql"]),
        endpoint=facts["endpoint"],
    )  # fmt: skip


def lost(**changes: dict[str, Any]) -> FlexibleSurvey:
    """Return the pair whose primary's region is gone: nobody tells the replica anything any more."""
    gone = {"in_recovery": None, "error": "no route", "behind_bytes": None, "behind_seconds": None}
    alone = {"told_lsn": "", "told_at": None, "timeline": None, "heard_seconds_ago": None, **changes.pop("new_sql", {})}
    return survey(old_sql=gone, new_sql=alone, **changes)


def request(**more: Any) -> RegionDatabaseRequest:
    return RegionDatabaseRequest.model_validate({"database": DATABASE, "run": "real", "by": "omar", **more})
