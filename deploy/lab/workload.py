"""What runs on the lab's cluster: the shipped manifests with the lab's overlay, and the Secrets that they expect."""

from __future__ import annotations

import grp
import json
import pwd
import secrets
from pathlib import Path
from typing import Any

import yaml

from deploy.lab.controlplane import kubectl_command
from deploy.lab.names import Lab, LabError
from deploy.lab.processes import run, wait_until
from deploy.lab.product import PRODUCT, copy_product, digest_of, make_disk
from deploy.lab.sealing import SECRET, count_key, new_key

NAMESPACE = "aiagent-prod"
MEMBERS = ("postgresql-primary-0", "postgresql-standby-0")
REDIS = ("redis-0", "redis-1", "redis-2")
SENTINELS = ("redis-sentinel-0", "redis-sentinel-1", "redis-sentinel-2")
_OVERLAY = Path(__file__).resolve().parents[1] / "kubernetes" / "overlays" / "lab"
_WORKER_USER = 10001
_REDIS_USER = 10003
SECRETS = {
    "postgresql-passwords": ("replication", "operator", "application"),
    "gate-token": ("token",),
    "api-token": ("token",),
    "redis-password": ("password",),
    "power-token": ("token",),
    "failover-signing": ("key",),
}
_CODE_MARK = "failover.lab/code"
_CODE = {
    "postgresql-primary": ("gate",),
    "postgresql-standby": ("gate",),
    "api-deployment": ("deploy",),
    "failover-worker": PRODUCT,
    "failover-witness": PRODUCT,
}


def prepare_disks(lab: Lab) -> None:
    """Make the directories that the nodes mount when they are powered on."""
    for folder in (lab.product, lab.disks, lab.extra):
        folder.mkdir(parents=True, exist_ok=True)
    user, group = postgres_user()
    for member in MEMBERS:
        make_disk(lab, member, user, group)
    for member in (*REDIS, *SENTINELS):
        make_disk(lab, member, _REDIS_USER, _REDIS_USER)
    make_disk(lab, "records", _WORKER_USER, _WORKER_USER)


def apply_workload(lab: Lab, binaries: Path) -> None:
    """Install everything, or bring it back to what the manifests say. Never touches the write Service's selector."""
    copy_product(lab)
    rendered = run([str(binaries / "kubectl"), "kustomize", str(_OVERLAY)])
    user, group = postgres_user()
    rendered = rendered.replace("POSTGRES_UID", str(user)).replace("POSTGRES_GID", str(group))
    objects = [one for one in yaml.safe_load_all(rendered) if one]
    for one in objects:
        if one["metadata"]["name"] in _CODE and one["kind"] in {"Deployment", "StatefulSet"}:
            code = digest_of(*_CODE[one["metadata"]["name"]])
            one["spec"]["template"]["metadata"].setdefault("annotations", {})[_CODE_MARK] = code
    spaces = [one for one in objects if one["kind"] == "Namespace"]
    apply(lab, binaries, spaces)
    _make_secrets(lab, binaries)
    count_key(objects, secret_of(lab, SECRET, "key"))
    redis = [one for one in objects if one["kind"] == "StatefulSet" and "redis" in one["metadata"]["name"]]
    apply(lab, binaries, [one for one in objects if one not in redis])
    apply(lab, binaries, redis)  # PostgreSQL takes longest to become ready, so it goes first
    _replace_stuck(lab, binaries)


def _replace_stuck(lab: Lab, binaries: Path) -> None:
    """Delete unready pods of an older revision: a StatefulSet waits for them to become ready before it updates them."""

    def seen() -> bool:
        sets = listed(lab, binaries, "statefulsets")
        return all(one["status"].get("observedGeneration") == one["metadata"]["generation"] for one in sets)

    wait_until("every StatefulSet seen", seen, 30)
    wanted = {one["metadata"]["name"]: one["status"]["updateRevision"] for one in listed(lab, binaries, "statefulsets")}
    for pod in listed(lab, binaries, "pods"):
        name, labels = pod["metadata"]["name"], pod["metadata"].get("labels", {})
        owner = name.rpartition("-")[0]
        conditions = pod["status"].get("conditions", [])
        ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
        if owner in wanted and labels.get("controller-revision-hash") != wanted[owner] and not ready:
            kubectl(lab, binaries, "delete", f"pod/{name}", "--wait=false")


def listed(lab: Lab, binaries: Path, kind: str, *select: str) -> list[dict[str, Any]]:
    """Return the platform's objects of a kind: all, or those that kubectl's arguments ``select``."""
    found: list[dict[str, Any]] = json.loads(kubectl(lab, binaries, "get", kind, *select, "-o", "json"))["items"]
    return found


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
    made = {name: {key: secrets.token_urlsafe(18) for key in keys} for name, keys in SECRETS.items()}
    made[SECRET] = {"key": new_key()}
    known = made | (json.loads(path.read_text(encoding="utf-8")) if path.exists() else {})
    path.touch(mode=0o600)
    path.write_text(json.dumps(known), encoding="utf-8")
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
