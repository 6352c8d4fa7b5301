"""Patroni on a running lab: two members on different nodes in a namespace of their own, on disks of their own.

The lab's pods borrow the machine's programs, so Patroni is a folder too: installed once from its hash-pinned lock into the
lab's cache, copied to where the nodes show it. It is spoken to as an operator would: through ``patronictl`` in a pod, and
by the REST answers of its members.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import yaml

from deploy.lab.binaries import cache
from deploy.lab.controlplane import kubectl_command
from deploy.lab.names import Lab, LabError
from deploy.lab.processes import run, wait_until
from deploy.lab.product import make_disk
from deploy.lab.workload import apply, kubectl, postgres_user, secret_of

NAMESPACE = "patroni-bench"
MEMBERS = ("patroni-0", "patroni-1")
_HERE = Path(__file__).parent
_LOCK = _HERE / "patroni.requirements.lock"
_MANIFEST = _HERE / "patroni.manifest.yaml"
_BOOT_SECONDS = 120


def ensure_patroni() -> Path:
    """Return the folder that holds Patroni and its libraries, installing it if need be.

    Raises:
        LabError: the installation failed.
    """
    goal = cache() / f"patroni-{hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:16]}"
    if not goal.is_dir():
        scratch = goal.with_suffix(".new")
        shutil.rmtree(scratch, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        done = subprocess.run(
            [*pip, "--target", str(scratch), "--requirement", str(_LOCK)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise LabError(f"Patroni was not installed: {done.stderr.strip()[-400:]}")
        scratch.rename(goal)
    return goal


def version_of(folder: Path) -> str:
    """Return the version of the Patroni in ``folder``."""
    return next(one.version for one in distributions(path=[str(folder)]) if one.metadata["Name"].lower() == "patroni")


class PatroniCluster:
    """The two members, and what an operator does with them."""

    def __init__(self, lab: Lab, binaries: Path) -> None:
        """Nothing happens before ``install``."""
        self._lab, self._binaries = lab, binaries
        self.password = secret_of(lab, "postgresql-passwords", "application")
        self.programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        self.version = ""

    def install(self) -> None:
        """Start from nothing: an earlier cluster's disks are emptied."""
        self.remove()
        folder = ensure_patroni()
        shutil.copytree(folder, self._lab.extra / "patroni")
        self.version = version_of(folder)
        user, group = postgres_user()
        for member in MEMBERS:
            make_disk(self._lab, member, user, group)
        apply(self._lab, self._binaries, self._objects(user, group))
        wait_until("Patroni redundant", self.sound, _BOOT_SECONDS)
        self._make_database()

    def remove(self) -> None:
        """Take it off the lab with its disks."""
        self.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true", "--timeout=120s")
        for folder in (self._lab.extra / "patroni", *(self._lab.disks / member for member in MEMBERS)):
            shutil.rmtree(folder, ignore_errors=True)

    def _objects(self, user: int, group: int) -> list[dict[str, Any]]:
        text = _MANIFEST.read_text(encoding="utf-8").replace("BIN_DIR", str(self.programs))
        text = text.replace("POSTGRES_UID", str(user)).replace("POSTGRES_GID", str(group))
        objects = [one for one in yaml.safe_load_all(text) if one]
        words = {key: secret_of(self._lab, "postgresql-passwords", key) for key in ("operator", "replication")}
        objects.insert(0, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "patroni"}, "stringData": words})
        for one in objects:
            one["metadata"]["namespace"] = NAMESPACE
        return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, *objects]

    def kubectl(self, *arguments: str, check: bool = True) -> str:
        """Run kubectl in Patroni's namespace."""
        return kubectl(self._lab, self._binaries, *arguments, check=check, namespace=NAMESPACE)

    def _make_database(self) -> None:
        statements = (f"create role app login password '{self.password}'", "create database aiagent_prod owner app")
        words = [part for statement in statements for part in ("-c", statement)]
        self.kubectl("exec", self.leader(), "--", "psql", "-qX", "-U", "postgres", *words)

    def address(self) -> str:
        """Return the write Service's address."""
        return self.kubectl("get", "service", "patroni", "-o", "jsonpath={.spec.clusterIP}")

    def leader(self) -> str:
        """Return the member that holds the leader key; empty when nobody does."""
        return self.kubectl("get", "endpoints", "patroni", "-o", "jsonpath={.metadata.annotations.leader}", check=False)

    def sound(self) -> bool:
        """Whether one leads, the other streams and is synchronous, and both are ready."""
        leader = self.leader()
        if leader not in MEMBERS:
            return False
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{leader}:8008/proxy/cluster"
        answer = run(kubectl_command(self._lab, self._binaries, "get", "--raw", path), check=False)
        members = json.loads(answer)["members"] if answer.startswith("{") else []
        states = sorted((one["role"], one["state"], one["timeline"]) for one in members if "timeline" in one)
        if [state[:2] for state in states] != [("leader", "running"), ("sync_standby", "streaming")]:
            return False
        return states[0][2] == states[1][2] and self._ready()

    def _ready(self) -> bool:
        path = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"
        return self.kubectl("get", "pods", "-o", path, check=False).split() == ["True", "True"]

    def configure(self, **settings: int) -> None:
        """Set the dynamic configuration; members take it up in their next loop."""
        changes = [part for key, value in settings.items() for part in ("-s", f"{key}={value}")]
        self._ctl("edit-config", "--force", "--quiet", *changes)

    def switchover(self) -> None:
        """Do a planned switchover to the other member; return once Patroni says that it is done.

        Raises:
            LabError: it refused.
        """
        self._ctl("switchover", "--force", "--leader", self.leader())

    def _ctl(self, *arguments: str) -> str:
        program = ("python", "/opt/extra/patroni/bin/patronictl", "-c", "/etc/patroni/patroni.yml")
        return self.kubectl("exec", self.leader(), "--", *program, *arguments)
