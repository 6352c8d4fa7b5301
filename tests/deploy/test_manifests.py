"""The shipped base under overlays: the one of the documents, other namespaces, other names."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.deploy.manifests import BASE, LAB, ROOT, Object, build, of_kind, overlay

_BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NAMED = re.compile(r"# (platform/\S+)\n")
_DOCUMENTS = sorted(path for path in (ROOT / "docs").glob("**/*.md") if _BLOCK.search(path.read_text(encoding="utf-8")))


def blocks(document: Path) -> list[str]:
    return _BLOCK.findall(document.read_text(encoding="utf-8"))


def written(folder: Path) -> Path:
    """Write down what install.md tells its readers to, beside a checkout of the product; return the overlay's folder."""
    (folder / "failover").symlink_to(ROOT)
    (folder / "platform").mkdir()
    shutil.copy(ROOT / "deploy" / "estate.example.yaml", folder / "platform" / "estate.yaml")
    for block in blocks(ROOT / "docs" / "install.md"):
        named = _NAMED.match(block)
        assert named, f"a block of install.md does not say which file it is: {block[:60]}"
        (folder / named[1]).write_text(block, encoding="utf-8")
    return folder / "platform"


def _subjects(objects: list[Object], kind: str) -> set[str]:
    return {subject.get("namespace") for one in of_kind(objects, kind) for subject in one["subjects"]}


def _environment(one: Object, objects: list[Object]) -> dict[str, str]:
    """Return what a workload's ConfigMaps put into its environment."""
    (container,) = one["spec"]["template"]["spec"]["containers"]
    names = [source["configMapRef"]["name"] for source in container.get("envFrom", []) if "configMapRef" in source]
    maps = {found["metadata"]["name"]: found["data"] for found in of_kind(objects, "ConfigMap")}
    return {key: value for name in names for key, value in maps[name].items()}


def _images(one: Object) -> list[str]:
    return [container["image"] for container in one["spec"]["template"]["spec"]["containers"]]


@pytest.mark.parametrize("document", _DOCUMENTS, ids=lambda path: path.name)
def test_every_yaml_block_of_the_documents_is_yaml(document: Path) -> None:
    for block in blocks(document):
        assert list(yaml.safe_load_all(block))


def test_the_overlay_of_the_documents_builds_and_does_what_they_say(tmp_path: Path) -> None:
    objects = build(written(tmp_path))
    workloads = {one["metadata"]["name"]: one for one in of_kind(objects, "StatefulSet", "Deployment")}
    for name in ("failover-worker", "failover-witness"):
        assert _environment(workloads[name], objects)["TEMPORAL_ADDRESS"] == "temporal.example.com:7233"
    claims = [claim for one in workloads.values() for claim in one["spec"].get("volumeClaimTemplates", [])]
    assert {claim["spec"]["storageClassName"] for claim in claims} == {"fast-ssd"}
    images = {
        container["image"] for one in workloads.values() for container in one["spec"]["template"]["spec"]["containers"]
    }
    assert images == {"registry.example.com/failover:1", "registry.example.com/redis:7.2"}


@pytest.mark.parametrize("folder", [BASE, LAB], ids=["base", "lab"])
def test_workers_and_witnesses_reach_temporal_at_the_same_address(folder: Path) -> None:
    objects = build(folder)
    ours = [one for one in of_kind(objects, "StatefulSet", "Deployment") if one["metadata"]["name"].startswith("failover-w")]
    assert len(ours) == 2
    assert len({_environment(one, objects)["TEMPORAL_ADDRESS"] for one in ours}) == 1
    for one in ours:
        (container,) = one["spec"]["template"]["spec"]["containers"]
        assert not [entry for entry in container["env"] if entry["name"].startswith("TEMPORAL_")]


def test_every_binding_follows_the_namespace_of_the_overlay(tmp_path: Path) -> None:
    objects = overlay(tmp_path, namespace="shop-prod")
    assert _subjects(objects, "ClusterRoleBinding") == _subjects(objects, "RoleBinding") == {"shop-prod"}
    assert "aiagent-prod" not in yaml.safe_dump([one for one in objects if one["kind"] != "ConfigMap"])
