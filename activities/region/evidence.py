"""Reads what people should know before a region moves: backups, quotas and sizes, probes, images; all at once.

Nothing is changed. Who does not answer within 5 s is in the evidence with that: a region that is lost may take Azure's
answers with it, and a forced failover must not wait for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from temporalio.exceptions import ApplicationError

from activities.clients.asking import NO_ANSWER, patiently
from activities.clients.flexible_ports import FlexibleServers
from activities.clients.ports import ForbiddenError, MissingError, UnreachableError
from activities.clients.reading_facts import BackupFact, ProbeFact, QuotaFact
from activities.clients.region_ports import Readings, RegionClusters
from activities.region.evidence_models import DatabaseEvidence, Evidence, ImagesEvidence
from activities.region.images import seen_on
from activities.region.models import AzureFact, Role
from activities.region.sizes import family_of
from activities.run.inventory import Inventory
from estate.base import EstateError, Region
from estate.flexible import FlexibleTarget
from estate.regions import RegionTarget
from estate.resolving import resolve_traffic
from estate.traffic import TrafficTarget

T = TypeVar("T")
_SECONDS = 5.0


class EvidenceReader:
    """Asks Azure and clusters; traffic entries are looked up in the worker's own estate."""

    def __init__(self, servers: FlexibleServers, readings: Readings, inventory: Inventory) -> None:
        """Ask Azure by ``servers`` and ``readings``."""
        self._servers, self._readings, self._inventory = servers, readings, inventory

    async def read(self, target: RegionTarget, *, back: bool) -> Evidence:
        """Return everything but the images; ``back``: the region that was left is to serve again. Raises nothing."""
        there = {target.settings.to: target.to, target.name: target.region}
        databases, probes = await asyncio.gather(
            asyncio.gather(*(self._database(one, there, target.name if back else target.settings.to)
                             for one in target.databases)),
            asyncio.gather(*map(self._probes, target.settings.traffic)),
        )  # fmt: skip
        return Evidence(
            at=datetime.now(UTC), databases=tuple(databases), probes=tuple(one for entry in probes for one in entry)
        )

    async def _database(self, target: FlexibleTarget, there: dict[str, Region], new: str) -> DatabaseEvidence:
        """Return what is known of one database, of which the server in region ``new`` is to lead."""
        to = RegionTarget.server_in(new, target)
        old, left = target.database.other(to), next(one for one in there if one != new)
        (old_fact, new_fact), (old_backup, new_backup), (quotas_old, quotas_new) = await asyncio.gather(
            asyncio.gather(*(self._server(target, one) for one in (old, to))),
            asyncio.gather(*(self._backup(target, one) for one in (old, to))),
            asyncio.gather(*(self._quotas(target, one, there[one].location) for one in (left, new))),
        )
        leads_there = new_fact.role is Role.PRIMARY and old_fact.role is not Role.PRIMARY
        return DatabaseEvidence(
            name=target.name, old=old_fact, new=new_fact, backup=new_backup if leads_there else old_backup,
            quota_old=_of_family(left, old_fact, quotas_old), quota_new=_of_family(new, new_fact, quotas_new),
        )  # fmt: skip

    async def _server(self, target: FlexibleTarget, server: str) -> AzureFact:
        try:
            return await self._asked(partial(self._servers.server, target, server))
        except NO_ANSWER as error:
            return AzureFact(name=server, error=str(error))

    async def _backup(self, target: FlexibleTarget, server: str) -> BackupFact:
        try:
            return await self._asked(partial(self._readings.backup, target, server))
        except NO_ANSWER as error:
            return BackupFact(server=server, error=str(error))

    async def _quotas(self, target: FlexibleTarget, region: str, location: str) -> tuple[QuotaFact, ...]:
        try:
            return await self._asked(partial(self._readings.quotas, target, region, location))
        except NO_ANSWER as error:
            return (QuotaFact(region=region, error=str(error)),)

    async def _probes(self, name: str) -> tuple[ProbeFact, ...]:
        try:
            return await self._asked(partial(self._readings.probes, self._traffic(name)))
        except (EstateError, *NO_ANSWER) as error:
            return (ProbeFact(traffic=name, error=str(error)),)

    def _traffic(self, name: str) -> TrafficTarget:
        estate = self._inventory.latest
        if estate is None:
            raise MissingError("the worker's estate cannot be read")
        return resolve_traffic(estate, name)

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            return await patiently(ask, self._servers.poll, seconds=_SECONDS)
        except ApplicationError as error:  # a secret that is missing
            raise MissingError(error.message) from error


async def images_there(clusters: RegionClusters, region: Region, images: tuple[str, ...]) -> ImagesEvidence:
    """Return which nodes of ``region`` have ``images``. Raises nothing."""
    try:
        return seen_on(images, await clusters.images(region))
    except (UnreachableError, ForbiddenError, MissingError) as error:
        return ImagesEvidence(error=str(error))


def _of_family(region: str, server: AzureFact, quotas: tuple[QuotaFact, ...]) -> QuotaFact:
    """Return the quota of the family of ``server``; why there is none, where there is none."""
    if any(one.error for one in quotas):
        return next(one for one in quotas if one.error)
    if not (family := family_of(server.sku)):
        return QuotaFact(
            region=region, error=f"the size of {server.name} is unknown: {server.error or server.sku or 'none'}"
        )
    found = next((one for one in quotas if one.family.casefold() == family.casefold()), None)
    return found or QuotaFact(region=region, family=family, error=f"Azure lists no quota of {family} there")
