"""What doctor says of a region that may have to be left."""

from __future__ import annotations

from pathlib import Path

from activities.clients.kubernetes.core import KubernetesClient
from activities.clients.kubernetes.regions import RegionsClient
from activities.clients.kustomize import Kustomize
from activities.region.failover_doctor import RegionDoctor
from activities.run.models.doctor import Finding, Severity
from deploy.lab.binaries import ensure_binaries
from estate.loader import load_estate
from estate.resolving import resolve_region
from tests.region.failover_bench import RegionFailoverBench


async def _findings(bench: RegionFailoverBench) -> list[Finding]:
    doctor = RegionDoctor(RegionsClient(KubernetesClient()), Kustomize(str(ensure_binaries(print) / "kubectl")))
    return await doctor.at(resolve_region(load_estate(bench.estate), bench.lost))


def _grave(findings: list[Finding]) -> list[str]:
    return [f"{one.subject}: {one.message}" for one in findings if one.severity is not Severity.OK]


async def test_a_region_that_can_be_left_has_only_its_redis_against_it(leave: RegionFailoverBench) -> None:
    found = _grave(await _findings(leave))
    assert found == [f"{leave.lost}: Redis mymaster has no replica in {leave.surviving}: lost or missing there"]


async def test_each_thing_that_is_missing_is_said(leave: RegionFailoverBench) -> None:
    (leave.folder / "token").unlink()
    leave.write_overlay([{"apiVersion": "v1", "kind": "Volcano", "metadata": {"name": "etna"}}])
    leave.change_entry(applications=["nothing-deployment"])
    told = "\n".join(_grave(await _findings(leave)))
    assert "the cluster knows no v1 Volcano" in told
    assert "Deployment nothing-deployment: cannot be scaled to zero" in told
    assert f"{leave.lost}: checks: " in told


async def test_an_application_that_a_failover_has_scaled_is_said(leave: RegionFailoverBench) -> None:
    assert (await leave.ending(await leave.approved()))[0] == "completed"
    told = "\n".join(_grave(await _findings(leave)))
    assert "a failover has scaled it to zero, before it asked for 3 pods" in told


async def test_a_program_that_is_missing_is_said(leave: RegionFailoverBench, tmp_path: Path) -> None:
    doctor = RegionDoctor(RegionsClient(KubernetesClient()), Kustomize(str(tmp_path / "no-kubectl")))
    told = "\n".join(_grave(await doctor.at(resolve_region(load_estate(leave.estate), leave.lost))))
    assert "set FAILOVER_KUBECTL to its path" in told


async def test_a_rendered_file_needs_no_program(leave: RegionFailoverBench, tmp_path: Path) -> None:
    leave.change_entry(overlay=str(leave.overlay / "objects.yaml"))
    doctor = RegionDoctor(RegionsClient(KubernetesClient()), Kustomize(str(tmp_path / "no-kubectl")))
    found = await doctor.at(resolve_region(load_estate(leave.estate), leave.lost))
    assert [one.message for one in found if "overlay" in one.subject] == [
        f"2 objects, which {leave.surviving} takes (dry run)"
    ]
