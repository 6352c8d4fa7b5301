"""Looks at everything that a switch would need, and changes nothing.

Each look that fails becomes a finding of its own, so that one silent system does not hide the others.
"""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from temporalio import activity
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from activities.run.declare import step
from activities.run.findings import fault, ok, warning
from activities.run.inventory import Inventory, listed
from activities.run.models.doctor import DoctorReport, ExamineRequest, Finding, Standing
from activities.run.postures import READ
from activities.run.signers import look_at_signers
from estate.model import Estate
from estate.resolving import resolve_target

_RETENTION = timedelta(days=30)


class Look(Protocol):
    """Looks at what the estate lists, whatever it is."""

    async def at(self, estate: Estate, name: str | None) -> list[Finding]:
        """Return a finding per thing looked at: of what is called ``name``, or of everything. Never raises for them."""

    async def standing(self, estate: Estate) -> list[Standing]:
        """Return whether each cluster takes writes, with little patience. Never raises for one that is silent."""


class DoctorActivities:
    """The looking half of ``failover doctor``."""

    def __init__(self, inventory: Inventory, look: Look) -> None:
        """Examine ``inventory``, and what it lists through ``look``."""
        self._inventory, self._look = inventory, look

    @step("doctor.examine", READ, lambda _: "examine")
    async def examine(self, request: ExamineRequest) -> DoctorReport:
        """Return one finding per thing looked at, outages first. Never raises for what it finds.

        Raises:
            ApplicationError: ``BadInput`` for a cluster that the estate does not list.

        """
        if request.brief:
            estate = self._inventory.estate()
            targets = tuple(sorted({*estate.postgres, *_others(estate)}))
            return DoctorReport(findings=(), clusters=tuple(await self._look.standing(estate)), targets=targets)
        temporal, name = await _temporal(), request.cluster
        try:
            estate = self._inventory.estate()
        except ApplicationError as error:
            return DoctorReport(findings=(temporal, fault("estate", error.message, "correct the estate file")))
        if name is not None and name not in _others(estate):
            listed(estate, resolve_target, name)
        counts = (
            f"{len(estate.postgres)} PostgreSQL clusters, {len(estate.flexible_servers)} databases on Flexible Servers,"
            f" {len(estate.redis)} Redis masters, {len(estate.workloads)} workloads, {len(estate.traffic)} public names,"
            f" {len(estate.gateways)} application gateways, {len(estate.people)} people"
        )
        records = await asyncio.to_thread(_records, estate.records)
        seen = await self._look.at(estate, name)
        keys = look_at_signers(estate, datetime.now(UTC))
        own = [temporal, ok("estate", counts), records, *self._signatures(), *keys]
        return DoctorReport(findings=tuple(sorted([*own, *seen], key=lambda one: not one.outage)))

    def _signatures(self) -> tuple[Finding, ...]:
        if self._inventory.signs:
            return ()
        words = "what runs are told of their targets is not signed: after an edit of the estate open runs may wait"
        return (warning("signatures", words, "create the Secret failover-signing, see docs/install.md"),)


async def _temporal() -> Finding:
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


def _records(records: str | None) -> Finding:
    if records is None:
        return warning("records", "reports are kept in Temporal only", "set records in the estate to a durable directory")
    folder = Path(records.removeprefix("file:"))
    if folder.is_dir() and os.access(folder, os.W_OK):
        return ok("records", f"{folder} can be written")
    return fault("records", f"{folder} cannot be written by the worker", "mount a volume there, or change records")


def _others(estate: Estate) -> set[str]:
    """Return every name of a target that is no PostgreSQL cluster."""
    sections = (
        estate.flexible_servers, estate.gateways, estate.redis, estate.region_failovers, estate.traffic, estate.workloads,
    )  # fmt: skip
    return {name for section in sections for name in section}
