"""Finds what the estate says of one target: its entry with all that a run needs to know about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from estate.base import EstateError, Reference, Target
from estate.checklists import lists_of
from estate.drilled import DrillTarget
from estate.drills import Kind
from estate.flexible import FlexibleTarget
from estate.gateways import GatewayTarget
from estate.model import Estate
from estate.nodes import NodePoolTarget, NodeTarget
from estate.postgres import PostgresTarget
from estate.redis import RedisTarget
from estate.regions import RegionTarget, WatchedRegion
from estate.traffic import TrafficTarget
from estate.workloads import WorkloadTarget

E = TypeVar("E")


def resolve_target(estate: Estate, cluster: str) -> PostgresTarget:
    """Return ``cluster`` with all that a run needs to know about it.

    Raises:
        EstateError: the estate does not list it; names those that it lists.

    """
    found = _listed("cluster", cluster, estate.postgres)
    return PostgresTarget(cluster=found, **_shared(estate, PostgresTarget.KIND, cluster, found.region))


def resolve_flexible(estate: Estate, database: str) -> FlexibleTarget:
    """Return the database on Flexible Servers called ``database``.

    Raises:
        EstateError: the estate does not list it; names those that it lists.

    """
    found = _listed("database", database, estate.flexible_servers)
    places = {name: estate.regions[server.region].location for name, server in found.servers.items()}
    return FlexibleTarget(database=found, locations=places, **_shared(estate, FlexibleTarget.KIND, database, found.region))


def resolve_traffic(estate: Estate, name: str) -> TrafficTarget:
    """Return the public name called ``name``.

    Raises:
        EstateError: the estate does not list it; names those that it lists.

    """
    found = _listed("traffic", name, estate.traffic)
    places = {region: estate.regions[region].location for region in found.regions}
    return TrafficTarget(entry=found, locations=places, **_shared(estate, TrafficTarget.KIND, name, found.region))


def resolve_gateway(estate: Estate, gateway: str) -> GatewayTarget:
    """Return the application gateway called ``gateway``.

    Raises:
        EstateError: the estate does not list it; names those that it lists.

    """
    found = _listed("gateway", gateway, estate.gateways)
    return GatewayTarget(gateway=found, **_shared(estate, GatewayTarget.KIND, gateway, found.region))


def resolve_region(estate: Estate, region: str) -> RegionTarget:
    """Return the failover of ``region``, with the databases that move and the names of what has no replica elsewhere.

    Raises:
        EstateError: the estate does not list it; names those that it lists.

    """
    found = _listed("region", region, estate.region_failovers)
    lost = [f"PostgreSQL {name}" for name, one in sorted(estate.postgres.items()) if one.region == region]
    lost += [f"Redis {name}" for name, one in sorted(estate.redis.items()) if one.region == region]
    return RegionTarget(
        settings=found,
        to=estate.regions[found.to],
        databases=tuple(resolve_flexible(estate, one) for one in found.databases),
        without_replica=tuple(lost),
        **_shared(estate, RegionTarget.KIND, region, region),
    )


def resolve_watched_region(estate: Estate, region: str) -> WatchedRegion:
    """Return ``region`` as its witnesses look at it.

    Raises:
        EstateError: the estate does not list it, or has nobody look at it; names those that it lists.

    """
    watched = {name: one for name, one in estate.region_failovers.items() if one.watch is not None}
    found = _listed("region", region, watched)
    return WatchedRegion(
        watch=found.watch,
        to=found.to,
        survivor=estate.regions[found.to],
        names=tuple(resolve_traffic(estate, one) for one in found.traffic),
        **_shared(estate, WatchedRegion.KIND, region, region),
    )


def resolve_redis(estate: Estate, master: str) -> RedisTarget:
    """Return the Redis deployment with the master name ``master``.

    Raises:
        EstateError: the estate does not list it; names those that it lists.

    """
    found = _listed("master", master, estate.redis)
    return RedisTarget(deployment=found, **_shared(estate, RedisTarget.KIND, master, found.region))


def resolve_workload(estate: Estate, workload: str) -> WorkloadTarget:
    """Return the workload called ``workload``.

    Raises:
        EstateError: the estate does not list it; names those that it lists.

    """
    found = _listed("workload", workload, estate.workloads)
    return WorkloadTarget(workload=found, **_shared(estate, WorkloadTarget.KIND, workload, found.region))


def resolve_pool(estate: Estate, pool: str) -> NodePoolTarget:
    """Return the node pool called ``pool``.

    Raises:
        EstateError: the estate does not list it; names those that it lists.

    """
    found = _listed("pool", pool, estate.node_pools)
    return NodePoolTarget(settings=found, **_shared(estate, NodePoolTarget.KIND, pool, found.region))


def resolve_node(estate: Estate, node: str, pool: str) -> NodeTarget:
    """Return ``node`` as one of ``pool``, with all that may lead from it: what the estate has in the same region.

    Raises:
        EstateError: the estate does not list the pool; names those that it lists.

    """
    settings = resolve_pool(estate, pool).settings
    region = settings.region
    return NodeTarget(
        pool=pool,
        settings=settings,
        postgres=tuple(resolve_target(estate, one) for one, entry in estate.postgres.items() if entry.region == region),
        redis=tuple(resolve_redis(estate, one) for one, entry in estate.redis.items() if entry.region == region),
        **_shared(estate, NodeTarget.KIND, node, region),
    )


def resolve_drill(estate: Estate, name: str) -> DrillTarget:
    """Return the drill called ``name`` of the calendar, with what it looks at.

    Raises:
        EstateError: the estate does not list it; names those that it lists.

    """
    drills = estate.drills
    found = _listed("drill", name, drills.calendar if drills else {})
    of_kind = _DRILLED[found.kind](estate, found.target)
    subject: Target = next(one[0] if isinstance(one, tuple) else one for one in of_kind.values())
    application = resolve_workload(estate, found.application) if found.application else None
    return DrillTarget(
        name=name, region=subject.region, people=estate.people, drill=found, application=application, **of_kind,
        time_zone=drills.time_zone if drills else "UTC", maintenance=drills.maintenance if drills else (),
        checklists=lists_of(estate.checklists, DrillTarget.KIND, name),
    )  # fmt: skip


def _node_drill(estate: Estate, name: str) -> dict[str, Any]:
    pool = resolve_pool(estate, name)
    region = pool.settings.region

    def there(resolve: Callable[[Estate, str], E], entries: Mapping[str, Any]) -> tuple[E, ...]:
        return tuple(resolve(estate, one) for one, entry in entries.items() if entry.region == region)

    return {
        "pool": pool,
        "postgres": there(resolve_target, estate.postgres),
        "redis": there(resolve_redis, estate.redis),
        "workloads": there(resolve_workload, estate.workloads),
    }


def _region_drill(estate: Estate, name: str) -> dict[str, Any]:
    region = resolve_region(estate, name)
    return {"moved": region, "traffic": tuple(resolve_traffic(estate, one) for one in region.settings.traffic)}


_DRILLED: dict[Kind, Callable[[Estate, str], dict[str, Any]]] = {
    Kind.POD: lambda estate, name: {"workload": resolve_workload(estate, name)},
    Kind.NODE: _node_drill,
    Kind.REDIS: lambda estate, name: {"redis": (resolve_redis(estate, name),)},
    Kind.DATABASE: lambda estate, name: {"postgres": (resolve_target(estate, name),)},
    Kind.REGION: _region_drill,
}
"""What is drilled, first, and what a drill looks at besides."""


def resolve_reference(estate: Estate, wanted: Reference) -> Target:
    """Return what the estate says of ``wanted``, which may be something else than when it was looked up first.

    Raises:
        EstateError: the estate does not list it.

    """
    if wanted.kind == NodeTarget.KIND:
        return resolve_node(estate, wanted.name, wanted.pool)
    if wanted.kind not in _BY_NAME:
        raise EstateError(f"kind: the estate lists no {wanted.kind!r}")
    return _BY_NAME[wanted.kind](estate, wanted.name)


_BY_NAME: dict[str, Callable[[Estate, str], Target]] = {
    PostgresTarget.KIND: resolve_target,
    FlexibleTarget.KIND: resolve_flexible,
    GatewayTarget.KIND: resolve_gateway,
    RegionTarget.KIND: resolve_region,
    RedisTarget.KIND: resolve_redis,
    TrafficTarget.KIND: resolve_traffic,
    WatchedRegion.KIND: resolve_watched_region,
    WorkloadTarget.KIND: resolve_workload,
    NodePoolTarget.KIND: resolve_pool,
    DrillTarget.KIND: resolve_drill,
}
"""Kind → how its name is resolved. A node needs its pool as well."""


def _shared(estate: Estate, kind: str, name: str, region: str) -> dict[str, Any]:
    """Return what every target carries with it."""
    lists = lists_of(estate.checklists, kind, name)
    return {"name": name, "region": estate.regions[region], "people": estate.people, "checklists": lists}


def _listed(field: str, name: str, entries: Mapping[str, E]) -> E:
    """Return the entry called ``name``, or say that what was given as ``field`` is not listed."""
    if name not in entries:
        raise EstateError(f"{field}: the estate does not list {name!r}; it lists {', '.join(sorted(entries)) or 'none'}")
    return entries[name]
