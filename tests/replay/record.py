"""Records histories anew: ``python -m tests.replay.record`` (all) or ``python -m tests.replay.record NAME …``.

The real workflows run on a real server, in front of the fakes; those of Redis and the region in front of real servers. What
replay does not look at is left out: what the steps were told, and stack traces.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from kubernetes.config import kube_config
from temporalio.client import Client

from tests.detection.bench import watching
from tests.drills.bench import drilling
from tests.fakes.world import World
from tests.gateways.bench import serving as serving_gateway
from tests.gateways.world import gateway_world
from tests.nodes.bench import serving as serving_node
from tests.pods.bench import serving as serving_pods
from tests.postgres.bench import Handle, serving
from tests.redis.bench import serving as serving_redis
from tests.redis.cluster import running
from tests.region.bench import running as running_azure
from tests.region.bench import serving as serving_region
from tests.region.clusters import clusters_of, two_servers
from tests.region.failover_bench import leaving
from tests.replay.cluster_runs import NODE_RUNS, POD_RUNS, POOLS, WORKLOADS
from tests.replay.drill_runs import DRILL_RUNS
from tests.replay.endings import ENDINGS
from tests.replay.gateway_runs import GATEWAY_RUNS, GATEWAYS
from tests.replay.notices_runs import NOTICES_RUNS
from tests.replay.readiness_runs import READINESS_RUNS
from tests.replay.redis_runs import DEPLOYMENTS, REDIS_RUNS
from tests.replay.region_failover_runs import REGION_FAILOVER_RUNS, REGIONS
from tests.replay.region_runs import DATABASES, REGION_RUNS
from tests.replay.returning_runs import RETURNING_RUNS
from tests.replay.runs import RUNS
from tests.replay.traffic_runs import PUBLIC_NAMES, TRAFFIC_RUNS
from tests.replay.watch_runs import WATCH_RUNS
from tests.temporal_server import start_server
from tests.traffic.bench import serving as serving_traffic

POSTGRES_RUNS = {**RUNS, **ENDINGS, **READINESS_RUNS, **NOTICES_RUNS}
ALL = {
    *POSTGRES_RUNS, *REDIS_RUNS, *REGION_RUNS, *REGION_FAILOVER_RUNS, *POD_RUNS, *NODE_RUNS, *WATCH_RUNS, *TRAFFIC_RUNS,
    *GATEWAY_RUNS, *RETURNING_RUNS, *DRILL_RUNS,
}  # fmt: skip
HISTORIES = Path(__file__).parent / "histories"


async def record(names: list[str]) -> None:
    """Record the runs called ``names``."""
    async for name, ending, events in recordings(names):
        text = as_text([_without_ballast(event) for event in events])
        (HISTORIES / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        sys.stdout.write(f"{name}: {ending}, {len(events)} events, {len(text) // 1024} KiB\n")


async def recordings(names: list[str]) -> AsyncIterator[tuple[str, str, list[Any]]]:
    """Make the runs called ``names``; yield each one's name, how it ended, and its events with all that they hold."""
    environment = await start_server(identity="recorder")
    async with environment:
        for name in names:
            with tempfile.TemporaryDirectory(prefix="failover-recording-") as folder:
                handle, ending = await _way(name)(environment.client, Path(folder), name)
                yield name, ending, json.loads((await handle.fetch_history()).to_json())["events"]


def as_text(events: list[Any]) -> str:
    """Return a history as it is written to a file."""
    return json.dumps({"events": events}, separators=(",", ":"))


async def _postgres(client: Client, folder: Path, name: str) -> tuple[Handle, str]:
    golden = POSTGRES_RUNS[name]
    async with serving(client, folder, World(), records=None, **golden.estate) as bench:
        handle = await golden.run(bench)
        return handle, await bench.ending(handle)


def _way(name: str) -> Callable[[Client, Path, str], Awaitable[tuple[Handle, str]]]:
    return next((way for runs, way in _WAYS if name in runs), _postgres)


