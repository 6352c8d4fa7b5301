"""A region that fails over: the pair of Flexible Servers of ``tests.region.bench``, two clusters, and an application to ask.

Each test begins with whoever leads then: that server's region is the one that is lost, the other one survives.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web
from temporalio.client import Client
from temporalio.service import RPCError

from activities.clients.application import HttpApplication
from activities.clients.azure.readings import AzureReadings
from activities.clients.kubernetes.core import KubernetesClient
from activities.clients.kubernetes.regions import RegionsClient
from activities.clients.signatures import judge
from activities.region.changing import ServerActivities
from activities.region.evidence import EvidenceReader
from activities.region.failover_steps import RegionActivities
from activities.region.failover_survey import RegionLookActivities
from activities.region.following import FollowingActivities
from activities.region.lease import LeaseActivities
from activities.region.promotion import PromotionActivities
from activities.region.recovery_steps import RecoveryLookActivities
from activities.region.returning import ReturningActivities
from activities.region.route import FlexibleRouteActivities
from activities.region.survey import FlexibleLookActivities
from activities.run.inventory import EstateActivities
from activities.run.parents import ParentActivities
from activities.run.people import PeopleActivities
from activities.run.records import RecordsActivities
from deploy.lab.binaries import ensure_binaries
from tests.azure.pair import PRIMARY, REPLICA, AzurePair
from tests.postgres.bench import Handle
from tests.region.bench import DATABASE, RegionBench
from tests.region.clusters import CONTEXTS, PODS, Clusters, deployment
from tests.region.rendered_once import RenderedOnce
from tests.region.traffic_stand_in import BROKEN, SLOW, UNKNOWN, TrafficStandIn
from workflows.region.fence_models import fence_lock_id
from workflows.region.models import CONFIRM, CONFIRM_BACK, region_lock_id
from workflows.run.models import plan_id

REGION_OF = {PRIMARY: "eastus", REPLICA: "westus2"}
BEARER = "a bearer"
LOOKS_EVERY = timedelta(seconds=0.3)
"""At most, at a region that is waited for."""


class ApplicationServer:
    """What customers reach: health, readiness, and workflows for who has the token."""

    def __init__(self) -> None:
        self.healthy, self.submitted, self.url = True, list[str](), ""

    async def __aenter__(self) -> ApplicationServer:  # noqa: PYI034
        application = web.Application()
        application.add_routes([
            web.get("/health", self._health), web.get("/health/ready", self._health),
            web.post("/api/v1/workflows", self._submit),
        ])  # fmt: skip
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({}, status=200 if self.healthy else 503)

    async def _submit(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {BEARER}":
            return web.json_response({"error": "who are you"}, status=401)
        self.submitted.append((await request.json())["name"])
        return web.json_response({}, status=201)


class RegionFailoverBench(RegionBench):
    """A worker for it; ``lost`` and ``surviving`` are regions."""

    regions: RegionsClient

    def __init__(
        self, before: RegionBench, clusters: Clusters, application: ApplicationServer, lost: str, **entry: Any
    ) -> None:
        """Write an estate; ``entry`` replaces keys of the region's entry."""
        super().__init__(before.client, before.azure, before.folder)
        self.clusters, self.application = clusters, application
        self.lost, self.surviving = lost, next(one for one in CONTEXTS if one != lost)
        self.overlay = self.folder / "overlay"
        self.write_overlay([deployment("api-deployment", 2, image="api:dr")])
        self.light = self.folder / "light.yaml"
        self.light.write_text(yaml.safe_dump(deployment("api-deployment", PODS["api-deployment"])), encoding="utf-8")
        self.readings = AzureReadings(self.access)
        self.evidence = EvidenceReader(self.servers, self.readings, self.inventory)
        (self.folder / "token").write_text(BEARER, encoding="utf-8")
        self._write(entry)

    def _write(self, entry: dict[str, Any]) -> None:
        content = yaml.safe_load(self.estate.read_text(encoding="utf-8"))
        for region, one in content["regions"].items():
            one |= {"namespace": self.clusters.space, "context": CONTEXTS[region]}
        content["redis"] = {
            "mymaster": {"region": self.lost, "servers": ["redis-0", "redis-1"], "sentinels": ["s-0", "s-1", "s-2"]}
        }
        profile = {"resource_group": "rg", "endpoints": {one: one for one in CONTEXTS}}
        led = {
            "region": self.lost, "subscription": "00000000-0000-0000-0000-000000000000",
            "edge": {"url": self.application.url}, "regions": {one: {"health": self.application.url} for one in CONTEXTS},
        }  # fmt: skip
        content["traffic"] = {
            name: {**led, "traffic_manager": {**profile, "profile": name}} for name in ("api", BROKEN, UNKNOWN, SLOW)
        }
        asked = {"roles": ["Manager", "DBA", "CTO"], "window": "PT1M"}
        content["region_failovers"] = {
            self.lost: {
                "to": self.surviving, "databases": [DATABASE], "traffic": ["api"], "overlay": str(self.overlay),
                "pilot_light": str(self.light),
                "applications": list(PODS), "ready": {"within": "PT20S"}, "patience": "PT8S",
                "checks": {"url": self.application.url, "token": f"file:{self.folder / 'token'}"},
                "approvals": {"planned": asked, "forced": asked}, **entry,
            }
        }  # fmt: skip
        database = content["flexible_servers"][DATABASE]
        database["approvals"] = {"planned": {"roles": ["DBA"]}, "forced": {"roles": ["DBA", "CTO"]}}
        self.estate.write_text(yaml.safe_dump(content), encoding="utf-8")

    def change_entry(self, **entry: Any) -> None:
        """Replace keys of the region's entry in the estate."""
        content = yaml.safe_load(self.estate.read_text(encoding="utf-8"))
        content["region_failovers"][self.lost] |= entry
        self.estate.write_text(yaml.safe_dump(content), encoding="utf-8")

    def write_overlay(self, objects: list[dict[str, Any]]) -> None:
        """Write what is rendered."""
        self.overlay.mkdir(exist_ok=True)
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"key": "very secret"}}
        (self.overlay / "objects.yaml").write_text(yaml.safe_dump_all([secret, *objects]), encoding="utf-8")
        kustomization = {"resources": ["objects.yaml"], "commonAnnotations": {"overlay": "dr"}}
        (self.overlay / "kustomization.yaml").write_text(yaml.safe_dump(kustomization), encoding="utf-8")

    async def leave(self, mode: str = "planned", procedure: str = "region-failover", **more: Any) -> Handle:
        """Start a failover of the region."""
        request: dict[str, Any] = {
            "region": self.lost, "to": self.surviving, "confirm": CONFIRM, "mode": mode, "run": "real", "by": "omar",
            "reason": "a test", **more,
        }  # fmt: skip
        if procedure == "region-failback":
            del request["mode"]
        lock = region_lock_id(str(request["region"]))
        handle: Handle = await self.client.start_workflow(
            procedure,
            {key: value for key, value in request.items() if value is not None},
            id=plan_id(lock) if request["run"] == "plan" else lock,
            task_queue=self.queue,
        )
        self.started.append(handle)
        return handle

    async def back(self, **more: Any) -> Handle:
        """Start the failback of the region."""
        return await self.leave("planned", procedure="region-failback", **{"confirm": CONFIRM_BACK, "to": None, **more})

    async def vote(self, handle: Handle, *people: str, approve: bool = True) -> None:
        """Have people approve the plan that waits, or reject it."""
        plan = (await self.until_phase(handle, "awaiting approval")).plan
        assert plan is not None
        for one in people or ("mona", "dana", "carl"):
            await handle.execute_update("decide", {"by": one, "plan": plan.digest, "approve": approve})

    async def lost_and_approved(self, **more: Any) -> Handle:
        """Lose the database, start a forced failover, and have everybody approve it."""
        await self.lose_database()
        return await self.approved("forced", **more)

    async def back_and_approved(self, **more: Any) -> Handle:
        """Start the failback, and have everybody approve it."""
        handle = await self.back(**more)
        await self.vote(handle)
        return handle

    async def approved(self, mode: str = "planned", **more: Any) -> Handle:
        """Start one, and have everybody approve it."""
        handle = await self.leave(mode, **more)
        await self.vote(handle)
        return handle

    async def lose_database(self) -> None:
        """Kill the server that leads."""
        self.azure.servers.kill(next(name for name, region in REGION_OF.items() if region == self.lost))

    async def there(self) -> tuple[int, str]:
        """Return how many pods the application of the surviving region asks for, and with which image."""
        apps = self.clusters.apps(self.surviving)
        found: Any = await asyncio.to_thread(apps.read_namespaced_deployment, "api-deployment", self.clusters.space)
        return found.spec.replicas, found.spec.template.spec.containers[0].image

    @property
    def fence(self) -> Handle:
        """The newest run that waits for the lost region."""
        handle: Handle = self.client.get_workflow_handle(fence_lock_id(self.lost))
        return handle

    async def end_fence(self) -> None:
        """End what waits for the region."""
        with suppress(RPCError):
            await self.fence.terminate("the test is over")

    async def close(self) -> None:
        """End what waits for the region, too."""
        await self.end_fence()
        await super().close()

    async def scales(self) -> dict[str, int]:
        """Return what the applications of the lost region ask for."""
        return await asyncio.to_thread(self.clusters.scales, self.lost)

    async def holder(self) -> str:
        """Return who holds the Lease."""
        return await asyncio.to_thread(self.clusters.holder, self.surviving, self.lost)

    async def leads_there(self) -> bool:
        """Whether the surviving region's server leads."""
        return REGION_OF.get(await self.leader()) == self.surviving

    async def is_as_before(self) -> bool:
        """Whether nothing is left of a failover that did not come about."""
        seen = (await self.scales(), await self.there(), await self.holder(), await self.leads_there())
        print(seen)
        return seen == (PODS, (PODS["api-deployment"], "api:1"), "", False)


