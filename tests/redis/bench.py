"""Real servers and Sentinels on loopback addresses, a real Temporal server, and a worker that serves ``redis-failover``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml
from temporalio.client import Client

from activities.clients.kubernetes.addresses import Addresses
from activities.clients.redis import RedisClient
from activities.postgres.models.survey import PodFact
from activities.redis.election import RedisElectActivities
from activities.redis.measure import RedisMeasureActivities
from activities.redis.models import RedisSurvey
from activities.redis.post_promotion import RedisAftermathActivities
from activities.redis.survey import RedisLookActivities, survey_of
from activities.redis.transfer import RedisSwitchActivities
from activities.run.inventory import EstateActivities
from activities.run.records import RecordsActivities
from estate.base import Region
from estate.loader import load_estate
from estate.redis import RedisTarget
from estate.resolving import resolve_redis
from tests.fakes.faults import Faults
from tests.postgres.bench import Handle
from tests.redis.cluster import PASSWORD, SENTINELS, SERVERS, Cluster
from tests.run.served import Served
from workflows.redis.models import redis_lock_id
from workflows.run.models import plan_id

MASTER = "mymaster"
_LONGEST = timedelta(seconds=90)


class Pods:
    """Says where the members are, as the API server would."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def pods(self, region: Region, names: tuple[str, ...]) -> dict[str, PodFact]:  # noqa: ARG002 - the Protocol's
        addresses = self._cluster.addresses
        return {one: PodFact(name=one, phase="Running", ready=True, address=addresses[one]) for one in names}

    async def service_address(self, region: Region, service: str) -> str | None:
        raise NotImplementedError


class RedisBench(Served):
    """One deployment and a worker for it."""

    told = "leader"

    def __init__(self, client: Client, cluster: Cluster, folder: Path, **changes: Any) -> None:
        """Write an estate; ``changes`` replace keys of the deployment's entry."""
        super().__init__(client, f"redis-{uuid4().hex[:8]}", Faults())
        self.cluster, self.folder = cluster, folder
        self.estate = folder / "estate.yaml"
        (folder / "password").write_text(PASSWORD, encoding="utf-8")
        entry = {
            "region": "eastus", "servers": list(SERVERS), "sentinels": list(SENTINELS),
            "password": f"file:{folder / 'password'}", **changes,
        }  # fmt: skip
        content = {
            "regions": {"eastus": {"location": "East US", "namespace": "aiagent-prod"}},
            "redis": {MASTER: entry},
            "people": {"dana": ["DBA"], "omar": ["DBA"]},
            "records": str(folder / "records"),
        }
        self.estate.write_text(yaml.safe_dump(content), encoding="utf-8")
        self.redis = RedisClient(Addresses(Pods(cluster)))

    @property
    def target(self) -> RedisTarget:
        return resolve_redis(load_estate(self.estate), MASTER)

    async def start(self, mode: str = "planned", **more: Any) -> Handle:
        """Start a failover."""
        request = {"master": MASTER, "mode": mode, "run": "real", "by": "omar", "reason": "a test", **more}
        lock = redis_lock_id(MASTER)
        handle: Handle = await self.client.start_workflow(
            "redis-failover",
            request,
            id=plan_id(lock) if request["run"] == "plan" else lock,
            task_queue=self.queue,
            execution_timeout=_LONGEST,
        )
        self.started.append(handle)
        return handle

    async def survey(self) -> RedisSurvey:
        return await survey_of(self.redis, self.target, timedelta(seconds=1))

    async def leader(self) -> str:
        found = (await self.survey()).master
        return found.name if found else ""

    async def until_whole(self, seconds: float = 30) -> None:
        """Wait until one master leads, all follow it, and everybody could fail over again."""
        async with asyncio.timeout(seconds):
            while not await asyncio.to_thread(self.cluster.is_whole):
                await asyncio.sleep(0.1)


@asynccontextmanager
async def serving(client: Client, cluster: Cluster, folder: Path, **changes: Any) -> AsyncIterator[RedisBench]:
    """Serve the deployment until the block ends."""
    bench = RedisBench(client, cluster, folder, **changes)
    cluster.start_missing()
    await bench.until_whole()
    redis = bench.redis
    steps = (
        RedisLookActivities,
        RedisSwitchActivities,
        RedisElectActivities,
        RedisAftermathActivities,
        RedisMeasureActivities,
    )
    owners = (EstateActivities(bench.inventory), RecordsActivities(bench.inventory), *(one(redis) for one in steps))
    bench.serve(owners)
    try:
        yield bench
    finally:
        await bench.close()
