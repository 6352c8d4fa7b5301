"""The one list of metrics: name, meaning, labels. What is served, documented, charted and alerted on is named here.

All are gauges. Temporal knows what has happened, and may forget it after its retention; a counter would have to live in
this process, and would begin at zero with each restart. Moments are in seconds since 1970 (``_timestamp_seconds``), so that
an alert says how long ago that was at the time that it is judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily


@dataclass(frozen=True)
class Sample:
    """One value of one metric."""

    metric: Metric
    labels: tuple[str, ...]
    """In the order of ``Metric.labels``."""
    value: float


@dataclass(frozen=True)
class Metric:
    """What is served under one name."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()

    def of(self, value: float | datetime, *labels: str) -> Sample:
        """Return a value of it. ValueError: a label is missing."""
        if len(labels) != len(self.labels):
            message = f"{self.name} has the labels {', '.join(self.labels)}, not {labels}"
            raise ValueError(message)
        return Sample(self, labels, value.timestamp() if isinstance(value, datetime) else float(value))


_RUN = ("procedure", "target", "mode", "run")
_LAST = ("procedure", "target", "run")

UP = Metric("failover_exporter_up", "1: the last look at Temporal succeeded; 0: it failed or takes too long.")
AGE = Metric("failover_exporter_data_age_seconds", "Age of everything else that is served; NaN: nothing was ever read.")
UNREAD = Metric("failover_exporter_unread", "Runs, drills and other things that the last look could not read.")
TOOK = Metric("failover_exporter_look_duration_seconds", "How long the last successful look at Temporal took.")
WORKERS = Metric("failover_workers_polling", "Worker processes that ask the task queue for work.", ("queue",))

ENDED = Metric("failover_runs_ended", "Runs that have ended and that Temporal has not yet forgotten.", (*_RUN, "outcome"))
STARTED = Metric("failover_run_started_timestamp_seconds", "Open run: when it was started.", _RUN)
ENTERED = Metric("failover_run_phase_entered_timestamp_seconds", "Open run: when it entered its phase.", (*_RUN, "phase"))
WAITS = Metric("failover_run_waits_for_people_since_timestamp_seconds", "Open run: since when it waits for people.", _RUN)
WORKING = Metric("failover_run_working_seconds", "Open run: its age without the time in which it waited for people.", _RUN)
OBJECTIVE = Metric("failover_run_objective_seconds", "Open run: the RTO of its target.", _RUN)

LAST_ENDED = Metric(
    "failover_last_run_ended_timestamp_seconds",
    "Last run that has acted: when it ended, and how.",
    (*_LAST, "mode", "outcome"),
)
LAST_TOOK = Metric("failover_last_run_duration_seconds", "Last run that has acted: from its start to its end.", _LAST)
LAST_PHASE = Metric(
    "failover_last_run_phase_duration_seconds", "Last run that has acted: how long each phase took.", (*_LAST, "phase")
)
LAST_OUTAGE = Metric("failover_last_run_outage_seconds", "Last run that has acted: outage as the report tells it.", _LAST)
LAST_LOST = Metric("failover_last_run_lost_rows", "Last run that has acted: acknowledged writes that were lost.", _LAST)
LAST_RTO = Metric("failover_last_run_objective_seconds", "Last run that has acted: the RTO of its target then.", _LAST)
LAST_MET = Metric("failover_last_run_objective_met", "Last run that has acted: 1 objective met, 0 missed.", _LAST)
UNFINISHED = Metric(
    "failover_unfinished_run_ended_timestamp_seconds",
    "The last run that has acted on this target has left it unfinished, and ended then.",
    ("target", "procedure", "mode", "run", "outcome"),
)

GONE = Metric("failover_detection_gone", "Things of this target that a majority of observers finds down.", ("target",))
BLIND = Metric("failover_detection_blind", "1: no majority of observers sees this target.", ("target",))
OBSERVERS = Metric(
    "failover_detection_observers", "Observers of this target that see it, and that do not.", ("target", "state")
)
LOOKED = Metric(
    "failover_detection_last_look_timestamp_seconds", "When an observer of this target was last alive.", ("target",)
)
BEGUN = Metric("failover_detection_open_runs", "Open failovers that detection has started.", ("target",))
COOLING = Metric("failover_detection_cooling", "1: the next automatic failover waits for a person.", ("target",))
POLICY = Metric(
    "failover_detection_info", "Always 1: detection of this target runs, with this policy.", ("target", "policy")
)

DRILL_ENDED = Metric("failover_drill_last_ended_timestamp_seconds", "When this drill was last held to its end.", ("drill",))
DRILL_PASSED = Metric(
    "failover_drill_last_passed", "1: the last drill met all criteria; 0: it did not.", ("drill", "kind", "target")
)
DRILL_ATTESTED = Metric("failover_drill_last_attested", "1: a person attested PASS; 0: FAIL, or nobody did.", ("drill",))
DRILL_RTO = Metric("failover_drill_last_rto_seconds", "RTO that the last drill has measured.", ("drill",))
DRILL_OBJECTIVE = Metric("failover_drill_last_objective_seconds", "RTO that the last drill had to meet.", ("drill",))
DRILL_DUE = Metric("failover_drill_next_due_timestamp_seconds", "When the calendar wants the next drill.", ("drill",))
DRILL_WAS_DUE = Metric("failover_drill_last_due_timestamp_seconds", "When the calendar last wanted a drill.", ("drill",))
DRILL_PAUSED = Metric("failover_drill_paused", "1: the schedule of this drill is paused.", ("drill",))

_CASE = ("procedure", "target", "variant")
READY = Metric("failover_readiness", "0 ready, 1 warning, 2 blocked, 3 unknown.", _CASE)
READY_SINCE = Metric("failover_readiness_since_timestamp_seconds", "Since when that is so.", _CASE)

METRICS: tuple[Metric, ...] = tuple(one for one in list(globals().values()) if isinstance(one, Metric))
OF_ITSELF = (UP, AGE, UNREAD, TOOK)
"""What is served even where nothing else is known."""


def families(samples: Iterable[Sample], wanted: Sequence[Metric]) -> list[GaugeMetricFamily]:
    """Return what Prometheus scrapes. Two values of the same labels become one, the later: it would refuse all otherwise."""
    values: dict[Metric, dict[tuple[str, ...], float]] = {metric: {} for metric in wanted}
    for sample in samples:
        values[sample.metric][sample.labels] = sample.value
    found = []
    for metric, by_labels in values.items():
        family = GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
        for labels, value in by_labels.items():
            family.add_metric(labels, value)
        found.append(family)
    return found
