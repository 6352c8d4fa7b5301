"""What kustomize builds: the objects that the chart is made from."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from deploy.lab.binaries import built_binaries, ensure_binaries
from deploy.lab.names import LabError

KUBERNETES = Path(__file__).parents[1] / "kubernetes"
BASE = KUBERNETES / "base"
REGION = KUBERNETES / "region"
OBSERVABILITY = Path(__file__).parents[1] / "observability"
Object = dict[str, Any]


@cache
def kubectl() -> str:
    """Return the lab's kubectl, else this machine's; build the lab's where there is none."""
    try:
        return str(built_binaries() / "kubectl")
    except LabError:
        return shutil.which("kubectl") or str(ensure_binaries(print) / "kubectl")


def built(folder: Path) -> list[Object]:
    """Return what the kustomization in ``folder`` builds.

    Raises:
        subprocess.CalledProcessError: it cannot be built; ``stderr`` says why.
    """
    done = subprocess.run([kubectl(), "kustomize", str(folder)], capture_output=True, text=True, check=True)
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def read(path: Path) -> list[Object]:
    """Return the objects in a manifest."""
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]


def component(folder: Path, base: list[Object]) -> list[Object]:
    """Return what the kustomize component in ``folder`` adds to the base."""
    with TemporaryDirectory() as overlay:
        for name, path in {"base": BASE, "component": folder}.items():
            (Path(overlay) / name).symlink_to(path)
        document = {"namespace": "aiagent-prod", "resources": ["base"], "components": ["component"]}
        (Path(overlay) / "kustomization.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
        return [one for one in built(Path(overlay)) if one not in base]
