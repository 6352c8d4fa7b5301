"""What people read of a fence and of a recovery."""

from __future__ import annotations

from datetime import timedelta

from rich.console import Console

from activities.region.failover_models import Fenced, Scale
from activities.region.models import Lag
from activities.region.recovery_models import Follower, RegionRecoveryDetails, Repaired
from activities.region.returning_models import DatabaseStanding, Goal, Lead, Old, Returned, ServerChanged
from activities.run.models.report import Known
from starters.render.region_returning import recovery_lines, seen_of
from tests.region.samples import DATABASE, NEW, NOW, OLD

_STANDING = DatabaseStanding(
    name=DATABASE, server=OLD, leader=NEW, lead=Lead.SURVIVOR, old=Old.STOPPED, words="stopped", standby=""
)
_DETAILS = RegionRecoveryDetails(
    returned=Returned(at=NOW, applications=(Scale(name="api", error="no route"),), databases=(_STANDING,)),
    fenced=Fenced(at=NOW, applications=(Scale(name="api", wanted=0, kept=3), Scale(name="agents", error="no route"))),
    changed=(
        ServerChanged(
            server=OLD, goal=Goal.STOPPED, words="Azure says Stopped", done=True, asked_at=NOW,
            at=NOW + timedelta(seconds=61), requests=1,
        ),
    ),
    answered_at=NOW,
    tries=1,
    repaired=Repaired(run_id="0198d3c6", outcome="completed", ended_at=NOW),
    followers=(
        Follower(server=OLD, at=NOW, caught_up=True, lags=(Lag(witness=NEW, behind_bytes=0, behind_seconds=0.0),)),
    ),
)  # fmt: skip


def test_each_thing_that_was_done_has_a_line() -> None:
    told = recovery_lines(_DETAILS)
    assert told[0].startswith("repairs 0198d3c6, completed at ")
    assert told[1].startswith("first contact at ")
    assert "api asks for 0 pods, before for 3" in told
    assert "agents: no route" in told
    assert any(f"{OLD} is stopped: Azure says Stopped; Azure was asked 1 time; " in one for one in told)
    assert f"{OLD} has caught up ({NEW}: 0 bytes, 0.0 s behind)" in told


def test_what_failed_and_what_is_not_known_is_said() -> None:
    failed = _DETAILS.changed[0].model_copy(update={"done": False, "words": "Azure says no", "requests": 2})
    late = Follower(server=OLD, at=NOW, words="Azure says Updating", lags=(Lag(witness=OLD),))
    told = recovery_lines(RegionRecoveryDetails(changed=(failed,), followers=(late,)))
    assert told[0].startswith(f"{OLD} IS NOT stopped: Azure says no; Azure was asked 2 times; ")
    assert told[1] == f"{OLD} has not caught up: Azure says Updating ({OLD}: unknown bytes, unknown time behind)"


def test_who_leads_stands_in_a_table() -> None:
    console = Console(width=200, record=True)
    for table in seen_of(Known(details=_DETAILS)):
        console.print(table)
    text = console.export_text()
    assert NEW in text
    assert f"{OLD}: stopped" in text
    assert "no route" in text
    assert seen_of(Known(details=RegionRecoveryDetails())) == []
