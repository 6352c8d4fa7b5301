"""Systems in which all is well, behind the Protocols of the worker's real clients. Changing them is refused.

``ReadOnly`` is the proof that a pass writes nothing: a method that is not listed here as a look is refused, and kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from activities.clients.bundle import Clients
from activities.clients.reading_facts import BackupFact, ProbeFact, QuotaFact
from activities.clients.systems import Systems
from activities.clients.traffic_ports import TrafficClients
from activities.redis.models import RedisRole, SentinelFact, ServerFact
from activities.region.failover_models import HeldLease, Scale
from activities.region.models import AzureFact, EndpointFact, FlexibleSqlFact, Role
from activities.run.inventory import Inventory
from activities.traffic.gateway_models import READY, BackendFact, Basis, Direct, GatewayFact, Health
from activities.traffic.models import Answer, HealthFact, NameFact, Side, SideFact
from estate.base import Region
from estate.flexible import FlexibleTarget
from estate.gateways import GatewayTarget
from estate.nodes import MachineKind
from estate.redis import RedisTarget
from estate.traffic import TrafficTarget
from tests.fakes.clients import systems_of
from tests.fakes.world import World
from tests.gateways.world import DECLARED, ID, PROBE
from tests.nodes.world import NodeWorld
from tests.pods.world import PodWorld
from tests.region import samples
from tests.traffic.samples import endpoint

LOOKS = {
    # a record's preview is a dry run of the API server's, as try_objects
    "leader_records": {"read", "lease", "lease_epoch", "version", "preview"},
    "kubernetes": {"pods", "logs", "endpoints", "endpoints_version", "pods_of", "deployment_progress", "untaken_pods"},
    "gates": {"status", "kept"},
    "postgres": {"facts", "own_transactions", "sessions"},
    "redis": {"server", "sentinel"},
    "nodes": {"nodes", "pods_on", "homeless", "witness", "unready"},
    "workloads": {"pods", "evidence", "ask"},
    "machines": {"state"},
    "flexible": {"poll", "server", "endpoint_members", "maintenance", "operation"},
    "flexible_sql": {"facts", "endpoint", "serves"},
    "levers": {"poll", "look", "lever", "operation"},
    "edge": {"ask", "health"},
    "names": {"look"},
    "gateways": {"poll", "gateway", "health", "operation"},
    "backends": {"ask"},
    "clusters": {
        "scale", "may_scale", "nodes", "images", "missing_rights", "lease", "try_objects", "ready_pods",
    },
    "overlays": {"render"},
    "application": set(),
    "readings": {"backup", "quotas", "probes"},
}  # fmt: skip
"""System → what only looks."""


class WriteRefusedError(Exception):
    """Something was to be changed by who may only look."""


class ReadOnly:
    """Lets looks through to ``real``, and refuses everything else."""

    def __init__(self, system: str, real: object, refused: list[str], asked: list[str]) -> None:
        self._system, self._real, self._refused, self._asked = system, real, refused, asked

    def __getattr__(self, name: str) -> Any:
        if name in LOOKS[self._system]:
            self._asked.append(f"{self._system}.{name}")
            return getattr(self._real, name)

        async def refuse(*_: object, **__: object) -> None:
            self._refused.append(f"{self._system}.{name}")
            message = f"{self._system}.{name} would change something"
            raise WriteRefusedError(message)

        return refuse


class Redis:
    """The first server leads; everybody says so."""

    async def server(self, target: RedisTarget, name: str, *, within: timedelta) -> ServerFact:  # noqa: ARG002
        first = target.deployment.servers[0]
        if name == first:
            return ServerFact(name=name, address=f"{name}:6379", role=RedisRole.MASTER, offset=9, replicas=2)
        role = RedisRole.REPLICA
        return ServerFact(name=name, address=f"{name}:6379", role=role, offset=9, follows=f"{first}:6379", link_up=True)

    async def sentinel(self, target: RedisTarget, name: str, *, within: timedelta) -> SentinelFact:  # noqa: ARG002
        return SentinelFact(name=name, master=f"{target.deployment.servers[0]}:6379", can_decide=True, config_epoch=1)


class Flexible:
    """Azure's word and the servers' own: the first server leads."""

    poll = timedelta(seconds=0.01)

    async def server(self, target: FlexibleTarget, server: str) -> AzureFact:
        old, _ = target.database.servers
        known = samples.survey().azure_of(samples.OLD if server == old else samples.NEW)
        return known.model_copy(update={"name": server, "source": "" if known.role is Role.PRIMARY else old})

    async def endpoint_members(self, target: FlexibleTarget, primary: str) -> tuple[str, ...]:  # noqa: ARG002
        return tuple(target.database.servers)

    async def maintenance(self, target: FlexibleTarget, server: str) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    async def facts(self, target: FlexibleTarget, server: str) -> FlexibleSqlFact:
        old, _ = target.database.servers
        known, now = samples.survey().sql_of(samples.OLD if server == old else samples.NEW), datetime.now(UTC)
        times = {"replayed_at": now, "told_at": now} if known.in_recovery else {}
        return known.model_copy(update={"name": server, "takes_rows": True, **times})

    async def endpoint(self, target: FlexibleTarget) -> EndpointFact:
        return EndpointFact(leads_to=next(iter(target.database.servers)), addresses=("10.0.0.4",), ttl_seconds=30)

    async def serves(self, target: FlexibleTarget) -> str:  # noqa: ARG002
        return ""


class Traffic:
    """Azure, the edge and DNS: all lead to the first region."""

    poll = timedelta(seconds=0.01)

    async def look(self, target: TrafficTarget, name: str = "", hosts: Mapping[str, str] | None = None) -> Any:  # noqa: ARG002
        home, away = target.entry.regions
        if hosts is not None:
            return NameFact(region=home, ttl_seconds=60)
        levers = (endpoint("east", 1, region=home), endpoint("west", 2, region=away))
        return SideFact(side=Side.TRAFFIC_MANAGER, routing="Priority", name="x.test", ttl_seconds=60, levers=levers)

    async def ask(self, target: TrafficTarget) -> Answer:
        return Answer(region=next(iter(target.entry.regions)), status=200)

    async def health(self, target: TrafficTarget, region: str) -> HealthFact:  # noqa: ARG002
        return HealthFact(region=region, healthy=True)


class Gateways:
    """As declared, and every backend is up."""

    poll = timedelta(seconds=0.01)

    async def gateway(self, target: GatewayTarget) -> GatewayFact:
        pool = target.gateway.backends
        basis = Basis(probe=dict(DECLARED), settings_probe=f"{ID}/probes/{PROBE}", pool=pool)
        entries = {one: {"ipAddress": one} for one in pool}
        return GatewayFact(id=ID, state=READY, has_pool=True, has_settings=True, entries=entries, basis=basis)

    async def health(self, target: GatewayTarget) -> tuple[BackendFact, ...]:
        return tuple(BackendFact(address=one, health=Health.UP) for one in target.gateway.backends)

    async def ask(self, target: GatewayTarget, gateway: GatewayFact, address: str) -> tuple[Direct, str]:  # noqa: ARG002
        return Direct.GOOD, "200"


class Regions:
    """Clusters, overlays and what Azure says besides."""

    async def scale(self, region: Region, deployment: str) -> Scale:  # noqa: ARG002
        return Scale(name=deployment, wanted=2, version="1", gone=False)

    async def may_scale(self, region: Region, deployment: str) -> bool:  # noqa: ARG002
        return True

    async def nodes(self, region: Region) -> tuple[int, int]:  # noqa: ARG002
        return 3, 3

    async def images(self, region: Region) -> tuple[frozenset[str], ...]:  # noqa: ARG002
        return ()

    async def missing_rights(self, region: Region, lease: str) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    async def lease(self, region: Region, name: str) -> HeldLease:  # noqa: ARG002
        return HeldLease()

    async def try_objects(self, region: Region, objects: object) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    async def render(self, path: str) -> tuple[dict[str, Any], ...]:  # noqa: ARG002
        return ({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "one"}},)

    async def backup(self, target: FlexibleTarget, server: str) -> BackupFact:  # noqa: ARG002
        return BackupFact(server=server, name="backup", completed_at=datetime.now(UTC))

    async def quotas(self, target: FlexibleTarget, region: str, location: str) -> tuple[QuotaFact, ...]:  # noqa: ARG002
        return (QuotaFact(region=region, family="standardDDSv5Family", used=4, limit=100),)

    async def probes(self, target: TrafficTarget) -> tuple[ProbeFact, ...]:
        path = "/health/ready"
        return (ProbeFact(traffic=target.name, what="profile", path=path, interval_seconds=10, moves_after_seconds=40),)


class Calm:
    """Everything that a worker reaches."""

    def __init__(self, inventory: Inventory) -> None:
        self.refused: list[str] = []
        self.asked: list[str] = []
        self.postgres, self.nodes, self.regions, self.traffic = World(), NodeWorld(), Regions(), Traffic()
        systems, flexible, gateways = systems_of(self.postgres), Flexible(), Gateways()
        self.clients = Clients(
            inventory=inventory,
            systems=Systems(
                kubernetes=self._only("kubernetes", systems.kubernetes),
                leader_records=self._only("leader_records", systems.leader_records),
                gates=self._only("gates", systems.gates), postgres=self._only("postgres", systems.postgres),
            ),
            redis=self._only("redis", Redis()), nodes=self._only("nodes", self.nodes),
            workloads=self._only("workloads", PodWorld()), machines=dict.fromkeys(MachineKind, self._only("machines", self)),
            flexible=(self._only("flexible", flexible), self._only("flexible_sql", flexible)),
            traffic=TrafficClients(
                self._only("levers", self.traffic), self._only("levers", self.traffic),
                self._only("edge", self.traffic), self._only("names", self.traffic),
            ),
            gateways=(self._only("gateways", gateways), self._only("backends", gateways)),
            regions=(
                self._only("clusters", self.regions), self._only("overlays", self.regions), self._only("application", self),
            ),
            readings=self._only("readings", self.regions),
        )  # fmt: skip

    def _only(self, system: str, real: object) -> Any:
        return cast("Any", ReadOnly(system, real, self.refused, self.asked))
