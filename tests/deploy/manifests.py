"""Builds the shipped manifests as users do: with kubectl."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml

from deploy.helm.base import BASE, Object, kubectl

ROOT = Path(__file__).parents[2]
LAB = ROOT / "deploy" / "kubernetes" / "overlays" / "lab"
__all__ = ["BASE", "LAB", "ROOT", "Object", "build", "kubectl", "of_kind", "overlay"]


def build(folder: Path) -> list[Object]:
    """Return what the overlay in ``folder`` builds."""
    done = subprocess.run([kubectl(), "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def overlay(folder: Path, **fields: Any) -> list[Object]:
    """Write an overlay of the base with these fields into ``folder``; return what it builds."""
    (folder / "base").symlink_to(BASE)
    document = {"resources": ["base"], **fields}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return build(folder)


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    """Return the objects of these kinds."""
    return [one for one in objects if one["kind"] in kinds]
