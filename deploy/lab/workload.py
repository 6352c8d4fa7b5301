"""What runs on the lab's cluster: the shipped manifests with the lab's overlay, and the Secrets that they expect."""

from __future__ import annotations

import grp
import json
import pwd
import secrets
from pathlib import Path

import yaml

from deploy.lab.controlplane import kubectl_command
from deploy.lab.names import Lab, LabError
from deploy.lab.processes import run, wait_until
from deploy.lab.product import copy_product, digest_of, make_disk

NAMESPACE = "aiagent-prod"
MEMBERS = ("postgresql-primary-0", "postgresql-standby-0")
_OVERLAY = Path(__file__).resolve().parents[1] / "kubernetes" / "overlays" / "lab"
_WORKER_USER = 10001
SECRETS = {
    "postgresql-passwords": ("replication", "operator", "application"),
    "gate-token": ("token",),
    "api-token": ("token",),
}
_CODE_MARK = "failover.lab/code"
_CODE = {
    "postgresql-primary": ("gate",),
    "postgresql-standby": ("gate",),
    "api-deployment": ("deploy",),
    "failover-worker": ("estate", "gate", "activities", "workflows", "workers"),
}


def prepare_disks(lab: Lab) -> None:
    """Make the directories that the nodes mount when they are powered on."""
    for folder in (lab.product, lab.disks, lab.extra):
        folder.mkdir(parents=True, exist_ok=True)
    user, group = postgres_user()
    for member in MEMBERS:
        make_disk(lab, member, user, group)
    make_disk(lab, "records", _WORKER_USER, _WORKER_USER)


def apply_workload(lab: Lab, binaries: Path) -> None:
    """Install everything, or bring it back to what the manifests say. Never touches the write Service's selector."""
    copy_product(lab)
    rendered = run([str(binaries / "kubectl"), "kustomize", str(_OVERLAY)])
    user, group = postgres_user()
    rendered = rendered.replace("POSTGRES_UID", str(user)).replace("POSTGRES_GID", str(group))
    objects = [one for one in yaml.safe_load_all(rendered) if one]
    for one in objects:
        if one["kind"] in {"Deployment", "StatefulSet"}:
            code = digest_of(*_CODE[one["metadata"]["name"]])
            one["spec"]["template"]["metadata"].setdefault("annotations", {})[_CODE_MARK] = code
    spaces = [one for one in objects if one["kind"] == "Namespace"]
    apply(lab, binaries, spaces)
    _make_secrets(lab, binaries)
    apply(lab, binaries, objects)
    for one in objects:
        if one["kind"] == "StatefulSet":
            _replace_if_stuck(lab, binaries, one["metadata"]["name"])


def _replace_if_stuck(lab: Lab, binaries: Path, name: str) -> None:
    """Delete an unready pod of an older revision: a StatefulSet waits for it to become ready before it updates it."""
    wait_until(f"{name} seen", lambda: field(lab, binaries, f"statefulset/{name}", ".status.updateRevision") != "", 30)
    wanted = field(lab, binaries, f"statefulset/{name}", ".status.updateRevision")
    pod = f"pod/{name}-0"
    revision = field(lab, binaries, pod, ".metadata.labels.controller-revision-hash")
    ready = field(lab, binaries, pod, ".status.conditions[?(@.type=='Ready')].status")
    if revision not in {"", wanted} and ready != "True":
        kubectl(lab, binaries, "delete", pod, "--wait=false")


def field(lab: Lab, binaries: Path, what: str, path: str) -> str:
    """Return what the JSON path finds in an object; empty when there is none."""
    return kubectl(lab, binaries, "get", what, "-o", f"jsonpath={{{path}}}", check=False)


def kubectl(lab: Lab, binaries: Path, *arguments: str, check: bool = True, namespace: str = NAMESPACE) -> str:
    """Run kubectl in a namespace, the platform's unless told otherwise, and return its output."""
    return run(kubectl_command(lab, binaries, "-n", namespace, *arguments), check=check)


def annotation(lab: Lab, binaries: Path, key: str) -> str:
    """Return one annotation of the leader record; empty when there is none."""
    path = f"jsonpath={{.metadata.annotations.failover/{key}}}"
    return kubectl(lab, binaries, "get", "service", "postgresql-primary", "-o", path, check=False)


def sync_members(lab: Lab, binaries: Path) -> str:
    """Return the members that commits wait for; empty when they wait for nobody."""
    found = annotation(lab, binaries, "sync")
    return "" if found == "none" else found


def secret_of(lab: Lab, name: str, key: str) -> str:
    """Return one of the lab's own secrets."""
    found: str = json.loads((lab.home / "secrets.json").read_text(encoding="utf-8"))[name][key]
    return found


def _make_secrets(lab: Lab, binaries: Path) -> None:
    path = lab.home / "secrets.json"
    if not path.exists():
        made = {name: {key: secrets.token_urlsafe(18) for key in keys} for name, keys in SECRETS.items()}
        path.touch(mode=0o600)
        path.write_text(json.dumps(made), encoding="utf-8")
    known = json.loads(path.read_text(encoding="utf-8"))
    objects = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": NAMESPACE}, "stringData": values}
        for name, values in known.items()
    ]
    apply(lab, binaries, objects)


def apply(lab: Lab, binaries: Path, objects: list[dict[str, object]]) -> None:
    """Bring ``objects`` about, whoever owned their fields before."""
    command = kubectl_command(lab, binaries, "apply", "--server-side", "--force-conflicts", "--field-manager=lab", "-f", "-")
    run(command, feed=yaml.safe_dump_all(objects))


def postgres_user() -> tuple[int, int]:
    """Return the machine's user and group that PostgreSQL runs as.

    Raises:
        LabError: there is none.
    """
    try:
        return pwd.getpwnam("postgres").pw_uid, grp.getgrnam("postgres").gr_gid
    except KeyError as error:
        raise LabError("this machine has no user `postgres`; install the package postgresql") from error