async def _watch(client: Client, folder: Path, name: str) -> tuple[Handle, str]:
    policy, run = WATCH_RUNS[name]
    async with watching(client, folder, policy, records=None) as bench:
        handle = await run(bench)
        return handle, await bench.bench.ending(handle)


async def _pods(client: Client, folder: Path, name: str) -> tuple[Handle, str]:
    async with serving_pods(client, folder, **WORKLOADS.get(name, {})) as bench:
        handle = await POD_RUNS[name](bench)
        return handle, (await bench.ending(handle))[0]


async def _node(client: Client, folder: Path, name: str) -> tuple[Handle, str]:
    async with serving_node(client, folder, **POOLS.get(name, {})) as bench:
        handle = await NODE_RUNS[name](bench)
        return handle, (await bench.ending(handle))[0]


async def _drill(client: Client, folder: Path, name: str) -> tuple[Handle, str]:
    async with drilling(client, folder, records=None) as bench:
        handle = await DRILL_RUNS[name](bench)
        return handle, await bench.bench.ending(handle)


async def _redis(client: Client, folder: Path, name: str) -> tuple[Handle, str]:
    with running(_made(folder / "redis"), down_after=2000) as cluster:
        async with serving_redis(client, cluster, folder, **DEPLOYMENTS.get(name, {})) as bench:
            handle = await REDIS_RUNS[name](bench)
            return handle, (await bench.ending(handle))[0]


async def _region(client: Client, folder: Path, name: str) -> tuple[Handle, str]:
    async with running_azure() as azure, serving_region(client, azure, folder, **DATABASES.get(name, {})) as bench:
        handle = await REGION_RUNS[name](bench)
        return handle, (await bench.ending(handle))[0]


async def _traffic(client: Client, folder: Path, name: str) -> tuple[Handle, str]:
    async with serving_traffic(client, folder, "both", **PUBLIC_NAMES.get(name, {})) as bench:
        handle = await TRAFFIC_RUNS[name](bench)
        return handle, (await bench.ending(handle))[0]


async def _gateway(client: Client, folder: Path, name: str) -> tuple[Handle, str]:
    async with gateway_world() as world, serving_gateway(client, world, folder, **GATEWAYS.get(name, {})) as bench:
        await world.until_up()
        handle = await GATEWAY_RUNS[name](bench)
        return handle, (await bench.ending(handle))[0]


async def _leave(client: Client, folder: Path, name: str) -> tuple[Handle, str]:
    with two_servers(_made(folder / "servers")) as servers:
        async with running_azure() as azure, clusters_of(servers, folder) as clusters:
            kube_config.KUBE_CONFIG_DEFAULT_LOCATION = str(clusters.kubeconfig)
            async with leaving(client, azure, folder, clusters, **REGIONS.get(name, {})) as bench:
                handle = await {**REGION_FAILOVER_RUNS, **RETURNING_RUNS}[name](bench)
                return handle, (await bench.ending(handle))[0]


_WAYS = (
    (REDIS_RUNS, _redis), (REGION_RUNS, _region), (REGION_FAILOVER_RUNS, _leave), (RETURNING_RUNS, _leave),
    (TRAFFIC_RUNS, _traffic), (GATEWAY_RUNS, _gateway), (WATCH_RUNS, _watch), (POD_RUNS, _pods), (NODE_RUNS, _node),
    (DRILL_RUNS, _drill),
)  # fmt: skip


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _without_ballast(part: Any) -> Any:
    """Return ``part`` of a history without what replay does not look at."""
    if isinstance(part, list):
        return [_without_ballast(one) for one in part]
    if not isinstance(part, dict):
        return part
    kept = {key: _without_ballast(value) for key, value in part.items() if key != "stackTrace"}
    if "activityTaskScheduledEventAttributes" in kept:
        kept["activityTaskScheduledEventAttributes"].pop("input", None)
    return kept


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:] or [*ALL]))
    sys.stdout.flush()
    os._exit(0)
