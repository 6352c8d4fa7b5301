"""Which runs have ended, and how, by Temporal's visibility alone.

All of them are listed once an hour; between, only those that ended lately. Visibility may be late by some seconds, so that
each look goes back further than the one before it ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus

from activities.run.models.report import Outcome
from starters.client.requests import ours
from starters.exporter import declared
from starters.exporter.declared import Sample
from workflows.run.models import Run
from workflows.run.phases import Phase
from workflows.run.state import MODE, OUTCOME, PHASE, RUN, TARGET

_AGAIN_AFTER = timedelta(hours=1)
_LATE = timedelta(minutes=5)
_MOST_SERIES = 1000
_OTHERS = "others"
_LEFT = {Outcome.STRANDED.value, Outcome.ROLLBACK_INCOMPLETE.value}
_ACTED = {*_LEFT, Outcome.COMPLETED.value, Outcome.RECOVERED.value, Outcome.ROLLED_BACK.value}
_CUT_SHORT = {WorkflowExecutionStatus.TERMINATED, WorkflowExecutionStatus.TIMED_OUT}
_HARMLESS = {"", Phase.SURVEYING.value, Phase.AWAITING_APPROVAL.value, Phase.CHECKING.value}
"""Phases in which a run has changed nothing."""


@dataclass(frozen=True)
class Ended:
    """One run that has ended."""

    workflow_id: str
    run_id: str
    procedure: str
    target: str
    mode: str
    run: str
    outcome: str
    """As its report says; how Temporal closed it where it wrote none."""
    ended_at: datetime
    seconds: float
    unfinished: bool
    """It has left its target as no run is to be left."""
    acted: bool
    """It has changed something."""

    @property
    def series(self) -> tuple[str, str, str]:
        """What its figures are labelled with."""
        return self.procedure, self.target, self.run


class EndedRuns:
    """All that Temporal has not yet forgotten."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: dict[str, Ended] = {}
        self._all_at: datetime | None = None
        self._looked_at: datetime | None = None

    async def look(self, client: Client, now: datetime) -> None:
        """Learn what has ended since the last look. RPCError: Temporal does not say."""
        anew = self._all_at is None or now - self._all_at > _AGAIN_AFTER
        query = f"{ours()} AND ExecutionStatus != 'Running'"
        if not anew and self._looked_at is not None:
            query += f" AND CloseTime > '{self._looked_at - _LATE:%Y-%m-%dT%H:%M:%SZ}'"
        found = {one.run_id: ended async for one in client.list_workflows(query) if (ended := _read(one))}
        self._known = found if anew else {**self._known, **found}
        self._all_at = now if anew else self._all_at
        self._looked_at = now

    @property
    def last(self) -> list[Ended]:
        """The newest that has acted, of each procedure on each target, drills apart."""
        newest = {one.series: one for one in self._acted()}
        return [newest[series] for series in sorted(newest)]

    def samples(self) -> list[Sample]:
        """Return how many have ended, and which targets are left unfinished."""
        counted = Counter[tuple[str, ...]](
            (one.procedure, one.target, one.mode, one.run, one.outcome) for one in self._known.values()
        )
        newest = {one.target: one for one in self._acted()}
        left = [one for one in newest.values() if one.unfinished]
        return [
            *(declared.ENDED.of(number, *labels) for labels, number in bounded(counted)),
            *(
                declared.UNFINISHED.of(one.ended_at, one.target, one.procedure, one.mode, one.run, one.outcome)
                for one in left
            ),
        ]

    def _acted(self) -> list[Ended]:
        return sorted((one for one in self._known.values() if one.acted), key=lambda one: one.ended_at)


def bounded(counted: Counter[tuple[str, ...]], most: int = _MOST_SERIES) -> Iterable[tuple[tuple[str, ...], int]]:
    """Return the counts; of too many, the small ones under one target: anybody can start a run of any name."""
    kept, rest = dict(counted.most_common(most)), Counter[tuple[str, ...]]()
    for labels, number in counted.items():
        if labels not in kept:
            rest[(labels[0], _OTHERS, *labels[2:])] += number
    return [*kept.items(), *rest.items()]


def _read(one: WorkflowExecution) -> Ended | None:
    labels, closed_at = one.typed_search_attributes, one.close_time
    if closed_at is None or one.status is WorkflowExecutionStatus.CONTINUED_AS_NEW:
        return None
    status = one.status.name.lower().replace("_", " ") if one.status else "unknown"
    outcome, run = labels.get(OUTCOME) or status, labels.get(RUN) or "unknown"
    cut_short = one.status in _CUT_SHORT and (labels.get(PHASE) or "") not in _HARMLESS
    real = run in {Run.REAL.value, Run.DRILL.value}
    return Ended(
        workflow_id=one.id,
        run_id=one.run_id,
        procedure=one.workflow_type,
        target=labels.get(TARGET) or "unknown",
        mode=labels.get(MODE) or "unknown",
        run=run,
        outcome=outcome,
        ended_at=closed_at,
        seconds=(closed_at - one.start_time).total_seconds(),
        unfinished=outcome in _LEFT or cut_short,
        acted=real and (outcome in _ACTED or cut_short),
    )