async def hold_lease(bench: RegionFailoverBench, holder: str, at: datetime) -> None:
    """Have another run hold the Lease, renewed at ``at``."""
    spec = {
        "holderIdentity": holder,
        "leaseDurationSeconds": 300,
        "renewTime": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    name = f"failover-region-{bench.lost}"
    body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": spec}
    leases = bench.clusters.leases(bench.surviving)
    if await bench.holder():
        await asyncio.to_thread(leases.patch_namespaced_lease, name, bench.clusters.space, body)
    else:
        await asyncio.to_thread(leases.create_namespaced_lease, bench.clusters.space, body)


@asynccontextmanager
async def leaving(
    client: Client, azure: AzurePair, folder: Path, clusters: Clusters, *, away: bool = False, **entry: Any
) -> AsyncIterator[RegionFailoverBench]:
    """Serve the region until the block ends; leave a healthy pair. ``away``: it was left before."""
    async with ApplicationServer() as application:
        before = RegionBench(client, azure, folder)
        await before.heal()
        lost = REGION_OF[await before.until_healthy()]
        lost = next(one for one in CONTEXTS if one != lost) if away else lost
        await before.servers.close()
        bench = RegionFailoverBench(before, clusters, application, lost, **entry)
        azure.emulator.log.clear()
        azure.emulator.faults.clear()
        if away:
            await asyncio.to_thread(clusters.sleep, lost)
            await asyncio.to_thread(clusters.overlay, bench.surviving, 2, "api:dr")
        regions, kustomize = RegionsClient(KubernetesClient()), RenderedOnce(str(ensure_binaries(print) / "kubectl"))
        bench.regions = regions
        bench.serve((
            EstateActivities(bench.inventory), RecordsActivities(bench.inventory), ParentActivities(),
            PeopleActivities(bench.inventory, judge),
            FlexibleLookActivities(bench.servers, bench.sql), PromotionActivities(bench.servers, bench.sql),
            FlexibleRouteActivities(bench.sql), RegionLookActivities(regions, kustomize, bench.evidence),
            LeaseActivities(regions), RegionActivities(regions, kustomize, HttpApplication()),
            ServerActivities(bench.servers, bench.sql),
            FollowingActivities(bench.servers, bench.sql, LOOKS_EVERY), RecoveryLookActivities(bench.inventory),
            ReturningActivities((bench.servers, bench.sql), (regions, kustomize, HttpApplication()), LOOKS_EVERY),
        ), others=(TrafficStandIn,))  # fmt: skip
        try:
            async with clusters.controlled(bench.lost if away else bench.surviving):
                yield bench
        finally:
            for relay in clusters.relays.values():
                await relay.allow()
            await bench.close()
            await bench.servers.close()
            await bench.readings.close()
