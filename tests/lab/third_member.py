"""A third member for the lab's cluster, for as long as a test wants one: a second standby on the third node.

It is made from what runs: the standby's StatefulSet under another name, with a disk of its own. Gates, estate and RBAC learn
the name, and forget it at the end.
"""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from activities.run.models.report import Outcome
from deploy.lab.estate import publish_estate, read_estate
from deploy.lab.processes import wait_until
from deploy.lab.product import make_disk
from deploy.lab.switching import switch
from deploy.lab.workload import MEMBERS, NAMESPACE, apply, postgres_user
from tests.lab.platform import Platform

THIRD = "postgresql-other-0"
_SET = THIRD.removesuffix("-0")
_ALL = (*MEMBERS, THIRD)
_ROLES = ("postgresql-gate", "failover-worker")


@asynccontextmanager
async def third_member(platform: Platform) -> AsyncIterator[None]:
    """Let the cluster have three members inside the block; both standbys stream and are synchronous when it begins."""
    make_disk(platform.lab, THIRD, *postgres_user())
    estate = read_estate(platform.lab, platform.binaries)
    apply(platform.lab, platform.binaries, [_volume()])
    try:
        _publish(platform, _ALL, estate)
        apply(platform.lab, platform.binaries, [_stateful_set(platform)])
        await _start_anew(platform)
        wait_until("both standbys synchronous", lambda: len(platform.note("sync").split(",")) == len(_ALL) - 1, 90)
        yield
    finally:
        platform.settle(200)
        await platform.until_fit()
        if platform.leader == THIRD:
            moved = await switch(platform.client)
            assert moved.outcome is Outcome.COMPLETED, moved.reason
        platform.kubectl("delete", "statefulset", _SET, "--wait=true")
        platform.kubectl("delete", "pvc", f"data-{THIRD}", "--wait=false")
        platform.kubectl("delete", "pv", f"lab-{THIRD}", "--wait=false")
        _publish(platform, MEMBERS, estate)
        await _start_anew(platform)


def _publish(platform: Platform, members: tuple[str, ...], estate: dict[str, Any]) -> None:
    """Let RBAC, gates and estate name ``members``; gates that run learn it when they are started anew."""
    for role in _ROLES:
        _let_name(platform, role, members)
    platform.kubectl(
        "patch", "configmap", "postgresql-gate", "-p", json.dumps({"data": {"GATE_MEMBERS": ",".join(members)}})
    )
    changed = copy.deepcopy(estate)
    changed["postgres"]["orders"]["members"] = list(members)
    publish_estate(platform.lab, platform.binaries, changed)


async def _start_anew(platform: Platform) -> None:
    """Start the usual members' gates anew, the leader's last."""
    for member in sorted(MEMBERS, key=lambda one: one == platform.leader):
        name = f"statefulset/{member.removesuffix('-0')}"
        platform.kubectl("rollout", "restart", name)
        platform.kubectl("rollout", "status", name, "--timeout=120s")
        platform.settle(200)
    await platform.until_fit()


def _let_name(platform: Platform, role: str, members: tuple[str, ...]) -> None:
    rules = json.loads(platform.kubectl("get", "role", role, "-o", "json"))["rules"]
    for rule in rules:
        if MEMBERS[0] in rule.get("resourceNames", ()):
            rule["resourceNames"] = list(members)
    platform.kubectl("patch", "role", role, "-p", json.dumps({"rules": rules}))


def _volume() -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"lab-{THIRD}"},
        "spec": {
            "storageClassName": "lab-disk",
            "capacity": {"storage": "100Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": NAMESPACE, "name": f"data-{THIRD}"},
            "hostPath": {"path": f"/run/lab/disks/{THIRD}", "type": "Directory"},
        },
    }


def _stateful_set(platform: Platform) -> dict[str, object]:
    """Return the standby's StatefulSet under the third member's name."""
    found = json.loads(platform.kubectl("get", "statefulset", MEMBERS[1].removesuffix("-0"), "-o", "json"))
    spec = found["spec"]
    labels = {"app": "postgresql", "member": "other"}
    spec["selector"]["matchLabels"] = labels
    spec["template"]["metadata"]["labels"] = labels
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": _SET, "namespace": NAMESPACE}, "spec": spec}
