"""What an installation may have beside the base: a region's Roles, and metrics."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from deploy.helm.base import Object
from deploy.helm.parts import cluster_wide, limited, placed, temporal
from deploy.helm.template import Base, Template

_NAMES: dict[tuple[str, ...], str] = {("failover-region-eastus",): "$n.leases", ("api-deployment",): "$n.applications"}
_NAMESPACED = {"Role", "RoleBinding"}
_DASHBOARD = """\
failover.json: |
  {{- .Files.Get "files/dashboard.json" | nindent 4 }}"""


def regions(objects: list[Object], which: str) -> Iterator[Template]:
    """Yield the Roles that workers need in the cluster of a region, where ``regionFailover`` asks for them."""
    for body in objects:
        one = Template(body)
        if body["kind"] in _NAMESPACED:
            one.text(("metadata", "namespace"), "$.Release.Namespace")
        else:
            cluster_wide(one, *([("roleRef", "name")] if "roleRef" in body else []))
        if "rules" in body:
            limited(one, _NAMES)
        for number, _ in enumerate(body.get("subjects", [])):
            one.text(("subjects", number, "name"), "$.Values.regionFailover.account")
            one.text(("subjects", number, "namespace"), "$.Release.Namespace")
        yield one.when(f"$.Values.regionFailover.{which}")


def monitoring(base: Base, files: dict[str, str]) -> Iterator[Template]:
    """Yield what ``deploy/observability`` adds. Alerts and dashboard are files: they have braces of their own.

    Raises:
        ValueError: the component has an object that the chart does not know.
    """
    on = "$.Values.observability"
    exporter = temporal(placed(base.take("Deployment", "failover-exporter"), f"{on}.exporter", "worker"))
    yield exporter.when(f"{on}.enabled")
    for name in ("failover", "failover-gates"):
        monitor = base.take("PodMonitor", name).text(("apiVersion",), f"{on}.podMonitor")
        yield monitor.when(f"and {on}.enabled {on}.podMonitor")
    rules, dashboard = base.take("PrometheusRule", "failover"), base.take("ConfigMap", "failover-dashboard")
    files["files/prometheus-rule.yaml"] = yaml.safe_dump(rules.base["spec"], sort_keys=False, width=10_000)
    rules.replaced(("spec",), '{{- .Files.Get "files/prometheus-rule.yaml" | nindent 2 }}')
    yield rules.when(f"and {on}.enabled {on}.rules")
    files["files/dashboard.json"] = dashboard.base["data"]["failover.json"]
    yield dashboard.replaced(("data",), _DASHBOARD).when(f"and {on}.enabled {on}.dashboard")
    base.nothing_left()
