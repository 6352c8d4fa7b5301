"""What is refused before anybody is asked to approve, and what the plan says of the loss."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError

from activities.region.models import FlexiblePlan, FlexibleSurvey, Role
from activities.run.models.diagnosis import Silence
from tests.region.samples import NEW, NOW, OLD, TARGET, lost, request, survey
from workflows.region.models import RegionDatabaseRequest
from workflows.region.planning import make_flexible_plan, must_be_given_up


def _refused(seen: FlexibleSurvey, *, attest: bool = False, **asked: Any) -> str:
    """Return the refusal and its sentence; empty when there is none."""
    try:
        plan = make_flexible_plan(request(**asked), TARGET, seen)
        must_be_given_up(plan, attested=attest)
    except ApplicationError as error:
        return f"{error.type}: {error.message}"
    return ""


def _plan(seen: FlexibleSurvey, **asked: Any) -> FlexiblePlan:
    return make_flexible_plan(request(**asked), TARGET, seen)


def test_a_planned_failover_of_a_healthy_pair() -> None:
    plan = _plan(survey())
    assert (plan.primary, plan.candidate, plan.lossless, plan.missing_seconds) == (OLD, NEW, True, 0)
    assert [lag.witness for lag in plan.lags] == [OLD, NEW]
    assert plan.lags[0].behind_bytes == 128
    assert "none: Azure stops writes first" in plan.loss


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        (
            {"old_azure": {"error": "no answer", "role": Role.UNKNOWN}},
            "Unreachable: Azure does not say .*: no answer",
        ),
        ({"new_azure": {"role": Role.PRIMARY, "source": ""}}, "TwoPrimaries: .* are both primary"),
        ({"new_azure": {"source": "another"}}, f"NoStandby: .* {NEW}: replica of another"),
        ({"new_azure": {"role": Role.UNKNOWN}}, "NoStandby"),
        ({"new_azure": {"state": "Updating"}}, f"Busy: {NEW} is Updating, not Ready"),
        ({"old_azure": {"state": "Stopping"}}, f"Busy: {OLD} is Stopping"),
        ({"new_azure": {"storage_gb": 128}}, "NotWhole: .* 256 GB, .* 128 GB"),
        ({"endpoint": {"members": (), "error": "400"}}, "NoEndpoint: .* cannot be read: 400"),
        ({"endpoint": {"members": (NEW, OLD)}}, "NoEndpoint: .* to lead from"),
        ({"endpoint": {"members": (OLD, "another")}}, "NoEndpoint"),
        ({"new_sql": {"in_recovery": None, "error": "no route"}}, f"Unreachable: {NEW} does not answer SQL"),
        ({"new_sql": {"in_recovery": False}}, "RecordDisagrees: .* takes writes"),
        ({"old_sql": {"in_recovery": True}}, "RecordDisagrees: .* takes no writes"),
        ({"old_sql": {"in_recovery": None, "error": "no route"}}, "NoPrimary: .* --mode forced"),
        ({"old_sql": {"system_identifier": "8"}}, "RecordDisagrees: .* no copy"),
        ({"new_sql": {"told_lsn": ""}}, f"LagUnknown: {NEW} is not connected to {OLD}"),
        ({"endpoint": {"leads_to": NEW}}, f"NoEndpoint: .* leads to {NEW}, not to {OLD}"),
        ({"endpoint": {"refuses": "certificate"}}, f"NoEndpoint: {OLD} answers by its own name, .*: certificate"),
        ({"endpoint": {"silent": True, "members": (), "error": "503"}}, "Unreachable: .* members .* unknown: 503"),
        ({"old_sql": {"written_lsn": "0/7000000"}}, "LagTooLarge: .* 33554560 bytes"),
    ],
)
def test_a_planned_failover_is_refused(changes: dict[str, Any], refusal: str) -> None:
    said = _refused(survey(**changes))
    assert re.match(refusal, said), said


def test_the_server_that_leads_already_is_refused() -> None:
    assert _refused(survey(), to=OLD).startswith(f"MovedAlready: {OLD} leads")
    assert _refused(survey(), to="odd").startswith("BadInput: to: odd is no server")
    assert _refused(survey(), to=NEW) == ""


def test_a_primary_that_answers_is_given_up_only_by_a_persons_word() -> None:
    assert _refused(survey(), mode="forced").startswith(f"PrimaryAlive: {OLD} answers SQL")
    assert _refused(survey(), mode="forced", attest=True) == ""
    turned_away = survey(old_sql={"in_recovery": None, "error": "full", "silence": Silence.NO_ROOM})
    assert _refused(turned_away, mode="forced").startswith(f"PrimaryAlive: {OLD} answers, and turns")
    assert _refused(lost(), mode="forced") == ""


def test_what_may_be_missing_is_counted_to_when_the_primary_stopped_working() -> None:
    late = lost(new_sql={"replayed_at": NOW - timedelta(minutes=20)})
    assert "LagTooLarge: commits after 2026-11-29 02:10:00 UTC may be missing" in _refused(late, mode="forced")
    assert "at most 1200 s; limit 900 s" in _refused(late, mode="forced")
    plan = _plan(late, mode="forced", down_since=NOW - timedelta(minutes=18))
    assert (plan.missing_seconds, plan.lossless) == (120, False)
    assert plan.lags[0].at_most
    assert "commits of at most 120 s may be missing" in plan.loss


def test_a_person_may_accept_more() -> None:
    late = lost(new_sql={"replayed_at": NOW - timedelta(minutes=20)})
    accepted, usual = _plan(late, mode="forced", max_missing="30m"), _plan(lost(), mode="forced")
    assert accepted.missing_seconds == 1200
    assert accepted.digest != usual.digest
    assert "LagTooLarge" in _refused(late, mode="forced", max_missing="19m")


def test_a_replica_that_has_replayed_nothing_is_refused() -> None:
    assert _refused(lost(new_sql={"replayed_at": None}), mode="forced").startswith("LagUnknown")


def test_a_replica_that_had_all_lacks_at_most_what_came_since_it_heard_its_primary() -> None:
    idle = {"replayed_lsn": "0/5000000", "replayed_at": NOW - timedelta(hours=3), "heard_seconds_ago": 40.0}
    quiet = survey(old_sql={"in_recovery": None, "error": "no route"}, new_sql=idle)
    assert _plan(quiet, mode="forced").missing_seconds == 40  # not none: its receiver lives on for a minute
    assert _plan(quiet, mode="forced", down_since=NOW - timedelta(seconds=30)).missing_seconds == 10


@pytest.mark.parametrize(
    ("since", "words"), [(timedelta(hours=1), "is in the future"), (-timedelta(hours=5), "later than that")]
)
def test_a_time_that_cannot_be_true_is_refused(since: timedelta, words: str) -> None:
    said = _refused(lost(), mode="forced", down_since=NOW + since)
    assert said.startswith("BadInput: down_since: ")
    assert words in said


def test_who_else_receives_wal_says_nothing_of_the_replica() -> None:
    subscriber = survey(old_sql={"behind_bytes": 0}, new_sql={"told_lsn": "", "replayed_lsn": "0/1000000"})
    assert _refused(subscriber).startswith(f"LagUnknown: {NEW} is not connected")
    slow = survey(old_sql={"behind_bytes": 2**30})
    assert _refused(slow) == ""


def test_azure_need_not_answer_for_a_lost_region() -> None:
    """It hands the question on to the region; nobody else would say anything but the replica and the endpoint's name."""
    silent = {"error": "503 ServiceUnavailable", "role": Role.UNKNOWN, "state": ""}
    seen = lost(old_azure=silent, endpoint={"members": (), "silent": True, "error": "503"})
    plan = _plan(seen, mode="forced")
    assert (plan.primary, plan.candidate) == (OLD, NEW)
    assert "Azure does not answer for" in " ".join(plan.remarks)
    assert _refused(seen).startswith("Unreachable")
    elsewhere = lost(old_azure=silent, endpoint={"members": (), "silent": True, "error": "503", "leads_to": NEW})
    assert _refused(elsewhere, mode="forced").startswith("Unreachable: the members")


