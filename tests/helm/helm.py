"""Helm itself, built from Go modules that are pinned here, and what it makes of the chart."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from deploy.helm.__main__ import CHART
from deploy.helm.base import Object
from deploy.lab.binaries import ensure_program

_MODULE = Path(__file__).parent / "gomod"
_KUBERNETES = "helm.sh/helm/v3/pkg/chartutil.k8sVersion"  # a build without it takes every cluster for 1.20
_FLAGS = f"-X {_KUBERNETES}Major=1 -X {_KUBERNETES}Minor=34"
OURS = "helm.sh/"  # annotations that speak to Helm and to nobody else


@cache
def program() -> str:
    """Return Helm's path; the first one to ask on a machine builds it (about 75 s on two free cores)."""
    return str(ensure_program(_MODULE, "helm.sh/helm/v3/cmd/helm", print, _FLAGS))


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Helm."""
    return subprocess.run([program(), *arguments], capture_output=True, text=True, check=False)


def rendered(*arguments: str, namespace: str = "aiagent-prod", **values: Any) -> list[Object]:
    """Return the objects that the chart renders with these values, written as YAML; whatever refuses it fails the test."""
    done = template(*arguments, namespace=namespace, **values)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if one]


@cache
def defaults() -> list[Object]:
    """Return what it renders without any values, for readers that change nothing."""
    return rendered()


def template(*arguments: str, namespace: str = "aiagent-prod", **values: Any) -> subprocess.CompletedProcess[str]:
    """Render the chart with these values."""
    command = [program(), "template", "failover", str(CHART), "--namespace", namespace, "--values", "-", *arguments]
    return subprocess.run(command, input=yaml.safe_dump(values), capture_output=True, text=True, check=False)


def by_name(objects: list[Object]) -> dict[tuple[str, str, str], Object]:
    """Return the objects by kind and name; each is there once."""
    found = {(one["apiVersion"], one["kind"], one["metadata"]["name"]): one for one in objects}
    assert len(found) == len(objects)
    return found
