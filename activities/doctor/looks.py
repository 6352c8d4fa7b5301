"""Doctor's look at what the estate lists: clusters, masters, workloads, witnesses and nodes, and what we may do to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.clients.ports import ForbiddenError, MissingError, UnreachableError
from activities.clients.secrets import read_secret
from activities.clients.systems import Systems
from activities.detection.doctor import of_detection
from activities.nodes.doctor import MachineLook
from activities.notices.doctor import of_notices
from activities.postgres.availability import standing_of as standing_of_postgres
from activities.postgres.doctor import of_survey
from activities.postgres.models.survey import SurveyRequest
from activities.postgres.survey import SurveyActivities
from activities.redis.doctor import of_redis
from activities.redis.doctor import standing_of as standing_of_redis
from activities.redis.survey import survey_of
from activities.region.doctor import FlexibleDoctor
from activities.region.failover_doctor import RegionDoctor
from activities.run.findings import fault, ok, warning
from activities.run.models.doctor import Finding, Standing
from activities.traffic.doctor import TrafficDoctor
from activities.traffic.gateway_doctor import GatewayDoctor
from estate.base import Region, Target
from estate.model import Estate
from estate.postgres import PostgresTarget, ProofKind
from estate.redis import RedisTarget
from estate.resolving import (
    resolve_flexible,
    resolve_gateway,
    resolve_redis,
    resolve_region,
    resolve_target,
    resolve_traffic,
    resolve_workload,
)
from estate.workloads import WorkloadTarget

if TYPE_CHECKING:
    from activities.clients.ports import Permissions, RedisServers

T = TypeVar("T")
Right = tuple[str, str, str, str]
"""Verb, resource, name (empty: any) and API group."""
_PATIENCE = timedelta(seconds=2)
_BRIEFLY, _BRIEF = timedelta(seconds=0.6), timedelta(seconds=1.8)
"""A brief look: for one witness; for a cluster as a whole."""
_NO = (UnreachableError, ForbiddenError, MissingError)
_NODES_REMEDY = "see worker/node-access.yaml: ClusterRoleBinding failover-nodes must name the worker's account and namespace"
_GUARD_REMEDY = (
    "apply worker/guard.yaml (Kubernetes 1.30 or later), and the rule guard.failover of the Role (worker/access.yaml):"
    " by it the guard knows a worker"
)


class Doctors(NamedTuple):
    """One for each kind of thing that lies in more than one region, or in Azure."""

    databases: FlexibleDoctor
    gateways: GatewayDoctor
    traffic: TrafficDoctor
    regions: RegionDoctor


class SubjectLook:
    """Looks through every client that there is."""

    def __init__(
        self, systems: Systems, redis: RedisServers, permissions: Permissions, machines: MachineLook,
        doctors: Doctors,
    ) -> None:  # fmt: skip
        """Look at clusters through ``systems``, at masters through ``redis``, the rest through ``doctors``."""
        self._systems, self._redis, self._doctors = systems, redis, doctors
        self._permissions, self._machines = permissions, machines

    async def at(self, estate: Estate, name: str | None) -> list[Finding]:
        """Return a finding per thing looked at: of what is called ``name``, or of everything. Never raises for them."""
        findings: list[Finding] = []
        for target in _called(name, estate, estate.postgres, resolve_target):
            findings += await self._cluster(target)
        for master in _called(name, estate, estate.redis, resolve_redis):
            findings += await self._redis_master(master)
        findings += await self._beyond_one_region(estate, name)
        for workload in _called(name, estate, estate.workloads, resolve_workload):
            findings += await self._workload(workload)
        if name is None:
            findings += await of_detection(activity.client(), activity.info().task_queue, estate)
            findings += await of_notices(activity.client(), estate)
            for place in sorted({pool.region for pool in estate.node_pools.values()}):
                findings += await self._pools_of(estate.regions[place])
            for key, pool in sorted(estate.node_pools.items()):
                findings += await self._machines.of_pool(key, pool, estate.regions[pool.region])
        return findings

    async def _beyond_one_region(self, estate: Estate, name: str | None) -> list[Finding]:
        findings: list[Finding] = []
        for database in _called(name, estate, estate.flexible_servers, resolve_flexible):
            findings += await self._doctors.databases.at(database)
        for gateway in _called(name, estate, estate.gateways, resolve_gateway):
            findings += await self._doctors.gateways.at(gateway)
        for public in _called(name, estate, estate.traffic, resolve_traffic):
            findings += await self._doctors.traffic.at(public)
        for region in _called(name, estate, estate.region_failovers, resolve_region):
            findings += await self._doctors.regions.at(region)
        return findings

    async def standing(self, estate: Estate) -> list[Standing]:
        """Return whether each cluster takes writes, with little patience. Never raises for one that is silent."""
        clusters = [resolve_target(estate, name) for name in sorted(estate.postgres)]
        masters = [resolve_redis(estate, name) for name in sorted(estate.redis)]
        databases = [resolve_flexible(estate, name) for name in sorted(estate.flexible_servers)]
        found = await asyncio.gather(
            *map(self._cluster_stands, clusters),
            *map(self._master_stands, masters),
            *(self._doctors.databases.standing(one) for one in databases),
        )
        return list(found)

    async def _cluster_stands(self, target: PostgresTarget) -> Standing:
        request = SurveyRequest(target=target, evidence=False, patience=_BRIEFLY)
        try:
            async with asyncio.timeout(_BRIEF.total_seconds()):
                return standing_of_postgres(target, await SurveyActivities(self._systems).survey(request))
        except (ApplicationError, UnreachableError, TimeoutError) as error:
            why = f"cannot be surveyed: {str(error) or f'no answer within {_BRIEF.total_seconds():g} s'}"
            return Standing(kind="postgres", name=target.name, message=why, remedy=f"failover doctor {target.name}")

    async def _master_stands(self, target: RedisTarget) -> Standing:
        try:
            survey = await survey_of(self._redis, target, _BRIEFLY, address_within=_BRIEFLY)
        except ApplicationError as error:
            return Standing(kind="redis", name=target.name, message=error.message, remedy=f"failover doctor {target.name}")
        return standing_of_redis(target, survey)

    async def _cluster(self, target: PostgresTarget) -> list[Finding]:
        cluster = target.cluster
        missing = [self._secret(reference) for reference in (cluster.gate.token, cluster.login.password)]
        if any(missing):
            return [finding for finding in missing if finding]
        findings = [ok(target.name, "every secret can be read")]
        try:
            findings += of_survey(target, await SurveyActivities(self._systems).survey(SurveyRequest(target=target)))
        except (ApplicationError, UnreachableError) as error:
            remedy = "see the worker's network and service account"
            findings.append(fault(target.name, f"cannot be surveyed: {error}", remedy))
        findings.append(await self._write(target))
        findings.append(await self._selector(target))
        findings += [await self._application(target, one.deployment) for one in cluster.applications]
        findings += await self._guard(target)
        return findings + await self._may_all(target.region, _rights_for(target))

    async def _redis_master(self, target: RedisTarget) -> list[Finding]:
        deployment = target.deployment
        if deployment.password and (missing := self._secret(deployment.password)):
            return [missing]
        findings = of_redis(target, await survey_of(self._redis, target, _PATIENCE))
        pods = [("get", "pods", name, "") for name in (*deployment.servers, *deployment.sentinels)]
        return [*findings, *await self._may_all(target.region, pods)]

    async def _workload(self, target: WorkloadTarget) -> list[Finding]:
        workload = target.workload
        wanted = [("get", "deployments", workload.deployment, "apps"), ("list", "pods", "", ""), ("delete", "pods", "", "")]
        wanted += [("get", "pods/log", "", ""), ("list", "events", "", "")]
        wanted += [("get", "services", workload.service, "")] if workload.service else []
        return [await self._application(target, workload.deployment), *await self._may_all(target.region, wanted)]

    async def _pools_of(self, region: Region) -> list[Finding]:
        wanted = [(verb, "nodes", "", "") for verb in ("get", "list", "patch")]
        wanted += [("list", "persistentvolumes", "", "")]
        wanted += [("list", "pods", "", ""), ("delete", "pods", "", ""), ("create", "pods/eviction", "", "")]
        return await self._may_all(region, wanted, _NODES_REMEDY)

    async def _guard(self, target: PostgresTarget) -> list[Finding]:
        """Try to delete a member's pod, as a dry run: the admission policy must deny it, whatever our account is called."""
        subject = f"{target.name}: guard"
        for member in target.cluster.members:
            try:
                if await self._permissions.may_delete(target.region, member):
                    words = f"nothing keeps a worker from deleting the pod {member} and the others that keep data"
                    return [warning(subject, words, _GUARD_REMEDY)]
            except MissingError:
                continue
            except _NO as error:
                return [warning(subject, str(error), "ask again once the API server answers")]
            return [ok(subject, f"no worker may delete {member}")]
        return []

    def _secret(self, reference: str) -> Finding | None:
        try:
            read_secret(reference)
        except ApplicationError as error:
            return fault("secrets", error.message, "mount or set it for the worker")
        return None

    async def _write(self, target: PostgresTarget) -> Finding:
        """Try the write that proves a route after a failover, in a transaction that is rolled back."""
        subject = f"Service {target.cluster.write_service}"
        try:
            refused = await self._systems.postgres.try_write(target)
        except _NO as error:
            return warning(subject, f"a write through it could not be tried: {error}", "see what is said of its leader")
        if refused:
            remedy = f"let role {target.cluster.login.user} write to schema failover: a failover cannot prove its route"
            return fault(subject, f"its leader refuses failover's own write: {refused}", remedy)
        return ok(subject, "takes failover's own write (rolled back)")

    async def _selector(self, target: PostgresTarget) -> Finding:
        subject = f"Service {target.cluster.write_service}"
        try:
            managers = await self._permissions.selector_managers(target.region, target.cluster.write_service)
        except _NO as error:
            return fault(subject, str(error), "see the estate's write_service and the worker's Role")
        if others := [name for name in managers if name != "failover"]:
            remedy = "take spec.selector out of what it applies, or it will move writes back"
            return fault(subject, f"its selector is also owned by {', '.join(others)}", remedy)
        return ok(subject, "nobody else owns its selector")

    async def _application(self, target: Target, deployment: str) -> Finding:
        subject = f"Deployment {deployment}"
        try:
            rollout = await self._systems.kubernetes.deployment_progress(target.region, deployment)
        except _NO as error:
            return fault(subject, str(error), "see that Deployment in the estate, and the worker's Role")
        ready = f"{rollout.ready} of {rollout.wanted} pods ready"
        if rollout.hindrance:
            command = "rollout resume" if rollout.paused else "describe"
            return warning(subject, f"{rollout.hindrance}; {ready}", f"kubectl {command} deployment/{deployment}")
        if rollout.ready < rollout.wanted:
            return warning(subject, ready, f"kubectl describe deployment {deployment}")
        return ok(subject, ready)

    async def _may_all(self, region: Region, wanted: list[Right], remedy: str = "") -> list[Finding]:
        """Return a finding per missing permission, or one that says that all are there."""
        remedy = (
            remedy or f"see worker/access.yaml: the Role failover-worker in namespace {region.namespace}, with your names"
        )
        refused = []
        for verb, resource, name, group in wanted:
            try:
                if not await self._permissions.may(region, verb, resource, name, group):
                    what = f"may not {verb} {resource} {name}".rstrip()
                    refused.append(fault("permissions", what, remedy))
            except _NO as error:
                return [fault("permissions", str(error), "see the region's context in the estate")]
        return refused or [ok("permissions", f"all {len(wanted)} that a switch needs are granted")]


def _called(name: str | None, estate: Estate, section: Iterable[str], resolve: Callable[[Estate, str], T]) -> list[T]:
    return [resolve(estate, one) for one in sorted(section) if name in {None, one}]


def _rights_for(target: PostgresTarget) -> list[Right]:
    cluster = target.cluster
    wanted = [("get", "services", cluster.write_service, ""), ("patch", "services", cluster.write_service, "")]
    wanted += [("get", kind, name, "") for kind in ("pods", "pods/log") for name in cluster.members]
    if ProofKind.ISOLATION in cluster.forced.proof:
        wanted += [(verb, "leases", cluster.write_service, "coordination.k8s.io") for verb in ("get", "patch")]
    wanted += [("list", "pods", "", ""), ("list", "endpointslices", "", "discovery.k8s.io")]
    deployments = [one.deployment for one in cluster.applications]
    return [*wanted, *((verb, "deployments", name, "apps") for name in deployments for verb in ("get", "patch"))]
