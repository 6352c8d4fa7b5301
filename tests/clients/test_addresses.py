"""Where members and Services are: never by what is known, or named, in another cluster."""

from __future__ import annotations

import pytest

from activities.clients.kubernetes.addresses import Addresses
from activities.clients.ports import UnreachableError
from activities.postgres.models.survey import PodFact
from estate.base import Region
from estate.postgres import PostgresTarget
from tests.postgres.samples import A, target

_EAST = Region(location="East US", namespace="aiagent-prod", context="aks-east")
_WEST = Region(location="West US 2", namespace="aiagent-prod", context="aks-west")
_HERE = Region(location="East US", namespace="aiagent-prod")


class _Clusters:
    """API servers of several clusters, each with its own addresses."""

    def __init__(self, **pods: str) -> None:
        self.pods_of = pods

    async def pods(self, region: Region, names: tuple[str, ...]) -> dict[str, PodFact]:
        if region.context not in self.pods_of:
            raise UnreachableError(f"{region.context} does not answer")
        address = self.pods_of[region.context]
        return {name: PodFact(name=name, phase="Running", ready=True, address=address) for name in names}

    async def service_address(self, region: Region, service: str) -> str | None:
        return (await self.pods(region, (service,)))[service].address


def _in(region: Region) -> PostgresTarget:
    return target().model_copy(update={"region": region})


async def test_two_clusters_with_equal_names_share_no_address() -> None:
    addresses = Addresses(_Clusters(**{"aks-east": "10.1.0.5", "aks-west": "10.2.0.5"}))
    for region, address in ((_EAST, "10.1.0.5"), (_WEST, "10.2.0.5"), (_EAST, "10.1.0.5")):
        assert await addresses.of_member(_in(region), A) == address
        assert await addresses.of_write_service(_in(region)) == address


async def test_what_another_cluster_does_not_tell_is_not_looked_up_by_name_here() -> None:
    addresses = Addresses(_Clusters(**{"aks-east": "10.1.0.5"}))
    assert await addresses.of_member(_in(_EAST), A) == "10.1.0.5"
    for ask in (addresses.of_write_service(_in(_WEST)), addresses.of_member(_in(_WEST), A)):
        with pytest.raises(UnreachableError, match="the API server of aks-west does not say where"):
            await ask


async def test_in_the_workers_own_cluster_the_name_is_used() -> None:
    name = await Addresses(_Clusters()).of_member(_in(_HERE), A)
    assert name == f"{A}.postgresql-members.aiagent-prod.svc.cluster.local"
