"""Every alert fires when it must and not otherwise, by promtool; it says something, and leads to a page that exists."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest
import yaml

from gate.commands import http
from starters.exporter.declared import METRICS
from tests.architecture.test_documents_style import _anchors
from tests.observability.prometheus import OBSERVABILITY, ROOT, RULES

pytestmark = pytest.mark.servers
_CASES: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("rules.yaml").read_text(encoding="utf-8"))
_NAME = re.compile(r"\b(?:failover|gate|temporal)_[a-z_]+\b")


def _alerts() -> dict[str, dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return {one["alert"]: one for one in group["rules"]}


@cache
def known_metrics() -> frozenset[str]:
    """Return the names that are served: by the exporter, and by gates."""
    gates = re.findall(r'"(gate_[a-z_]+)"', Path(http.__file__).read_text(encoding="utf-8"))
    return frozenset({*gates, *(one.name for one in METRICS)})


def unknown_metrics(expression: str) -> set[str]:
    """Return what ``expression`` names and nobody serves."""
    return set(_NAME.findall(re.sub(r'"[^"]*"', "", expression))) - known_metrics()


def _promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.usefixtures("_prometheus_installed")
def test_the_rules_are_rules() -> None:
    done = _promtool("check", "rules", "--lint=all", "--lint-fatal", str(RULES))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_its_cases() -> None:
    assert set(_CASES) == set(_alerts())


def _seconds(written: str) -> int:
    return int(written[:-1]) * {"m": 60, "h": 3600}[written[-1]]


def _tests(kind: str) -> list[dict[str, Any]]:
    """Return a test of each alert that expects it never to fire: what fires all the same is what promtool complains of."""
    tests = []
    for alert, case in _CASES.items():
        if kind not in case:
            continue
        fires = _seconds(case["fires_at"])
        times = [fires] if kind == "series" else sorted({max(fires * part // 10, 30) for part in range(1, 11)})
        tests.append(
            {
                "name": alert,
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in case[kind].items()],
                "alert_rule_test": [{"eval_time": f"{at}s", "alertname": alert, "exp_alerts": []} for at in times],
            }
        )
    return tests


@cache
def _found(kind: str) -> dict[str, str]:
    """Return what promtool finds firing, by the alert; one process judges all of a kind, quick alerts more often."""
    told = ""
    slow = [one for one in _tests(kind) if _seconds(_CASES[one["name"]]["fires_at"]) > 3600]
    quick = [one for one in _tests(kind) if one not in slow]
    for tests, every in ((quick, "30s"), (slow, "10m")):
        if not tests:
            continue
        with NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": every, "tests": tests}, file)
            file.flush()
            done = _promtool("test", "rules", file.name)
        assert "SUCCESS" in done.stdout or "FAILED" in done.stderr, done.stdout + done.stderr
        told += done.stderr
    parts = re.split(r"^    name: (\w+),$", told, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.usefixtures("_prometheus_installed")
@pytest.mark.parametrize("alert", _CASES)
def test_an_alert_fires_when_it_must(alert: str) -> None:
    got = _found("series").get(alert, "")
    labels = re.findall(r"Labels:\{([^}]*)\}", got)
    wanted = {"alertname": alert, **_CASES[alert].get("labels", {}), **_alerts()[alert]["labels"]}
    assert [dict(re.findall(r'(\w+)="([^"]*)"', one)) for one in labels] == [wanted], got
    assert "no value" not in got
    assert "{{" not in got


@pytest.mark.usefixtures("_prometheus_installed")
@pytest.mark.parametrize("alert", _CASES)
def test_an_alert_does_not_fire_while_all_is_healthy(alert: str) -> None:
    assert _found("healthy").get(alert, "") == ""
    assert _found("healthy_too").get(alert, "") == ""


@pytest.mark.parametrize("alert", _CASES)
def test_an_alert_names_only_metrics_that_are_served(alert: str) -> None:
    expression = _alerts()[alert]["expr"]
    assert _NAME.search(expression)
    assert unknown_metrics(expression) == set()


@pytest.mark.parametrize("alert", _CASES)
def test_an_alert_tells_how_bad_it_is_and_where_to_read_on(alert: str) -> None:
    one = _alerts()[alert]
    assert one["labels"]["severity"] in {"critical", "warning"}
    assert set(one["annotations"]) == {"summary", "description", "runbook"}
    page, _, anchor = one["annotations"]["runbook"].partition("#")
    assert (ROOT / page).exists()
    assert not anchor or anchor in _anchors(ROOT / page)


def test_the_document_lists_every_alert_with_its_severity_and_every_metric() -> None:
    text = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `(Failover\w+)` \| (\w+) \|", text, re.MULTILINE))
    assert listed == {name: one["labels"]["severity"] for name, one in _alerts().items()}
    rows = re.findall(r"^\| `(failover_\w+)` \|", text, re.MULTILINE)
    assert sorted(rows) == sorted(one.name for one in METRICS)


def test_the_operator_gets_the_same_rules() -> None:
    (found,) = yaml.safe_load_all((OBSERVABILITY / "prometheus-rule.yaml").read_text(encoding="utf-8"))
    assert found["spec"] == yaml.safe_load(RULES.read_text(encoding="utf-8"))
