"""Doctor's eye on regions: whether one could fail over now. Its databases have a doctor of their own; traffic has too."""

from __future__ import annotations

from temporalio.exceptions import ApplicationError

from activities.clients.region_ports import Overlays, RegionClusters
from activities.clients.secrets import read_secret
from activities.region.evidence import EvidenceReader
from activities.region.evidence_lines import evidence_holds
from activities.region.failover_models import Precondition, RegionLook, RegionSurvey, Scale, Standing
from activities.region.failover_survey import RegionLookActivities
from activities.run.findings import fault, ok, warning
from activities.run.models.doctor import Finding
from estate.regions import RegionTarget

_ACCESS = "apply deploy/kubernetes/region/surviving.yaml there, for the account that the worker's kubeconfig names"


class RegionDoctor:
    """Looks at both clusters, and changes nothing: the overlay is tried by a dry run."""

    def __init__(self, clusters: RegionClusters, overlays: Overlays, evidence: EvidenceReader | None = None) -> None:
        """Ask clusters by ``clusters``, render by ``overlays``; without ``evidence`` nobody reads any."""
        self._look = RegionLookActivities(clusters, overlays, evidence)

    async def at(self, target: RegionTarget) -> list[Finding]:
        """Return a finding per thing looked at. Never raises for what it finds."""
        return [*of_region(target, await self._look.survey(RegionLook(target=target))), *_token(target)]


def of_region(target: RegionTarget, survey: RegionSurvey) -> list[Finding]:
    """Return what a survey shows: surviving region, overlay, applications, backups and the like, what has no replica."""
    return [
        *_surviving(target, survey),
        _overlay(target, survey),
        *(_application(target, one) for one in survey.applications),
        *(_evidence(target, one) for one in evidence_holds(target, survey, strict=True)),
        *(
            warning(target.name, f"{one} has no replica in {target.settings.to}: lost or missing there", "plan for it")
            for one in target.without_replica
        ),
    ]


def _surviving(target: RegionTarget, survey: RegionSurvey) -> list[Finding]:
    where = f"{target.name}: {target.settings.to}"
    if survey.surviving_error:
        return [fault(where, survey.surviving_error, "see the region's context in the estate, and the worker's kubeconfig")]
    findings = [fault(where, f"we may not {one}", _ACCESS) for one in survey.rights_missing]
    if "list nodes" not in survey.rights_missing:
        told = f"{survey.nodes_ready} of {survey.nodes} nodes are Ready and take pods"
        findings.append(ok(where, told) if survey.nodes_ready else fault(where, told, "add nodes, or uncordon one"))
    if not survey.lease.is_free(survey.at):
        words = f"the run {survey.lease.holder} holds the Lease of a failover"
        findings.append(warning(where, words, "failover status"))
    return findings


def _overlay(target: RegionTarget, survey: RegionSurvey) -> Finding:
    subject, overlay = f"{target.name}: overlay", survey.overlay
    if overlay.error:
        return fault(subject, overlay.error, "see region_failovers in the estate, and kubectl kustomize on the worker")
    return ok(subject, f"{overlay.objects} objects, which {target.settings.to} takes (dry run)")


def _application(target: RegionTarget, one: Scale) -> Finding:
    subject = f"{target.name}: Deployment {one.name}"
    if one.error:
        return fault(subject, f"cannot be scaled to zero: {one.error}", "apply deploy/kubernetes/region/lost.yaml there")
    if one.kept is not None and one.wanted == 0:
        remedy = f"once the region is to serve again: kubectl scale deployment/{one.name} --replicas={one.kept}"
        return warning(subject, f"a failover has scaled it to zero, before it asked for {one.kept} pods", remedy)
    return ok(subject, f"asks for {one.wanted} pods")


def _evidence(target: RegionTarget, one: Precondition) -> Finding:
    """Return what a planned failover would show; a fault is what it would be refused by."""
    subject = f"{target.name}: {one.name}"
    if one.standing is Standing.FINE:
        return ok(subject, one.evidence)
    if one.holds:
        return warning(subject, one.evidence, "see docs/runbooks/region-failover.md, Evidence")
    return fault(subject, one.evidence, f"see region_failovers.{target.name}.preconditions in the estate")


def _token(target: RegionTarget) -> list[Finding]:
    checks = target.settings.checks
    if checks is None:
        return [
            warning(f"{target.name}: checks", "nobody asks the application after a failover", "set checks in the estate")
        ]
    if checks.token is None:
        return []
    try:
        read_secret(checks.token)
    except ApplicationError as error:
        return [fault(f"{target.name}: checks", error.message, "mount or set it for the worker")]
    return [ok(f"{target.name}: checks", "the bearer token can be read")]
