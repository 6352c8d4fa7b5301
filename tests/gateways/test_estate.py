"""A gateway in the estate file: what it may say, and the sentence for what it may not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from estate.base import EstateError
from estate.gateways import GatewayProbe
from estate.loader import load_estate
from estate.resolving import resolve_gateway
from tests.gateways.samples import ENTRY

_EXAMPLE = Path(__file__).parents[2] / "deploy" / "estate.example.yaml"


def _load(tmp_path: Path, entry: dict[str, Any]) -> Any:
    content = {
        "regions": {"eastus": {"location": "East US", "namespace": "aiagent-prod"}}, "gateways": {"aiagent-appgw": entry},
    }  # fmt: skip
    file = tmp_path / "estate.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_estate(file)


def test_what_is_not_said_is_as_the_platforms_runbook_has_it(tmp_path: Path) -> None:
    target = resolve_gateway(_load(tmp_path, ENTRY), "aiagent-appgw")
    probe = target.gateway.probe
    assert (probe.name, probe.path, probe.unhealthy_threshold, probe.status_codes) == (
        "api-health-probe", "/health/ready", 3, ("200",),
    )  # fmt: skip
    assert (probe.interval.total_seconds(), probe.timeout.total_seconds()) == (30, 30)
    assert (target.gateway.settings, target.gateway.least, target.objective.rto.total_seconds()) == (
        "api-http-settings", 1, 30,
    )  # fmt: skip
    assert target.gateway.approvals.failover.needed == 0


def test_the_example_can_be_used(tmp_path: Path) -> None:
    """It is commented out there, since it needs a subscription."""
    text = _EXAMPLE.read_text(encoding="utf-8")
    [part] = re.findall(r"^# gateways:.*?(?=^$)", text, flags=re.MULTILINE | re.DOTALL)
    entry = yaml.safe_load(re.sub(r"^# ?", "", part, flags=re.MULTILINE))["gateways"]["aiagent-appgw"]
    target = resolve_gateway(_load(tmp_path, entry), "aiagent-appgw")
    assert (target.gateway.resource_group, target.gateway.probe) == ("aiagent-prod-rg", GatewayProbe())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"least": 4}, "least is 4, but backends names only 3"),
        ({"backends": ["a.example", "A.example"]}, "backends names an address twice"),
        ({"backends": []}, "backends"),
        ({"region": "westus9"}, "gateways.aiagent-appgw.region names 'westus9'"),
        ({"subscription": "mine"}, "subscription"),
        ({"probe": {"path": "health"}}, "probe.path"),
        ({"probe": {"status_codes": ["2xx"]}}, "status_codes"),
        ({"probes": {}}, "probes: unknown key"),
        ({"approvals": {"failover": {"roles": ["CTO"]}}}, "nobody under people holds it"),
    ],
)
def test_a_fault_is_named_with_its_key(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(EstateError, match=re.escape(words)):
        _load(tmp_path, {**ENTRY, **change})


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (299, True), (300, False), (404, True), (405, False)])
def test_which_status_is_healthy(status: int, healthy: bool) -> None:  # noqa: FBT001
    assert GatewayProbe(status_codes=("200-299", "404")).takes(status) is healthy
