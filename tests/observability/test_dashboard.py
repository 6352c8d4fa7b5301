"""The dashboard has the shape that Grafana 10 and 11 load, and each of its queries returns data of a real Prometheus.

Grafana itself does not run here.
"""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import pytest

from tests.observability.prometheus import OBSERVABILITY, Prometheus
from tests.observability.test_rules import unknown_metrics

pytestmark = pytest.mark.servers
DASHBOARD: dict[str, Any] = json.loads((OBSERVABILITY / "dashboard.json").read_text(encoding="utf-8"))
_PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
_SHOWN = [one for one in _PANELS if one["type"] != "row"]
_QUERIES = [(f"{one['title']} {target['refId']}", target["expr"]) for one in _SHOWN for target in one["targets"]]
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_KINDS = {"row", "stat", "table", "timeseries", "state-timeline", "bargauge"}
"""Panels that Grafana has without a plugin."""


def _cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
    place = panel["gridPos"]
    return {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}


def test_the_dashboard_has_the_keys_that_provisioning_reads() -> None:
    assert (DASHBOARD["uid"], DASHBOARD["title"], DASHBOARD["schemaVersion"]) == ("failover", "failover", 39)
    assert "id" not in DASHBOARD, "Grafana gives it"
    assert [one["name"] for one in DASHBOARD["templating"]["list"]] == ["datasource", "target"]


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    assert len({one["id"] for one in _PANELS}) == len(_PANELS)
    assert len({one["title"] for one in _PANELS}) == len(_PANELS), "a title is how a person names a panel"
    for one, other in combinations(_PANELS, 2):
        assert not _cells(one) & _cells(other), (one["title"], other["title"])
    assert {x for one in _PANELS for x, _ in _cells(one)} == set(range(24))


@pytest.mark.parametrize("panel", _SHOWN, ids=lambda one: str(one["title"]))
def test_a_panel_is_complete(panel: dict[str, Any]) -> None:
    assert panel["type"] in _KINDS
    assert panel["description"].endswith(".")
    assert panel["datasource"] == _SOURCE
    assert [one["refId"] for one in panel["targets"]] == ["A", "B"][: len(panel["targets"])]
    for one in panel["targets"]:
        assert one["datasource"] == _SOURCE
        assert one["instant"] is not one["range"]
        assert unknown_metrics(one["expr"]) == set()
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert steps[0]["value"] is None, "the first threshold is minus infinity"


def test_every_query_returns_data(seen: Prometheus) -> None:
    assert [title for title, query in _QUERIES if not seen.query(query.replace("$target", ".+"))] == []


def test_the_list_of_targets_is_filled(seen: Prometheus) -> None:
    (variable,) = [one for one in DASHBOARD["templating"]["list"] if one["name"] == "target"]
    selector = variable["definition"].removeprefix("label_values(").removesuffix(", target)")
    found = seen.ask("label/target/values", **{"match[]": selector})
    assert "redis/mymaster" in found
    assert len(found) == 3
