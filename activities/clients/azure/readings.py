"""Asks Azure Resource Manager for what a move of a region should find: backups, quotas and probes. Changes nothing.

A quota is one number for a family of sizes in a location of the subscription. Its right is one of the subscription, not of
a resource group (``deploy/azure/roles/quota.json``).
"""

from __future__ import annotations

import asyncio

from activities.clients.azure.access import AzureAccess
from activities.clients.azure.answers import translated, word
from activities.clients.azure.subscriptions import Subscriptions
from activities.clients.reading_facts import BackupFact, ProbeFact, QuotaFact
from estate.flexible import FlexibleTarget
from estate.traffic import FrontDoorRoute, ManagerProfile, TrafficTarget

_POSTGRES = "Microsoft.DBforPostgreSQL"
_GROUPS, _PROFILES = "Microsoft.Cdn/profiles/origingroups", "Microsoft.Network/trafficManagerProfiles"


class AzureReadings:
    """Of any number of subscriptions."""

    def __init__(self, access: AzureAccess | None = None) -> None:
        """Reach Azure by ``access``."""
        reached = access or AzureAccess()
        self._databases = Subscriptions(reached, "azure.mgmt.postgresqlflexibleservers.aio", "PostgreSQLManagementClient")
        self._doors = Subscriptions(reached, "azure.mgmt.cdn.aio", "CdnManagementClient")
        self._managers = Subscriptions(reached, "azure.mgmt.trafficmanager.aio", "TrafficManagerManagementClient")

    async def close(self) -> None:
        """Let go of all connections."""
        await asyncio.gather(*(one.close() for one in (self._databases, self._doors, self._managers)))

    async def backup(self, target: FlexibleTarget, server: str) -> BackupFact:
        """Return the newest completed backup of ``server``, automatic or on demand."""
        client = await self._databases.of(target.database.subscription)
        group = target.database.servers[server].resource_group
        with translated(f"Azure, asked for the backups of {server}", f"{_POSTGRES}/flexibleServers/backups/read"):
            found = [one async for one in client.backups_automatic_and_on_demand.list_by_server(group, server)]
        completed = [(one.properties.completed_time, one.name or "") for one in found if one.properties]
        at, name = max(((at, name) for at, name in completed if at is not None), default=(None, ""))
        return BackupFact(server=server, name=name, completed_at=at)

    async def quotas(self, target: FlexibleTarget, region: str, location: str) -> tuple[QuotaFact, ...]:
        """Return used and allowed cores in ``location`` (``West US 2``), a fact for each family that Azure lists."""
        client = await self._databases.of(target.database.subscription)
        with translated(f"Azure, asked for the quota in {location}", f"{_POSTGRES}/locations/resourceType/usages/read"):
            found = [one async for one in client.quota_usages.list(location.replace(" ", "").lower())]
        return tuple(
            QuotaFact(region=region, family=one.name.value or "", used=one.current_value, limit=one.limit)
            for one in found
            if one.name
        )

    async def probes(self, target: TrafficTarget) -> tuple[ProbeFact, ...]:
        """Return the probe of every origin group and profile that the entry names."""
        door, manager = target.entry.front_door, target.entry.traffic_manager
        groups = (*door.origin_groups.values(), *([door.origin_group] if door.origin_group else [])) if door else ()
        asked = [self._group(target, door, one) for one in groups] if door else []
        asked += [self._profile(target, manager)] if manager else []
        return tuple(await asyncio.gather(*asked))

    async def _group(self, target: TrafficTarget, door: FrontDoorRoute, group: str) -> ProbeFact:
        client, what = await self._doors.of(target.entry.subscription), f"origin group {group}"
        with translated(f"Azure, asked for {what}", f"{_GROUPS}/read"):
            told = (await client.afd_origin_groups.get(door.resource_group, door.profile, group)).properties
        probe, samples = told.health_probe_settings, told.load_balancing_settings
        if probe is None or not probe.probe_interval_in_seconds or word(probe.probe_request_type) == "NotSet":
            return ProbeFact(traffic=target.name, what=what, enabled=False)
        known = samples is not None and samples.sample_size is not None and samples.successful_samples_required is not None
        failed = samples.sample_size - samples.successful_samples_required + 1 if known else None
        every = probe.probe_interval_in_seconds
        return ProbeFact(
            traffic=target.name, what=what, path=probe.probe_path or "/", interval_seconds=every,
            moves_after_seconds=failed and failed * every,
        )  # fmt: skip

    async def _profile(self, target: TrafficTarget, manager: ManagerProfile) -> ProbeFact:
        client, what = await self._managers.of(target.entry.subscription), f"profile {manager.profile}"
        with translated(f"Azure, asked for {what}", f"{_PROFILES}/read"):
            told = (await client.profiles.get(manager.resource_group, manager.profile)).properties
        probe = told.monitor_config if told else None
        if probe is None or not probe.interval_in_seconds:
            return ProbeFact(traffic=target.name, what=what, enabled=False)
        every, tolerated = probe.interval_in_seconds, probe.tolerated_number_of_failures
        moves = None if tolerated is None else (tolerated + 1) * every
        return ProbeFact(
            traffic=target.name, what=what, path=probe.path or "", interval_seconds=every, moves_after_seconds=moves
        )
