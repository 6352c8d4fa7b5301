"""The platform on a Kubernetes cluster that exists already, where this machine cannot carry a lab of its own.

Installs the shipped base with your image and fresh Secrets. What it cannot do there: start Temporal, break nodes and
cables, or run the sample API; those need the lab's own machine.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

import yaml

from deploy.lab.names import LabError, LabUsageError
from deploy.lab.processes import run
from deploy.lab.workload import NAMESPACE, SECRETS

_BASE = Path(__file__).resolve().parents[1] / "kubernetes" / "base"


def install(context: str, image: str | None, temporal: str | None, say: Callable[[str], None]) -> None:
    """Apply the base to the cluster behind ``context``. Safe to repeat; existing Secrets are kept.

    Raises:
        LabUsageError: an option is missing, or kubectl does not know the context.
        LabError: kubectl is missing, or the cluster refused.
    """
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise LabError("kubectl is missing; install it to use --context")
    if image is None:
        raise LabUsageError(
            "image: missing; build deploy/images/Dockerfile, push it where the cluster can pull it, give --image"
        )
    if temporal is None:
        raise LabUsageError("temporal: missing; give --temporal HOST:PORT as pods of that cluster reach it")
    if not run([kubectl, "config", "get-contexts", context, "-o", "name"], check=False).strip():
        raise LabUsageError(f"context: {context!r} is not in your kubeconfig; see kubectl config get-contexts")
    base = [kubectl, f"--context={context}"]
    rendered = run([kubectl, "kustomize", str(_BASE)])
    objects = [_adapted(one, image, temporal) for one in yaml.safe_load_all(rendered) if one]
    _apply(base, [one for one in objects if one["kind"] == "Namespace"])
    for name, keys in SECRETS.items():
        if name in {"api-token", "power-token"} or run(
            [*base, "-n", NAMESPACE, "get", "secret", name, "-o", "name"], check=False
        ):
            continue
        values = {key: secrets.token_urlsafe(18) for key in keys}
        meta = {"name": name, "namespace": NAMESPACE}
        _apply(base, [{"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": values}])
    _apply(base, objects)
    say(f"installed in namespace {NAMESPACE} of {context}; workers serve Temporal at {temporal}")
    say("not there: a Temporal of its own, the sample API, `lab break`, `lab heal`, `lab load`: they need the lab's machine")


def _adapted(one: dict[str, object], image: str, temporal: str) -> dict[str, object]:
    text = json.dumps(one)
    text = text.replace('"image": "failover-postgresql"', f'"image": "{image}"')
    text = text.replace('"image": "failover-worker"', f'"image": "{image}"')
    adapted: dict[str, object] = json.loads(text.replace("temporal-frontend.temporal.svc.cluster.local:7233", temporal))
    return adapted


def _apply(base: list[str], objects: list[dict[str, object]]) -> None:
    run([*base, "apply", "--server-side", "--field-manager=lab", "-f", "-"], feed=yaml.safe_dump_all(objects))
