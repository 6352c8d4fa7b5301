"""Looks at everything that a switch would need, and changes nothing.

Each look that fails becomes a finding of its own, so that one silent system does not hide the others.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from temporalio import activity
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from activities.clients.ports import ForbiddenError, MissingError, UnreachableError
from activities.clients.secrets import read_secret
from activities.nodes.doctor import MachineLook
from activities.postgres.doctor import fault, of_survey, ok, warning
from activities.postgres.models.survey import SurveyRequest
from activities.postgres.survey import SurveyActivities
from activities.postgres.systems import Systems
from activities.redis.doctor import of_redis
from activities.redis.survey import survey_of
from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.models.doctor import DoctorReport, ExamineRequest, Finding
from activities.run.pollers import of_witnesses
from activities.run.postures import READ
from estate.base import Region, Target
from estate.loader import EstateError, load_estate, resolve_redis, resolve_target, resolve_workload
from estate.model import Estate
from estate.postgres import PostgresTarget, ProofKind
from estate.redis import RedisTarget
from estate.workloads import WorkloadTarget

if TYPE_CHECKING:
    from activities.clients.ports import Permissions, RedisServers

_RETENTION = timedelta(days=30)
_PATIENCE = timedelta(seconds=2)
_NO = (UnreachableError, ForbiddenError, MissingError)


class DoctorActivities:
    """The looking half of ``failover doctor``."""

    def __init__(
        self, path: Path, systems: Systems, redis: RedisServers, permissions: Permissions, machines: MachineLook
    ) -> None:
        """Examine the estate at ``path``."""
        self._path = path
        self._systems, self._redis = systems, redis
        self._permissions, self._machines = permissions, machines

    @step("doctor.examine", READ, lambda _: "examine")
    async def examine(self, request: ExamineRequest) -> DoctorReport:
        """Return one finding per thing looked at. Never raises for what it finds.

        Raises:
            ApplicationError: ``BadInput`` for a cluster that the estate does not list.

        """
        findings = [await self._temporal()]
        try:
            estate = load_estate(self._path)
        except EstateError as error:
            return DoctorReport(findings=(*findings, fault("estate", str(error), "correct the estate file")))
        clusters, masters, workloads = _wanted(estate, request.cluster)
        counts = (
            f"{len(estate.postgres)} PostgreSQL clusters, {len(estate.redis)} Redis masters,"
            f" {len(estate.workloads)} workloads, {len(estate.people)} people"
        )
        findings.append(ok("estate", counts))
        findings.append(await asyncio.to_thread(_records, estate.records))
        for target in clusters:
            findings += [finding async for finding in self._cluster(target)]
        for master in masters:
            findings += await self._redis_master(master)
        for workload in workloads:
            findings += await self._workload(workload)
        if request.cluster is None:
            findings += await of_witnesses(activity.client(), activity.info().task_queue, estate.witnesses)
            for region in sorted({pool.region for pool in estate.node_pools.values()}):
                findings += await self._pool(estate.regions[region])
            for name, pool in sorted(estate.node_pools.items()):
                findings += await self._machines.of_pool(name, pool, estate.regions[pool.region])
        return DoctorReport(findings=tuple(findings))

    async def _temporal(self) -> Finding:
        client = activity.client()
        try:
            answer = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
        except RPCError as error:
            return warning("Temporal", f"does not describe its namespace: {error.message}", "grant the worker read access")
        kept = answer.config.workflow_execution_retention_ttl.ToTimedelta()
        if kept < _RETENTION:
            remedy = f"temporal operator namespace update -n {client.namespace} --retention 90d"
            return warning("Temporal", f"forgets closed runs after {kept}", remedy)
        return ok("Temporal", f"namespace {client.namespace} keeps closed runs for {kept.days} days")

    async def _cluster(self, target: PostgresTarget) -> AsyncIterator[Finding]:
        cluster = target.cluster
        missing = [self._secret(reference) for reference in (cluster.gate.token, cluster.login.password)]
        if any(missing):
            for finding in filter(None, missing):
                yield finding
            return
        yield ok(target.name, "every secret can be read")
        try:
            survey = await SurveyActivities(self._systems).survey(SurveyRequest(target=target))
        except (ApplicationError, UnreachableError) as error:
            yield fault(target.name, f"cannot be surveyed: {error}", "see the worker's network and service account")
        else:
            for finding in of_survey(target, survey):
                yield finding
        yield await self._selector(target)
        for application in cluster.applications:
            yield await self._application(target, application.deployment)
        for finding in await self._rights(target):
            yield finding

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

    async def _pool(self, region: Region) -> list[Finding]:
        wanted = [(verb, "nodes", "", "") for verb in ("get", "list", "patch")]
        wanted += [("list", "pods", "", ""), ("delete", "pods", "", ""), ("create", "pods/eviction", "", "")]
        return await self._may_all(region, wanted)

    def _secret(self, reference: str) -> Finding | None:
        try:
            read_secret(reference)
        except ApplicationError as error:
            return fault("secrets", error.message, "mount or set it for the worker")
        return None

    async def _selector(self, target: PostgresTarget) -> Finding:
        service = target.cluster.write_service
        try:
            managers = await self._permissions.selector_managers(target.region, service)
        except _NO as error:
            return fault(f"Service {service}", str(error), "see the estate's write_service and the worker's Role")
        others = [name for name in managers if name != "failover"]
        if others:
            remedy = "take spec.selector out of what it applies, or it will move writes back"
            return fault(f"Service {service}", f"its selector is also owned by {', '.join(others)}", remedy)
        return ok(f"Service {service}", "nobody else owns its selector")

    async def _application(self, target: Target, deployment: str) -> Finding:
        subject = f"Deployment {deployment}"
        try:
            ready, wanted, _ = await self._systems.kubernetes.deployment_progress(target.region, deployment)
        except _NO as error:
            return fault(subject, str(error), "see that Deployment in the estate, and the worker's Role")
        if ready < wanted:
            return warning(subject, f"{ready} of {wanted} pods ready", f"kubectl describe deployment {deployment}")
        return ok(subject, f"{ready} of {wanted} pods ready")

    async def _rights(self, target: PostgresTarget) -> list[Finding]:
        """Return a finding per missing permission, or one that says that all are there."""
        cluster = target.cluster
        wanted = [("get", "services", cluster.write_service, ""), ("patch", "services", cluster.write_service, "")]
        wanted += [("get", kind, name, "") for kind in ("pods", "pods/log") for name in cluster.members]
        if ProofKind.ISOLATION in cluster.forced.proof:
            wanted += [(verb, "leases", cluster.write_service, "coordination.k8s.io") for verb in ("get", "patch")]
        wanted += [("list", "pods", "", ""), ("list", "endpointslices", "", "discovery.k8s.io")]
        wanted += [
            (verb, "deployments", one.deployment, "apps") for one in cluster.applications for verb in ("get", "patch")
        ]
        return await self._may_all(target.region, wanted)

    async def _may_all(self, region: Region, wanted: list[tuple[str, str, str, str]]) -> list[Finding]:
        refused = []
        for verb, resource, name, group in wanted:
            try:
                if not await self._permissions.may(region, verb, resource, name, group):
                    what = f"may not {verb} {resource} {name}".rstrip()
                    refused.append(fault("permissions", what, "bind the worker's service account to the shipped Role"))
            except _NO as error:
                return [fault("permissions", str(error), "see the region's context in the estate")]
        return refused or [ok("permissions", f"all {len(wanted)} that a switch needs are granted")]


def _wanted(estate: Estate, name: str | None) -> tuple[list[PostgresTarget], list[RedisTarget], list[WorkloadTarget]]:
    """Return the targets called ``name``, or all of them.

    Raises:
        ApplicationError: ``BadInput``; the estate lists no such name.

    """
    if name is None:
        clusters, masters, workloads = sorted(estate.postgres), sorted(estate.redis), sorted(estate.workloads)
    else:
        masters = [name] if name in estate.redis else []
        workloads = [name] if name in estate.workloads else []
        clusters = [name] if name in estate.postgres or not (masters or workloads) else []
    try:
        return (
            [resolve_target(estate, one) for one in clusters],
            [resolve_redis(estate, one) for one in masters],
            [resolve_workload(estate, one) for one in workloads],
        )
    except EstateError as error:
        raise refuse(Refusal.BAD_INPUT, str(error)) from error


def _records(records: str | None) -> Finding:
    if records is None:
        return warning("records", "reports are kept in Temporal only", "set records in the estate to a durable directory")
    folder = Path(records.removeprefix("file:"))
    if folder.is_dir() and os.access(folder, os.W_OK):
        return ok("records", f"{folder} can be written")
    return fault("records", f"{folder} cannot be written by the worker", "mount a volume there, or change records")
