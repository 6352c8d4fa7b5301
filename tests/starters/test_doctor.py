"""``doctor`` in front of a worker; where nothing else is said, its findings are made up here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from activities.run.doctor import DoctorActivities
from activities.run.inventory import Inventory
from activities.run.models.doctor import DoctorReport, ExamineRequest, Finding, Severity
from tests.postgres.bench import write_estate
from tests.starters.command import Command
from tests.starters.conftest import command_for
from workflows.doctor import Doctor

_FINE = Finding(severity=Severity.OK, subject="orders: gate of postgresql-primary-0", message="runs as primary")
_ODD = Finding(severity=Severity.WARNING, subject="records", message="no directory", remedy="set records")
_BAD = Finding(
    severity=Severity.FAULT, subject="orders: Service", message="selector [moved]", remedy="find out who moved it"
)


@activity.defn(name="doctor.examine")
async def examine(request: ExamineRequest) -> DoctorReport:
    return DoctorReport(findings=(_FINE, _ODD, _BAD) if request.cluster is None else (_FINE, _ODD))


@asynccontextmanager
async def examined(client: Client, step: Callable[..., Any] = examine) -> AsyncIterator[Command]:
    queue = f"doctor-{uuid4().hex[:8]}"
    async with Worker(client, task_queue=queue, workflows=[Doctor], activities=[step]):
        yield command_for(client, queue)


async def test_faults_come_with_their_remedy_and_fail(temporal: Client) -> None:
    async with examined(temporal) as failover:
        ran = await failover("doctor")

    assert ran.code == 1
    assert "orders: Service: selector [moved]" in ran.out
    assert "→ find out who moved it" in ran.out
    assert "readiness: nobody checks what could be started" in ran.out
    assert "faults: 1, warnings: 2, fine: 1" in ran.out


async def test_warnings_alone_do_not_fail(temporal: Client) -> None:
    async with examined(temporal) as failover:
        ran = await failover("doctor", "orders", "--output", "json")

    assert ran.code == 0
    assert [one["severity"] for one in ran.document["findings"]] == ["ok", "warning"]


@pytest.mark.parametrize("form", ["text", "json"])
async def test_an_unknown_cluster_is_bad_input(temporal: Client, tmp_path: Path, form: str) -> None:
    write_estate(tmp_path / "estate.yaml", "orders")
    real = DoctorActivities(Inventory(tmp_path / "estate.yaml"), cast("Any", None))
    async with examined(temporal, real.examine) as failover:
        ran = await failover("doctor", "unknown", "--output", form)

    assert ran.code == 2
    assert "it lists orders" in ran.out + ran.err
