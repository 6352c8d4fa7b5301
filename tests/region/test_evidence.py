"""What the evidence means: what is fine, what only warns, what the estate's rules refuse, and what nobody knows. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError

from activities.clients.reading_facts import BackupFact, ProbeFact, QuotaFact
from activities.region.evidence_lines import evidence_holds, warnings_of
from activities.region.evidence_models import DatabaseEvidence, Evidence, ImageEvidence, ImagesEvidence
from activities.region.failover_models import Precondition, RegionSurvey, Standing
from activities.region.images import images_of, seen_on
from activities.region.models import AzureFact, Role
from activities.region.sizes import cores_of, family_of
from estate.base import Region
from estate.regions import Preconditions, RegionFailover, RegionTarget
from gate.record import Mode
from tests.region.samples import DATABASE, NEW, NOW, OLD, TARGET
from workflows.region.failover_planning import make_region_plan, must_hold, preconditions_of
from workflows.region.models import RegionFailoverRequest

_FAMILY, _SIZE = "standardDDSv5Family", "Standard_D4ds_v5"
_ENTRY = {"to": "westus2", "databases": [DATABASE], "overlay": "/overlay"}
_PARTS: dict[str, Any] = {
    "old": AzureFact(name=OLD, role=Role.PRIMARY, sku=_SIZE),
    "new": AzureFact(name=NEW, role=Role.REPLICA, source=OLD, sku=_SIZE),
    "backup": BackupFact(server=OLD, name="backup_1", completed_at=NOW - timedelta(hours=9)),
    "quota_old": QuotaFact(region="eastus", family=_FAMILY, used=8, limit=100),
    "quota_new": QuotaFact(region="westus2", family=_FAMILY, used=4, limit=100),
}
_PROBE = ProbeFact(
    traffic="api", what="origin group dr-region-backend-pool", path="/health/ready", interval_seconds=30,
    moves_after_seconds=60,
)  # fmt: skip


def _target(**rules: Any) -> RegionTarget:
    region = {"location": "West US 2", "namespace": "aiagent-prod"}
    settings = RegionFailover.model_validate({**_ENTRY, "preconditions": rules})
    return RegionTarget(
        name="eastus", region=TARGET.region, settings=settings, to=Region.model_validate(region), databases=(TARGET,)
    )


def _survey(probe: dict[str, Any] | None = None, images: ImagesEvidence | None = None, **parts: Any) -> RegionSurvey:
    changed = {name: one.model_copy(update=parts.get(name, {})) for name, one in _PARTS.items()}
    probes = (_PROBE.model_copy(update=probe or {}),)
    evidence = Evidence(at=NOW, databases=(DatabaseEvidence(name=DATABASE, **changed),), probes=probes, images=images)
    return RegionSurvey(at=NOW, nodes=1, nodes_ready=1, evidence=evidence)


def _line(name: str, survey: RegionSurvey, *, strict: bool = True, **rules: Any) -> Precondition:
    return next(one for one in evidence_holds(_target(**rules), survey, strict=strict) if one.name.startswith(name))


def test_everything_is_fine_and_says_its_number_its_source_and_when() -> None:
    lines = evidence_holds(_target(backup_age="P1D", quota_cores=8), _survey(), strict=True)
    assert [(one.name, one.holds, one.standing) for one in lines] == [
        (f"backup of {DATABASE}", True, Standing.FINE), (f"quota of {DATABASE} in westus2", True, Standing.FINE),
        (f"size of {DATABASE}", True, Standing.FINE),
        ("probe of api: origin group dr-region-backend-pool", True, Standing.FINE),
    ]  # fmt: skip
    assert {(one.source, one.read_at) for one in lines} == {("Azure Resource Manager", NOW)}
    assert [one.evidence for one in lines] == [
        "backup_1 of aiagent-postgres, completed 2026-11-28 17:30 UTC, 9.0 h ago (the estate allows 24.0 h)",
        f"4 of 100 cores of {_FAMILY} are used, 96 are free; eastus: 8 of 100; 8 are needed (quota_cores in the estate)",
        "aiagent-postgres-dr and aiagent-postgres are both Standard_D4ds_v5",
        "asks for /health/ready every 30 s; health moves traffic 60 s after the last answer",
    ]
    assert warnings_of(lines) == ()


_OLD_BACKUP: dict[str, Any] = {"backup": {"completed_at": NOW - timedelta(hours=30)}}
_NO_BACKUP: dict[str, Any] = {"backup": {"completed_at": None, "name": ""}}
_SILENT_BACKUP: dict[str, Any] = {"backup": {"completed_at": None, "name": "", "error": "Azure does not answer within 5 s"}}
_FULL: dict[str, Any] = {"quota_new": {"used": 98}}
_SILENT_QUOTA: dict[str, Any] = {"quota_new": {"used": None, "limit": None, "error": "no answer"}}
_RULES: dict[str, Any] = {"backup_age": "P1D", "quota_cores": 8}


@pytest.mark.parametrize(
    ("name", "parts", "words", "refusal"),
    [
        ("backup", _OLD_BACKUP, "30.0 h ago; the estate allows 24.0 h; make one: az postgres", "NotWhole"),
        ("backup", _NO_BACKUP, f"{OLD} has no completed backup", "NotWhole"),
        ("backup", _SILENT_BACKUP, "not known: Azure does not answer within 5 s", "Unreachable"),
        ("quota", _FULL, "2 are free; eastus: 8 of 100; 8 are needed (quota_cores in the estate)", "NotWhole"),
        ("quota", _SILENT_QUOTA, "not known: no answer", "Unreachable"),
    ],
)
def test_a_rule_refuses_a_planned_move_and_warns_a_forced_one(
    name: str, parts: dict[str, Any], words: str, refusal: str
) -> None:
    planned = _line(name, _survey(**parts), **_RULES)
    forced = _line(name, _survey(**parts), strict=False, **_RULES)
    assert (planned.holds, planned.refusal, words in planned.evidence) == (False, refusal, True), planned
    assert (forced.holds, forced.refusal, forced.evidence) == (True, "", planned.evidence)
    assert warnings_of((forced,)) == (f"{forced.name}: {forced.evidence}",)


@pytest.mark.parametrize("parts", [_NO_BACKUP, _SILENT_BACKUP, _FULL, _SILENT_QUOTA, _OLD_BACKUP])
def test_without_a_rule_nothing_refuses(parts: dict[str, Any]) -> None:
    assert all(one.holds for one in evidence_holds(_target(), _survey(**parts), strict=True))


def test_the_age_of_a_backup_is_shown_without_a_rule() -> None:
    one = _line("backup", _survey(**_OLD_BACKUP))
    assert (one.standing, one.evidence.endswith("30.0 h ago")) == (Standing.FINE, True)


def test_a_standby_of_the_new_primary_needs_its_cores() -> None:
    standby: dict[str, Any] = {"old": {"high_availability": "ZoneRedundant Healthy"}}
    fits = _line("quota", _survey(**standby))
    lacks = _line("quota", _survey(**standby, **_FULL))
    has_one = _line("quota", _survey(**standby, **_FULL, new={"high_availability": "SameZone Healthy"}))
    assert (fits.standing, lacks.standing, has_one.standing) == (Standing.FINE, Standing.WARNING, Standing.FINE)
    assert f"4 are needed for a standby of {NEW}: ask Azure for a higher quota in westus2" in lacks.evidence
    assert lacks.holds


def test_a_region_that_may_have_less_than_the_first_uses_is_said() -> None:
    one = _line("quota", _survey(quota_new={"limit": 6}))
    assert (one.standing, one.holds) == (Standing.WARNING, True)
    assert "eastus uses more than westus2 may" in one.evidence


@pytest.mark.parametrize(
    ("size", "words", "standing"),
    [
        ("Standard_D2ds_v5", f"{NEW} is Standard_D2ds_v5, {OLD} is {_SIZE}: it may carry less", Standing.WARNING),
        ("Standard_D8ds_v5", f"{NEW} is Standard_D8ds_v5, {OLD} is {_SIZE}: they differ", Standing.WARNING),
        ("", f"not known: Azure names no size of {NEW}", Standing.UNKNOWN),
    ],
)
def test_sizes_are_compared(size: str, words: str, standing: Standing) -> None:
    one = _line("size", _survey(new={"sku": size}))
    assert (one.evidence, one.standing, one.holds) == (words, standing, True)


@pytest.mark.parametrize(
    ("probe", "words", "standing"),
    [
        ({"interval_seconds": 240, "moves_after_seconds": 480}, "480 s after the last answer; the estate says every 30 s",
         Standing.WARNING),
        ({"path": "/"}, "asks for / every 30 s; health moves traffic 60 s after the last answer; the estate says /health/",
         Standing.WARNING),
        ({"enabled": False}, "it has no probe: health moves no traffic", Standing.WARNING),
        ({"moves_after_seconds": None}, "health moves traffic an unknown time after", Standing.FINE),
        ({"error": "Azure knows no such resource"}, "not known: Azure knows no such resource", Standing.UNKNOWN),
    ],
)  # fmt: skip
def test_a_probe_is_compared_with_the_estate_and_refuses_nothing(
    probe: dict[str, Any], words: str, standing: Standing
) -> None:
    one = _line("probe", _survey(probe))
    assert (words in one.evidence, one.standing, one.holds) == (True, standing, True), one


def test_images_that_not_every_node_has_will_be_pulled() -> None:
    there, gone = ImageEvidence(name="api:2", nodes=2), ImageEvidence(name="agents:2", nodes=1)
    some = _line("images", _survey(images=ImagesEvidence(images=(there, gone), nodes=2)))
    fine = _line("images", _survey(images=ImagesEvidence(images=(there,), nodes=2)))
    unknown = _line("images", _survey(images=ImagesEvidence(error="it is silent")))
    assert (some.standing, fine.standing, unknown.standing) == (Standing.WARNING, Standing.FINE, Standing.UNKNOWN)
    assert some.evidence == "will be pulled, since not all 2 nodes name them: agents:2 (on 1)"
    assert fine.evidence == "all 1 are on each of 2 nodes"


def _pods(*images: str, kind: str = "Deployment") -> dict[str, Any]:
    containers = [{"name": f"c{number}", "image": image} for number, image in enumerate(images)]
    return {"kind": kind, "spec": {"template": {"spec": {"containers": containers[1:], "initContainers": containers[:1]}}}}


def test_images_are_found_in_every_container() -> None:
    job = {"kind": "CronJob", "spec": {"jobTemplate": _pods("one:1", "two:1")}}
    secret = {"kind": "Secret", "containers": [{"image": "secret"}]}
    assert images_of((_pods("api:2", "api:2"), job, secret)) == ("api:2", "one:1", "two:1")


@pytest.mark.parametrize(
    ("image", "node", "there"),
    [
        ("api:2", "api:2", True), ("api:2", "registry.example/library/api:2", True), ("api:2", "other-api:2", False),
        ("api", "registry.example/library/api:latest", True), ("api:2", "registry.example/library/api:3", False),
        ("registry.example/api:2", "registry.example/api:2", True),
        ("registry.example/api:2", "mirror.example/registry.example/api:2", False),
        ("registry.example/api:2@sha256:1", "registry.example/api@sha256:1", True),
        ("registry.example:5000/api", "registry.example:5000/api:latest", True),
    ],
)  # fmt: skip
def test_an_image_is_known_by_the_names_that_nodes_give(image: str, node: str, there: bool) -> None:  # noqa: FBT001
    [one] = seen_on((image,), (frozenset({node}), frozenset())).images
    assert one.nodes == int(there)


@pytest.mark.parametrize(
    ("size", "family", "cores"),
    [
        (_SIZE, _FAMILY, 4), ("Standard_B2s", "standardBSFamily", 2), ("Standard_E8ads_v5", "standardEADSv5Family", 8),
        ("standard_d2ds_v4", "standardDDSv4Family", 2), ("Large", "", None), ("", "", None),
    ],
)  # fmt: skip
def test_a_size_tells_family_and_cores(size: str, family: str, cores: int | None) -> None:
    assert (family_of(size), cores_of(size)) == (family, cores)


def _request(mode: str) -> RegionFailoverRequest:
    return RegionFailoverRequest.model_validate({"region": "eastus", "confirm": "ACTIVATE DR", "mode": mode, "by": "mona"})


def test_numbers_that_drift_change_no_decision_and_are_read_in_the_plan() -> None:
    target, request = _target(**_RULES), _request("forced")
    stale, fresh = [make_region_plan(request, target, one, ()) for one in (_survey(**_OLD_BACKUP), _survey())]
    assert stale.digest == fresh.digest
    assert [one for one in stale.about() if one.startswith(f"backup of {DATABASE}: backup_1")]
    assert not [one for one in fresh.about() if "backup" in one]


def test_a_planned_failover_names_every_rule_that_is_broken() -> None:
    target, survey = _target(**_RULES), _survey(**_OLD_BACKUP, **_FULL)
    with pytest.raises(ApplicationError, match=r"2 of \d+ preconditions do not hold: backup of .* 30\.0 h ago.*; quota of"):
        must_hold(preconditions_of(target, survey, (), (), Mode.PLANNED))
    must_hold(preconditions_of(target, survey, (), (), Mode.FORCED))


def test_what_nobody_has_read_is_no_line() -> None:
    assert evidence_holds(_target(), RegionSurvey(at=NOW), strict=True) == ()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("backup_age", "PT1M", "backup_age"), ("quota_cores", 0, "quota_cores"), ("probe_path", "health", "probe_path"),
        ("probe_interval", "PT1H", "probe_interval"), ("backups", "P1D", "backups"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_meant_is_refused_by_its_key(key: str, value: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Preconditions.model_validate({key: value})
