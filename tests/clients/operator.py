"""The operator's own client against a real pair: what a gate gives to its role, and where its servers are."""

from __future__ import annotations

from activities.clients.kubernetes.addresses import Addresses
from estate.base import Region
from estate.postgres import GateAccess, Login, PostgresCluster, PostgresTarget
from tests.clients.postgres_pair import MEMBERS, PostgresPair


class Loopback(Addresses):
    """Knows where the pair's members and its write Service are."""

    def __init__(self, pair: PostgresPair) -> None:
        self._pair = pair

    async def of_member(self, target: PostgresTarget, member: str) -> str:  # noqa: ARG002
        return self._pair.address(member)

    async def of_write_service(self, target: PostgresTarget) -> str:  # noqa: ARG002
        return "127.0.2.20"

    def forget_pod(self, region: Region, pod: str) -> None:
        """Remember nothing."""


def target_of(pair: PostgresPair) -> PostgresTarget:
    """Return the pair as a target; the password is in ``OPERATOR_PASSWORD``."""
    cluster = PostgresCluster(
        region="eastus", database="postgres", members=MEMBERS, write_service="pg", gate=GateAccess(token="env:TOKEN"),
        login=Login(user="app", password="env:OPERATOR_PASSWORD", port=pair.port),
    )  # fmt: skip
    return PostgresTarget(name="orders", region=Region(location="East US", namespace="prod"), cluster=cluster)


async def provide(pair: PostgresPair) -> None:
    """Give the role what a gate gives to the operator's."""
    await pair.sql("pg-0", "create schema failover authorization app; grant pg_monitor to app")
