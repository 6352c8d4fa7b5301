"""Every kind of item that a step looks at, with what looks at it."""

from __future__ import annotations

import asyncio

from activities.clients.asking import NO_ANSWER
from activities.clients.azure.access import AzureAccess
from activities.clients.checks.databases import AmcheckLook, BackupLook, Databases, SqlLook
from activities.clients.checks.judged import by_age, judged
from activities.clients.checks.monitors import GrafanaLook, InsightsLook, PrometheusLook
from activities.clients.flexible_ports import FlexibleServers
from activities.clients.kubernetes.addresses import Addresses
from activities.clients.region_ports import Readings
from activities.region.models import Role
from activities.run.checks import Checkable, Look
from activities.run.errors import UnreachableError
from activities.run.models.checks import Looked
from estate.check_items import FlexibleBackupItem
from estate.flexible import FlexibleTarget
from estate.regions import RegionTarget


class FlexibleBackupLook:
    """The newest completed backup of the Flexible Servers that lead."""

    def __init__(self, servers: FlexibleServers, readings: Readings) -> None:
        """Ask Azure by ``servers`` who leads, and by ``readings`` for backups."""
        self._servers, self._readings = servers, readings

    async def look(self, item: FlexibleBackupItem, target: Checkable) -> Looked:
        """Return whether each is new enough. UnreachableError: Azure does not say."""
        databases = target.databases if isinstance(target, RegionTarget) else (target,)
        if not all(isinstance(one, FlexibleTarget) for one in databases):
            raise UnreachableError(f"{target.name} has no Flexible Server")
        try:
            found = [await self._one(item, one) for one in databases if isinstance(one, FlexibleTarget)]
        except NO_ANSWER as error:
            raise UnreachableError(str(error)) from error
        met = None if any(one.met is None for one in found) else all(one.met for one in found)
        return judged("Azure", *(words for one in found for words in one.seen), met=met)

    async def _one(self, item: FlexibleBackupItem, target: FlexibleTarget) -> Looked:
        facts = await asyncio.gather(*(self._servers.server(target, name) for name in target.database.servers))
        leading = [one.name for one in facts if one.role is Role.PRIMARY]
        if len(leading) != 1:
            return judged("Azure", f"{target.name}: {len(leading)} servers lead, wanted one", met=None)
        backup = await self._readings.backup(target, leading[0])
        what = f"completed backup of {leading[0]}{f' ({backup.name})' if backup.name else ''}"
        return by_age(backup.completed_at, item.newest_within, what, "Azure")


def looks(addresses: Addresses, servers: FlexibleServers, readings: Readings, azure: AzureAccess) -> dict[str, Look]:
    """Return kind → what looks at it."""
    databases = Databases(addresses)
    return {
        "sql": SqlLook(databases),
        "pg_amcheck": AmcheckLook(databases),
        "postgres-backup": BackupLook(databases),
        "flexible-server-backup": FlexibleBackupLook(servers, readings),
        "prometheus": PrometheusLook(),
        "grafana": GrafanaLook(),
        "application-insights": InsightsLook(azure),
    }
