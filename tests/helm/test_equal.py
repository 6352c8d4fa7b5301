"""The chart renders what kustomize builds: with its defaults, with the values of the documents, and under other names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.helm.__main__ import CHART, made
from deploy.helm.base import Object
from tests.deploy.manifests import BASE, ROOT, build
from tests.deploy.test_manifests import blocks, written
from tests.helm.helm import OURS, by_name, defaults, helm, rendered
from tests.helm.overlay import VALUES, overlay_under_other_names
from tests.helm.renamed import EXAMPLES, SPACE

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1800)]  # builds Helm where it is missing
_BY_HAND = {
    "Chart.yaml", "values.yaml", "values.schema.json",
    "templates/NOTES.txt", "templates/_estate.tpl", "templates/settings.yaml",
}  # fmt: skip
_KEPT = {"PersistentVolumeClaim", "Service", "ConfigMap"}


def _plain(objects: list[Object]) -> dict[tuple[str, str, str], Object]:
    """Return them without what tells Helm, and nobody else, what to do with an object."""
    for one in objects:
        annotations = one["metadata"].get("annotations", {})
        if ours := {key for key in annotations if key.startswith(OURS)}:
            assert one["kind"] in _KEPT
            one["metadata"]["annotations"] = {key: value for key, value in annotations.items() if key not in ours}
            if not one["metadata"]["annotations"]:
                del one["metadata"]["annotations"]
    return by_name(objects)


def _same(ours: list[Object], theirs: list[Object]) -> None:
    found, wanted = _plain(ours), by_name([one for one in theirs if one["kind"] != "Namespace"])  # it has the release
    assert set(found) == set(wanted)
    for name, one in wanted.items():
        assert found[name] == one


def test_the_chart_is_what_the_base_makes_of_it() -> None:
    generated = made()
    there = {str(path.relative_to(CHART)) for path in CHART.rglob("*") if path.is_file()}
    assert there == set(generated) | _BY_HAND
    for path, text in generated.items():
        assert (CHART / path).read_text(encoding="utf-8") == text, f"{path} is stale: python -m deploy.helm"


def test_the_defaults_are_the_base() -> None:
    _same(rendered(), build(BASE))


def test_the_values_of_the_documents_are_the_overlay_of_the_documents(tmp_path: Path) -> None:
    platform = written(tmp_path)
    values = yaml.safe_load((platform / "values.yaml").read_text(encoding="utf-8"))
    estate = f"--set-file=estate={platform / 'estate.yaml'}"
    _same(rendered(estate, **values), build(platform))


def test_the_chart_takes_the_values_of_the_page_about_azure() -> None:
    found = blocks(ROOT / "docs" / "aks.md")
    assert len(found) == 3
    values = {key: value for block in found for key, value in yaml.safe_load(block).items()}
    kinds = {(one["apiVersion"], one["kind"]) for one in rendered(**values)}
    assert ("azmonitoring.coreos.com/v1", "PodMonitor") in kinds
    assert "PrometheusRule" not in {kind for _, kind in kinds}


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Object]]:
    """Return the estate of a platform under other names, and what kustomize builds of it."""
    return overlay_under_other_names(tmp_path_factory.mktemp("shop"))


def test_under_other_names_it_is_the_base_under_other_names(other: tuple[str, list[Object]]) -> None:
    estate, objects = other
    _same(rendered(namespace=SPACE, estate=estate, **VALUES), objects)


def test_under_other_names_no_name_of_the_example_is_left(other: tuple[str, list[Object]]) -> None:
    objects = rendered(namespace=SPACE, estate=other[0], **VALUES)
    text = yaml.safe_dump(
        [one for one in objects if one["kind"] != "PrometheusRule" and "dashboard" not in one["metadata"]["name"]]
    )
    assert not [one for one in EXAMPLES if re.search(one, text)]
    example = yaml.safe_dump(defaults())
    assert all(re.search(one, example) for one in EXAMPLES), "one that the example does not have would prove nothing"


@pytest.mark.parametrize(("values", "gone"), [
    ({"drills": False}, {"failover-drills"}),
    ({"nodes": False}, {"failover-nodes", "failover-witness-nodes"}),
    ({"redis": {"enabled": False}}, {f"redis{one}" for one in (
        "", "-0", "-1", "-2", "-members", "-settings-d7b9c92d8c", "-sentinel", "-sentinel-0", "-sentinel-1", "-sentinel-2",
    )}),
    ({"postgresql": {"enabled": False}}, {f"postgresql{one}" for one in ("", "-gate", "-members", "-primary", "-standby")}),
])  # fmt: skip
def test_what_is_turned_off_is_gone_and_nothing_else(values: dict[str, Any], gone: set[str]) -> None:
    there, left = by_name(defaults()), by_name(rendered(**values))
    assert {name for _, _, name in set(there) - set(left)} == gone
    assert all(left[key] == there[key] for key in left)


def test_a_rule_never_loses_its_names() -> None:
    """An estate with nothing in it: ``resourceNames: []`` would grant the verb on every object of the namespace."""
    estate = "regions: {eastus: {location: East US, namespace: aiagent-prod}}"
    off = {"enabled": False}
    roles = [one for one in rendered(estate=estate, postgresql=off, redis=off) if one["kind"] == "Role"]
    for rule in (rule for one in roles for rule in one["rules"]):
        assert rule.get("resourceNames") != []
        assert not {"services", "leases", "deployments"} & set(rule["resources"])


def test_helm_finds_nothing_to_mend() -> None:
    done = helm("lint", "--strict", "--namespace", "aiagent-prod", str(CHART))
    assert done.returncode == 0, done.stdout