def test_after_a_forced_failover_the_lost_primary_is_no_second_one() -> None:
    after = lost(
        new_azure={"role": Role.PRIMARY, "source": ""}, new_sql={"in_recovery": False, "written_lsn": "0/6000000"},
        endpoint={"members": (NEW, OLD), "leads_to": NEW},
    )  # fmt: skip
    assert _refused(after, mode="forced", to=NEW).startswith(f"MovedAlready: {NEW} leads")
    assert _refused(after, mode="forced").startswith(f"NoStandby: {OLD} (East US) does not answer, and Azure lists it")
    lagging = after.model_copy(update={"endpoint": after.endpoint.model_copy(update={"leads_to": OLD})})
    assert "see its DNS record" in _refused(lagging, mode="forced", to=NEW)


def test_an_approval_for_a_dead_primary_is_none_for_a_living_one() -> None:
    dead, alive = _plan(lost(), mode="forced"), _plan(survey(), mode="forced")
    assert dead.digest != alive.digest
    assert alive.attested == f"{OLD} is to be given up although it answers"


def test_drifting_numbers_are_no_part_of_what_is_approved() -> None:
    later = survey(old_sql={"behind_bytes": 4096}, new_sql={"replayed_at": NOW})
    assert _plan(survey()).digest == _plan(later).digest


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        ({"down_since": "2026-11-29T02:14:00"}, "say the time zone"),
        ({"max_missing": "-5m"}, "max_missing"),
        ({"mode": "discard"}, "planned"),
    ],
)
def test_bad_input(asked: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        request(mode="forced", **asked) if "mode" not in asked else request(**asked)


@pytest.mark.parametrize("field", ["down_since", "max_missing"])
def test_what_is_only_for_forced_is_refused_with_planned(field: str) -> None:
    value = {"down_since": "2026-11-29T02:14:00Z", "max_missing": "5m"}[field]
    asked = RegionDatabaseRequest.model_validate({"database": "x", field: value})
    assert str(asked.fault).startswith(f"{field}: only with mode forced")


def test_remarks_name_what_is_worse_afterwards() -> None:
    seen = lost(old_azure={"high_availability": "ZoneRedundant Healthy"}, new_azure={"sku": "Standard_D2ds_v5"})
    remarks = " ".join(_plan(seen, mode="forced").remarks)
    assert "no high availability" in remarks
    assert "Standard_D2ds_v5" in remarks
    assert "by its own name" in remarks
