"""What doctor says of a public name, and what the report shows of a move."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from rich.console import Console

from activities.run.models.doctor import Severity
from activities.traffic.doctor import TrafficDoctor, of_traffic
from activities.traffic.models import Answer, HealthFact, NameFact, Proof, Served, TrafficDetails
from starters.render.traffic import traffic_lines, traffic_tables
from tests.traffic.bench import TrafficBench
from tests.traffic.samples import AWAY, HOME, NOW, TARGET, endpoint, survey


def test_a_healthy_name_has_no_fault() -> None:
    assert {one.severity for one in of_traffic(TARGET, survey())} == {Severity.OK}


@pytest.mark.parametrize(
    ("changes", "severity", "told"),
    [
        ({"door": {"error": "403"}}, Severity.FAULT, "403"),
        ({"door": {"disabled": "route default-route"}}, Severity.FAULT, "default-route is disabled"),
        ({"door": {"empty": (AWAY,)}}, Severity.FAULT, r"westus2 \(West US 2\) has no enabled origin"),
        ({"manager": {"routing": "Weighted"}}, Severity.FAULT, "routes by Weighted"),
        ({"manager": {"ttl_seconds": 3600}}, Severity.WARNING, "time to live is 3600 s"),
        ({"manager": {"levers": (endpoint("west", 1, region=AWAY, health="Degraded"),)}}, Severity.WARNING, "degraded"),
        ({"manager": {"levers": (endpoint("west", 1, region=AWAY, enabled=False),)}}, Severity.WARNING, "west is disabled"),
        ({"edge": (Answer(error="no region"),)}, Severity.FAULT, "no region"),
        ({"edge": (Answer(region=AWAY),)}, Severity.WARNING, "answers from westus2, and Azure leads to eastus"),
        ({"name": NameFact(error="NXDOMAIN")}, Severity.FAULT, "NXDOMAIN"),
        ({"health": (HealthFact(region=AWAY, message="answers 503"),)}, Severity.FAULT, "503"),
    ],
)
def test_doctor_names_what_is_wrong(changes: dict[str, Any], severity: Severity, told: str) -> None:
    found = [one for one in of_traffic(TARGET, survey(**changes)) if one.severity is severity]
    assert any(re.search(told, one.message) for one in found), found


@pytest.mark.parametrize("bench", ["both", "origins"], indirect=True)
async def test_doctor_reads_azure_with_the_least_rights(bench: TrafficBench) -> None:
    found = await TrafficDoctor(bench.clients).at(bench.target)
    assert {one.severity for one in found} == {Severity.OK}, found


def test_the_report_has_both_times() -> None:
    proof = Proof(
        first_at=NOW + timedelta(seconds=90), all_from=NOW + timedelta(seconds=200), answers=70, last="it came from eastus"
    )
    details = TrafficDetails(
        begun_at=NOW, azure_done_at=NOW + timedelta(seconds=65), asked=1, notes=("a note",),
        served=Served(at=NOW, edge=proof, name=Proof(answers=3, ttl_seconds=60)),
    )  # fmt: skip
    told = "\n".join(traffic_lines(details))
    for fragment in (
        "ended all changes after 1 min 05.0 s",
        "the edge: first answer from there after 1 min 30.0 s, every answer from 3 min 20.0 s on",
        "DNS: first answer from there never",
        "time to live 60 s",
        "a note",
    ):
        assert fragment in told, told


def test_the_tables_show_every_source() -> None:
    console = Console(width=200, record=True)
    for table in traffic_tables(survey(door={"error": "403"}, edge=(Answer(region=HOME), Answer(error="slow")))):
        console.print(table)
    text = console.export_text()
    for fragment in ("no answer: 403", "eastus and no proof (slow)", "time to live 60 s", "westus2 directly"):
        assert fragment in text
