"""What doctor says of a pair, and what the report shows of it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from rich.console import Console

from activities.region.doctor import of_flexible
from activities.region.models import Begun, Ended, FlexibleDetails, Followed, Promotion, Role, Routed
from activities.run.models.doctor import Severity
from starters.render.region import flexible_lines, flexible_tables
from tests.region.samples import NEW, NOW, OLD, TARGET, lost, survey


def test_a_healthy_pair_has_no_fault() -> None:
    found = of_flexible(TARGET, survey(old_azure={"high_availability": "ZoneRedundant Healthy"}))
    assert [one.severity for one in found] == [Severity.OK] * 5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"endpoint": {"silent": True, "members": (), "error": "503"}}, "nobody knows where .*: 503"),
        ({"endpoint": {"members": ("x",)}}, "has the members x"),
        ({"endpoint": {"leads_to": NEW}}, f"leads to {NEW}, the primary is {OLD}"),
        ({"new_azure": {"role": Role.PRIMARY}}, "both primary: two servers take writes"),
        ({"new_azure": {"error": "403"}}, "403"),
        ({"new_azure": {"state": "Stopped"}}, "Stopped"),
        ({"new_sql": {"told_lsn": ""}}, "is not connected to its primary"),
        ({"old_sql": {"behind_bytes": None}}, "no replica is connected"),
        ({"old_sql": {"in_recovery": None, "error": "no route"}}, "WRITES ARE DOWN"),
    ],
)
def test_doctor_names_a_fault(changes: dict[str, Any], words: str) -> None:
    faults = [one for one in of_flexible(TARGET, survey(**changes)) if one.severity is Severity.FAULT]
    assert any(re.search(words, one.message) for one in faults), faults


def test_a_lost_region_is_no_second_primary() -> None:
    seen = lost(new_azure={"role": Role.PRIMARY, "source": ""}, new_sql={"in_recovery": False})
    first = of_flexible(TARGET, seen)[0]
    assert "NOT REDUNDANT" in first.message
    assert "two servers" not in first.message


def test_the_report_shows_what_was_seen_and_done() -> None:
    console = Console(width=160, record=True)
    for table in flexible_tables(lost()):
        console.print(table)
    text = console.export_text()
    assert "no answer (unknown)" in text
    assert "NOT CONNECTED to its primary" in text
    promotion = Promotion(ended=Ended.SUCCEEDED, at=NOW, role=Role.PRIMARY, state="Ready", looks=3)
    routed = Routed(
        leader=NEW, at=NOW, name_moved_at=NOW, address="10.0.0.5", ttl_seconds=30, write_milliseconds=4, complete_until=NOW
    )
    details = FlexibleDetails(
        begun=Begun(at=NOW, operation="/x"), promotion=promotion, routed=routed, promotions_asked=2,
        followed=Followed(name=OLD, follows=False, words="silent"), notes=("NOT REDUNDANT",),
    )  # fmt: skip
    said = "\n".join(flexible_lines(details))
    assert "asked to promote 2 times" in said
    assert "time to live 30 s" in said
    assert f"{NEW} has every commit until" in said
    assert said.endswith("NOT REDUNDANT")
    again = flexible_lines(FlexibleDetails(begun=Begun(at=NOW, already=True)))
    assert again == ["Azure was not asked (again): it led already, or a promotion was under way"]
