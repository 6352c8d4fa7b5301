"""The evidence as a run reads it: real SDKs at the emulated Azure with the shipped roles, a real API server's nodes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.clients.kubernetes.core import KubernetesClient
from activities.clients.kubernetes.regions import RegionsClient
from activities.clients.kustomize import Kustomize
from activities.region.failover_doctor import RegionDoctor
from activities.region.failover_models import RegionDetails, RegionLook, RegionSurvey, Standing
from activities.region.failover_survey import RegionLookActivities
from activities.run.models.doctor import Severity
from deploy.lab.azure.faults import Fault
from deploy.lab.azure.flexible_history import automatic
from deploy.lab.binaries import ensure_binaries
from estate.loader import load_estate
from estate.resolving import resolve_region
from tests.region.bench import DATABASE
from tests.region.failover_bench import RegionFailoverBench

_RULES = {"backup_age": "P1D", "quota_cores": 8}


async def _backed_up(bench: RegionFailoverBench, age: timedelta) -> str:
    """Let the leader's newest backup be so old; return the leader."""
    leader = await bench.leader()
    bench.azure.flexible.server(leader).backups[:] = [automatic(datetime.now(UTC) - age)]
    return leader


async def _survey(bench: RegionFailoverBench, *, back: bool = False) -> RegionSurvey:
    kustomize = Kustomize(str(ensure_binaries(print) / "kubectl"))
    look = RegionLookActivities(RegionsClient(KubernetesClient()), kustomize, bench.evidence)
    target = resolve_region(load_estate(bench.estate), bench.lost)
    return await look.survey(RegionLook(target=target, back=back))


def _name_images(bench: RegionFailoverBench, *names: str) -> None:
    status: Any = {"status": {"images": [{"names": list(names), "sizeBytes": 1}]}}
    bench.clusters.core(bench.surviving).patch_node_status(f"{bench.surviving}-1", status)


async def test_everything_is_read_at_once_with_the_shipped_roles(leave: RegionFailoverBench) -> None:
    leader = await _backed_up(leave, timedelta(hours=9))
    await asyncio.to_thread(_name_images, leave, "registry.example/library/api:dr")
    seen = await _survey(leave)
    assert seen.evidence is not None
    [database] = seen.evidence.databases
    assert (database.name, database.old.name, database.backup.server) == (DATABASE, leader, leader)
    assert timedelta(hours=9) <= seen.evidence.at - (database.backup.completed_at or seen.at) < timedelta(hours=10)
    assert (database.quota_new.region, database.quota_new.family) == (leave.surviving, "standardDDSv5Family")
    assert (database.quota_old.region, database.quota_new.used, database.quota_new.limit) == (leave.lost, 4, 100)
    [probe] = seen.evidence.probes
    assert "Azure, asked for profile api" in probe.error
    assert seen.evidence.images is not None
    assert [(one.name, one.nodes) for one in seen.evidence.images.images] == [("api:dr", 1)]


async def test_back_the_leader_in_the_other_region_is_the_one_whose_backup_counts(leave: RegionFailoverBench) -> None:
    seen = await _survey(leave, back=True)
    assert seen.evidence is not None
    [database] = seen.evidence.databases
    assert (database.new.name, database.backup.server) == (await leave.leader(),) * 2  # it has not moved
    assert (database.quota_new.region, seen.evidence.images) == (leave.lost, None)


async def test_a_stale_backup_refuses_a_planned_failover(leave: RegionFailoverBench) -> None:
    leave.change_entry(preconditions=_RULES)
    await _backed_up(leave, timedelta(hours=30))
    end, told = await leave.ending(await leave.leave())
    assert (end, "30.0 h ago; the estate allows 24.0 h" in told) == ("NotWhole", True), told
    assert leave.changes() == []


async def test_a_forced_failover_reads_it_as_a_warning(leave: RegionFailoverBench) -> None:
    leave.change_entry(preconditions=_RULES)
    await _backed_up(leave, timedelta(hours=30))
    leave.azure.emulator.faults.order(Fault(method="GET", path="*/usages", status=500, code="InternalServerError", times=0))
    await leave.lose_database()
    handle = await leave.leave("forced")
    await leave.until_phase(handle, "awaiting approval")
    await handle.cancel()
    assert (await leave.ending(handle), leave.changes()) == (("cancelled", ""), [])
    report = leave.report()
    lines = {one.name.split(" ")[0]: one for one in report.of(RegionDetails).preconditions}
    assert (lines["backup"].holds, lines["backup"].standing) == (True, Standing.WARNING)
    assert (lines["quota"].holds, lines["quota"].standing) == (True, Standing.UNKNOWN)
    assert report.plan is not None
    told = "\n".join(report.plan.about())
    assert "30.0 h ago; the estate allows 24.0 h" in told
    assert f"quota of {DATABASE} in {leave.surviving}: not known: " in told


@pytest.mark.parametrize(("hours", "severity"), [(9, Severity.OK), (30, Severity.FAULT)])
async def test_doctor_says_the_same(leave: RegionFailoverBench, hours: int, severity: Severity) -> None:
    leave.change_entry(preconditions=_RULES)
    await _backed_up(leave, timedelta(hours=hours))
    await asyncio.to_thread(_name_images, leave, "another:1")
    kustomize = Kustomize(str(ensure_binaries(print) / "kubectl"))
    doctor = RegionDoctor(RegionsClient(KubernetesClient()), kustomize, leave.evidence)
    found = {one.subject: one for one in await doctor.at(resolve_region(load_estate(leave.estate), leave.lost))}
    backup = found[f"{leave.lost}: backup of {DATABASE}"]
    assert (backup.severity, f"{hours}.0 h ago" in backup.message) == (severity, True)
    assert found[f"{leave.lost}: images of the overlay"].severity is Severity.WARNING
    assert found[f"{leave.lost}: size of {DATABASE}"].severity is Severity.OK
