"""Every metric that is declared is there in a real Prometheus, with the value that the platform has."""

from __future__ import annotations

import time

import pytest

from starters.client.server import read_run
from starters.client.targets import Place
from starters.exporter.declared import METRICS
from starters.history.model import facts_of
from tests.observability.conftest import Platform, until
from tests.observability.prometheus import Prometheus

pytestmark = pytest.mark.servers


def test_every_metric_is_there_with_its_labels(seen: Prometheus) -> None:
    """One test of all: whoever runs a part of these tests makes a platform for it."""
    told = {metric.name: {key for labels in seen.query(metric.name) for key, _ in labels} for metric in METRICS}
    assert [name for name in told if not seen.query(name)] == []
    assert told == {metric.name: set(metric.labels) for metric in METRICS}


async def test_the_last_run_is_told_as_its_report_tells_it(platform: Platform, seen: Prometheus) -> None:
    handle = platform.completed
    facts = facts_of(await read_run(platform.client, Place(handle.id, handle.first_execution_run_id or "")))
    own = f'{{procedure="postgres-failover", target="{platform.target}", run="real"}}'
    assert facts.outcome == "completed"
    assert seen.value(f"failover_last_run_outage_seconds{own}") == facts.verdict.outage_seconds
    assert seen.value(f"failover_last_run_lost_rows{own}") == facts.verdict.lost == 0
    assert seen.value(f"failover_last_run_objective_seconds{own}") == facts.verdict.rto_seconds == 300
    assert seen.value(f"failover_last_run_objective_met{own}") == 1
    phases = {row.phase.value: row.seconds for row in facts.timing.phases}
    assert {
        dict(one)["phase"]: value for one, value in seen.query(f"failover_last_run_phase_duration_seconds{own}").items()
    } == phases


def test_what_has_ended_is_counted_by_outcome(platform: Platform, seen: Prometheus) -> None:
    ours = f"{platform.target}|redis/mymaster"
    found = seen.query(f'sum by (target, outcome) (failover_runs_ended{{target=~"{ours}"}})')
    assert found == {
        frozenset({("target", platform.target), ("outcome", "completed")}): 1,
        frozenset({("target", "redis/mymaster"), ("outcome", "stranded")}): 1,
    }


def test_an_open_run_tells_its_phase_and_for_whom_it_waits(platform: Platform, seen: Prometheus) -> None:
    own = f'{{target="{platform.target}"}}'
    (labels,) = seen.query(f"failover_run_phase_entered_timestamp_seconds{own}")
    assert dict(labels)["phase"] == "awaiting approval"
    waits = time.time() - seen.value(f"failover_run_waits_for_people_since_timestamp_seconds{own}")
    aged = time.time() - seen.value(f"failover_run_started_timestamp_seconds{own}")
    assert 0 < waits < aged < 3600
    assert seen.value(f"failover_run_working_seconds{own}") < aged - waits + 2
    assert seen.value(f"failover_run_objective_seconds{own}") == 300


def test_only_the_target_that_was_left_unfinished_is_named(seen: Prometheus) -> None:
    (labels,) = seen.query("failover_unfinished_run_ended_timestamp_seconds")
    assert dict(labels) == {
        "target": "redis/mymaster", "procedure": "redis-failover", "mode": "forced", "run": "real", "outcome": "stranded",
    }  # fmt: skip


def test_detection_tells_who_sees(platform: Platform, seen: Prometheus) -> None:
    own = f'{{target="{platform.target}"}}'
    figures = ("gone", "blind", "open_runs", "cooling", "info", 'observers{state="seeing"}')
    values = {one: seen.query(f"failover_detection_{one}") for one in figures}
    assert [list(one.values()) for one in values.values()] == [[0], [0], [0], [0], [1], [3]]
    assert abs(time.time() - seen.value(f"failover_detection_last_look_timestamp_seconds{own}")) < 60


def test_a_drill_and_readiness_are_told(seen: Prometheus) -> None:
    assert seen.value('failover_drill_last_passed{kind="database",target="orders"}') == 1
    assert seen.value("failover_drill_last_attested") == 0
    assert seen.value("failover_drill_last_rto_seconds") == 12.5
    assert seen.value("failover_drill_paused") == 1
    assert seen.value("failover_drill_next_due_timestamp_seconds - failover_drill_last_due_timestamp_seconds") == 1
    assert seen.value('failover_readiness{procedure="region-failover",target="region/eastus",variant="forced"}') == 2
    assert seen.value('failover_readiness{procedure="postgres-failover",target="postgres/orders"}') == 0


async def test_the_exporter_is_up_and_a_worker_polls(platform: Platform, seen: Prometheus) -> None:
    await until(lambda: seen.value("failover_exporter_up") == 1)
    assert seen.value("failover_exporter_unread") == 0
    assert seen.value("failover_exporter_data_age_seconds") < 60
    assert seen.query("failover_workers_polling") == {frozenset({("queue", platform.queue)}): 1}


async def test_the_alerts_that_the_platform_deserves_fire(seen: Prometheus) -> None:
    """The run that waits and the leader without a standby deserve theirs later than most tests last."""

    def firing() -> set[str]:
        return {one["labels"]["alertname"] for one in seen.ask("alerts")["alerts"] if one["state"] == "firing"}

    await until(lambda: firing() >= {"FailoverRunStranded", "FailoverReadinessBlocked"})
    later = {"FailoverRunWaitsForPeople", "FailoverReplicationNotRedundant"}
    assert firing() - later == {"FailoverRunStranded", "FailoverReadinessBlocked"}
