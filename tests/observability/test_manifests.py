"""The component in an overlay of the base: an exporter that may do nothing, and everything that is scraped is there."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

from tests.deploy.manifests import BASE, Object, build, of_kind
from tests.observability.prometheus import OBSERVABILITY, RULES


@cache
def _objects() -> list[Object]:
    """Return what an overlay builds that installs both under other names."""
    with TemporaryDirectory() as folder:
        for name, path in {"base": BASE, "observability": OBSERVABILITY}.items():
            (Path(folder) / name).symlink_to(path)
        document = {
            "namespace": "shop-prod", "namePrefix": "shop-", "resources": ["base"], "components": ["observability"],
            "images": [{"name": "failover-worker", "newName": "registry.example.com/failover", "newTag": "1"}],
        }  # fmt: skip
        (Path(folder) / "kustomization.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
        return build(Path(folder))


def _exporter() -> Object:
    (found,) = [one for one in of_kind(_objects(), "Deployment") if one["metadata"]["name"] == "shop-failover-exporter"]
    return found


def _container() -> dict[str, Any]:
    (container,) = _exporter()["spec"]["template"]["spec"]["containers"]
    return dict(container)


def test_the_exporter_follows_the_overlay() -> None:
    assert _exporter()["metadata"]["namespace"] == "shop-prod"
    assert _container()["image"] == "registry.example.com/failover:1"
    maps = {one["metadata"]["name"]: one["data"] for one in of_kind(_objects(), "ConfigMap")}
    (named,) = [one["configMapRef"]["name"] for one in _container()["envFrom"] if "configMapRef" in one]
    assert maps[named]["TEMPORAL_ADDRESS"]


def test_the_exporter_may_do_nothing() -> None:
    spec = _exporter()["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert "volumes" not in spec
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert _container()["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"cpu", "memory"} <= set(_container()["resources"]["requests"])
    assert "cpu" not in _container()["resources"]["limits"]


def test_the_exporter_listens_where_it_is_scraped() -> None:
    environment = {one["name"]: one["value"] for one in _container()["env"]}
    (port,) = _container()["ports"]
    assert environment["FAILOVER_EXPORTER"].rpartition(":")[2] == str(port["containerPort"])


def _matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    expressions = all(labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", []))
    return expressions and selector.get("matchLabels", {}).items() <= labels.items()


@pytest.mark.parametrize(
    ("monitor", "wanted"),
    [
        ("shop-failover", {"shop-failover-exporter", "shop-failover-worker"}),
        ("shop-failover-gates", {"shop-postgresql-primary", "shop-postgresql-standby"}),
    ],
)
def test_what_is_scraped_has_the_port_that_is_named(monitor: str, wanted: set[str]) -> None:
    (found,) = [one for one in of_kind(_objects(), "PodMonitor") if one["metadata"]["name"] == monitor]
    (endpoint,) = found["spec"]["podMetricsEndpoints"]
    workloads = {
        one["metadata"]["name"]: one["spec"]["template"]
        for one in of_kind(_objects(), "Deployment", "StatefulSet")
        if _matches(found["spec"]["selector"], one["spec"]["template"]["metadata"]["labels"])
    }
    assert set(workloads) == wanted
    for template in workloads.values():
        assert endpoint["port"] in {port["name"] for one in template["spec"]["containers"] for port in one["ports"]}


def test_alerts_and_the_dashboard_come_with_it() -> None:
    (rule,) = of_kind(_objects(), "PrometheusRule")
    assert rule["spec"] == yaml.safe_load(RULES.read_text(encoding="utf-8"))
    (dashboard,) = [one for one in of_kind(_objects(), "ConfigMap") if one["metadata"]["name"] == "shop-failover-dashboard"]
    assert dashboard["metadata"]["labels"] == {"grafana_dashboard": "1"}
    assert dashboard["data"]["failover.json"] == (OBSERVABILITY / "dashboard.json").read_text(encoding="utf-8")
