"""What a forced failover to another region has cost: what the plan said, beside what the new primary knows."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from activities.region.models import FlexibleDetails, FlexiblePlan, Routed
from activities.run.models.report import Outcome, RunReport
from starters.history.missing import about_missing, may_miss
from starters.history.parse import Chronicle
from starters.render.region import flexible_lines
from tests.region.samples import NEW, NOW, TARGET, lost, request
from workflows.region.planning import make_flexible_plan

_DOWN = NOW - timedelta(seconds=10)


def _plan() -> FlexiblePlan:
    seen = lost(new_sql={"replayed_at": _DOWN - timedelta(seconds=8)})
    return make_flexible_plan(request(mode="forced", down_since=_DOWN.isoformat()), TARGET, seen)


def _run(until: datetime | None) -> Chronicle:
    """Return a forced run whose plan has said 8 s, and whose new primary is complete ``until`` then."""
    routed = Routed(leader=NEW, at=NOW, name_moved_at=NOW, address="10.0.0.5", write_milliseconds=4, complete_until=until)
    report = RunReport(
        workflow="postgres-region-failover", workflow_id="w", run_id="r", started_at=NOW, finished_at=NOW,
        outcome=Outcome.COMPLETED, reason="", cluster=TARGET.name, mode="forced", run="real",
        details=FlexibleDetails(survey=lost(), routed=routed),
    )  # fmt: skip
    return Chronicle(workflow="postgres-region-failover", started_at=NOW, plan=_plan(), report=report)


@pytest.mark.parametrize(
    ("until", "seconds", "words"),
    [
        (None, 8, "commits of at most 8 s may be missing, as the plan said; objective 900 s: met"),
        (_DOWN - timedelta(seconds=1.25), 1.25,
         "commits of at most 2 s, those after 2026-11-29 02:29:48.750 UTC (the plan said at most 8 s); objective 900 s"),
        (_DOWN - timedelta(seconds=60), 8, "commits of at most 8 s, those after 2026-11-29 02:28:50.000 UTC"),
        (_DOWN + timedelta(seconds=1), 0, "commits of at most 0 s, those after 2026-11-29 02:29:51.000 UTC"),
    ],
    ids=["not known", "less than planned", "nothing was written for long", "later than the person said"],
)  # fmt: skip
def test_it_is_never_more_than_the_plan_said(until: datetime | None, seconds: float, words: str) -> None:
    run = _run(until)
    missing = may_miss(run)
    assert missing == seconds
    assert words in about_missing(run, missing, 900.0, in_loss=True)
    known = [line for line in flexible_lines(run.report.of(FlexibleDetails)) if "every commit" in line] if run.report else []
    assert len(known) == (until is not None)
